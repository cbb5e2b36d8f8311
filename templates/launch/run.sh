stopped_by='' preempted=''
# A handler of one command: bash can lose its place when a second signal comes while a handler works.
for name in TERM INT USR1 USR2; do trap "[[ -n \$stopped_by ]] || stopped_by=$name store_until=\$((SECONDS + 3))" "$name"; done

# look_at_end: when the time is up, in seconds since 1970; empty without limit. Clients read it in a file, since it may change.
look_at_end() { REPLY=$(squeue -h -j "$slurm_id" -o %e 2>/dev/null) && put "$run/state.until" "$(date -d "${REPLY:-none}" +%s 2>/dev/null)"; }
time_up=$(look_at_end && cat "$run/state.until") || time_up=''

write_manifest || fail "cannot write $manifest"
printf -v server_started '%(%s)T' -1
# Of a step's log, how many lines an earlier run of this job left there.
declare -A earlier_lines=()
for log in $all_logs; do [[ ! -f $log || ! -O $log ]] || earlier_lines[$log]=$(timeout 10 wc -l <"$log") || true; done
# A job that is resumed may have nothing left to measure.
[[ -n ${search_goal-} || ${#own[@]} != 0 ]] || to_start=0
servers=() clients=() samplers=() unnamed=0 to_start=${to_start-$replicas} to_measure=${#own[@]}
for ((number = 0; number < to_start; number++)); do
  server_step "$number" 2>>"$(log_of server "$number")" &
  servers+=($!)
  client_step "$number" 2>>"$(log_of benchmarking "$number")" &
  clients+=($!) last_act[$!]=$run/ended.$number
  [[ -z $gpu_model ]] || ! declare -F gpu_samples >/dev/null || { gpu_samples "$number" & samplers+=($!); }
done
say "job $job_id on $SLURMD_NODENAME: started; servers, each with a client: $to_start; ${searches-points: ${#points[@]}, to measure: $to_measure}"
say "follow them: tail -f $(printf %q "$logs")/*_$job_id.*out | cat -v"

silent_at=$((SECONDS + ready_timeout + 2 * point_timeout + 600)) look_at=$((SECONDS + 60))
while round=$SECONDS && goes_on && [[ -z $stopped_by ]]; do
  # bash can lose a command's end to a signal's handler: that is no reason to end.
  store_points || true
  sleep 0.3 || true
  ((SECONDS < look_at)) || { look_at_end & look_at=$((SECONDS + 60)); }
  # A round takes no minutes, but Slurm may suspend the job.
  ((SECONDS - round < 150)) || silent_at=$((silent_at + SECONDS - round))
done
