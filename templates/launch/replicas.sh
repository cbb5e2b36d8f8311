servers=() clients=() statuses=()
for ((replica = 0; replica < replicas; replica++)); do
  server_step 2> >(srun_says) &
  servers+=($!)
  client_step 2> >(srun_says) &
  clients+=($!)
  last_act[$!]=$run/ended.$replica
done
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: $replicas servers, each with a client, started, ${#points[@]} points"
say "follow them: tail -f $all_logs"

# True while clients have something to do, and their servers run. Else $replica is the
# number of the pair that says how the job ends: of a server that ended; of a client that
# could not go on; when all clients are done, of one that left points out, or had some fail.
goes_on() {
  local status number open=0
  for ((replica = 0; replica < replicas; replica++)); do
    if at_work "${clients[replica]}"; then
      at_work "${servers[replica]}" || return 1
      open=1
      continue
    fi
    client_status "$replica"
    case $status in
      0 | 5 | 8) ;;
      *) return 1 ;;
    esac
  done
  ((open == 0)) || return 0
  replica=0
  for status in 5 8; do
    for number in "${!statuses[@]}"; do
      ((statuses[number] != status)) || replica=$number
    done
  done
  return 1
}
while goes_on && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  sleep 0.3 &
  wait -n || true
done
((replica < replicas)) || replica=0
server_log=$(log_of server) client_log=$(log_of benchmarking)
readonly server_log client_log
