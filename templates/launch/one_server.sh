replica=0 statuses=()
server_step 2> >(srun_says) &
servers=($!)
client_step 2> >(srun_says) &
clients=($!)
last_act[$!]=$run/ended.0
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: server and client started, ${#points[@]} points"
say "follow them: tail -f $all_logs"

while at_work "${servers[0]}" && at_work "${clients[0]}" && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  sleep 0.3 &
  wait -n || true
done
