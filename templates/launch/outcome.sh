# From here on all is done that can be: when Slurm ends the job, it also ends whatever this script is just running.
set +e
server=${servers[blamed]-} server_log=$(log_of server "$blamed") client_log=$(log_of benchmarking "$blamed")
REPLIES=(finished 0)
((${#clients[@]} == 0)) || { REPLIES=(client_silent 0) && at_work "${clients[blamed]}"; } || client_end "$blamed"
cause=${REPLIES[0]} client_status=${REPLIES[1]}
# Without its server the client fails in many ways; the cause is the server, whose step may still remove its container.
case $cause in
  finished | client_stopped | no_time_left) ;;
  no_answer) ends_within 10 "$server" || only_removes server "$blamed" && cause=server_ended ;;
  *) running "$server" || cause=server_ended ;;
esac
# When Slurm ends the job, its steps may end a moment before its word comes here, and when it preempts the job, long before.
[[ $cause == finished || -n $stopped_by ]] || sleep 0.5
[[ $cause == finished || $stopped_by == TERM ]] || ! is_preempted "$slurm_id" || preempted=preemption stopped_by=''
[[ -z $stopped_by$preempted ]] || { say "stopping: ${preempted:-signal $stopped_by}" && signal_steps client; cause=signal; }
how_it_ended() { (($1 > 128 && $1 < 193)) && echo "was killed by signal $(($1 - 128))" || echo "exited with status $1"; }
# explain CAUSE: sets $cause, and what goes with it: $code, $reason and $to_do.
explain() {
  local which='' how=ended
  ((replicas == 1)) || which=", server $blamed on port $((port + blamed))"
  cause=$1
  case $cause in
    finished) set -- 0 "all points are finished" '' ;;
    client_lacks)
      set -- 2 "something is missing in the container of $client_image" \
        "use an image that has it (client in the recipe), or mount it (mounts in the settings); if it is there but not in that PATH, which the image's /etc/profile may reset, export PATH=... in a hook (client under [hooks] in the settings); of a tokenizer give a path in the image or a name on the Hugging Face hub; then render the scripts again and submit launch.sh, and first setup.sh if the image is another" ;;
    refused) set -- 2 "the server does not take the client's requests" ;;
    data_lacks) set -- 2 "a data set cannot be measured" ;;
    server_ended)
      running "$server" || { wait "$server"; how=$(how_it_ended $?); }
      set -- 3 "the server $how before the sweep was over$which" "find out why the server ended; its whole log is $server_log" ;;
    no_answer)
      set -- 3 "the server stopped answering$which" \
        "the server ran on without an answer, and this job ended it. Look for errors of the GPUs on $SLURMD_NODENAME (dmesg, nvidia-smi -q) and read $server_log; if it happens again, exclude that node; if it only has too much to do, raise probe_interval in the recipe" ;;
    not_ready)
      set -- 4 "the server was not ready within $ready_timeout s$which" \
        "if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and render launch.sh again; else its whole log says more: $server_log" ;;
    points_failed)
      set -- 5 "${failed:-some} of ${#points[@]} points failed" \
        "see why the points failed; all that they left is in $results/failed_$job_id, and the steps' logs are $all_logs. If the client cannot load its tokenizer ($tokenizer_path), name another one with --tokenizer, and render again" ;;
    signal | client_stopped)
      [[ $stopped_by == USR* ]] && how=', the time is nearly up' || how=''
      set -- 6 "stopped by ${preempted:-${stopped_by:+signal }${stopped_by:-a signal to the client}$how}" '' ;;
    no_time_left) set -- 6 "the time that is left is too short for the points that are left" '' ;;
    no_space) set -- 1 "no space is left in $results" "make room in $results: look at df -h, df -i and the quota" ;;
    client_silent)
      set -- 1 "the client made no progress for longer than a point may take$which" \
        "read $client_log; if nothing is wrong there, raise point_timeout in the recipe and render launch.sh again" ;;
    points_missing) set -- 1 "the client step succeeded, but points are missing: see $all_logs" ;;
    *) set -- 1 "the client step $(how_it_ended "$client_status")" ;;
  esac
  code=$1 reason=$2 to_do=${3-fix what the lines above name}
}
