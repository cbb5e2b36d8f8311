server_step &
server=$!
client_step &
client=$!
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: server and client started, ${#points[@]} points"
say "follow them: tail -f $all_logs"

while running "$server" && running "$client" && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  wait -n || true
done
