case $code in
  3) show_cause "$server_log" ;;
  5)
{%- if alike %}
    for log in "$results/failed_$job_id"/*/*/*.log; do
{%- else %}
    for log in "$results/failed_$job_id"/*/*.log; do
{%- endif %}
      show_cause "$log"
    done
    ;;
  1 | 2) show_cause "$client_log" ;;
  4)
    show_cause "$server_log"
    show_cause "$client_log"
    ;;
esac
say "$finished of ${#points[@]} points are in $results"
if ((code == 6 && failed == 0 && restarts < requeue_limit)) && [[ $stopped_by != TERM ]]; then
  # Only when the time is up: a job that was cancelled stays so, and what failed
  # would fail again.
  say "the job goes on by itself: requeue $((restarts + 1)) of at most $requeue_limit"
  say "exit $code: $reason"
{%- if site.after.is_some() %}
  # Slurm ends this script as soon as the job is in the queue, and the time is nearly up.
  trap - EXIT
  at_the_end "$code" &
  ends_within 10 $! || say "warning: the own lines at the end take too long, the job goes into the queue without them"
{%- endif %}
  scontrol requeue "$slurm_id" || say "error: Slurm does not requeue the job" >&2
  exit "$code"
fi
# What a person does next.
next="after that" options=''
case $code in
  1)
    if [[ $reason == "no space"* ]]; then
      say "what to do: make room in $results (df -h, df -i and the quota tell)"
    else
      say "what to do: mend what the lines above name"
    fi
    ;;
  2)
    if [[ $reason == "the server does not take"* ]]; then
      say "what to do: leave out what the server does not take, as the lines above say"
    else
      say "what to do: use an image that has it (client in the recipe), or mount it (mounts in the settings);" \
        "then make the scripts anew and submit setup.sh"
    fi
    ;;
  3)
    if [[ $reason == *"stopped answering"* ]]; then
      say "what to do: the server ran on without an answer, and this job ended it. Look for errors of the GPUs on" \
        "${SLURMD_NODENAME:-$HOSTNAME} (dmesg, nvidia-smi -q) and read $server_log; if it happens again, exclude that node"
    else
      say "what to do: find out why the server ended; its whole log is $server_log"
    fi
    ;;
  4)
    say "what to do: if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and make" \
      "launch.sh anew; else its whole log says more: $server_log"
    ;;
  5)
    say "what to do: see why the points failed; all that they left is in $results/failed_$job_id," \
      "and the steps' logs are $all_logs"
    ;;
  6)
    next="to go on"
    if ((seconds_needed > 0)); then
      # A quarter more, the server's start, and what must be left at the end.
      load=$(sed -n 's/.*the server is ready after \([0-9]*\) s$/\1/p' "$client_log" | tail -n 1)
      options="--time=$(((seconds_needed * 5 / 4 + ${load:-0} + reserve) / 60 + 1)) "
      say "nothing failed: the points that were left out need about $seconds_needed s, and the server its start"
    elif ((finished == 0)) && { [[ $stopped_by == USR* ]] || (($(printf '%(%s)T' -1) >= ${measure_until:-9999999999})); }; then
      options="--time=$(((ready_timeout + point_timeout + reserve) / 60 + 1)) "
      say "what to do: the time was up before the first point was finished, so give the job more:" \
        "the server may take $ready_timeout s until it is ready, and a point $point_timeout s"
    fi
    ;;
esac
if ((finished < ${#points[@]})); then
  script=$(scontrol show job "$slurm_id" 2>/dev/null | sed -n 's/^ *Command=//p') || true
{%- if tasks > 0 %}
  say "$next: RESUME_JOB_ID=$job_id sbatch $options--array=$task $(printf %q "${script:-launch.sh}")"
{%- else %}
  say "$next: RESUME_JOB_ID=$job_id sbatch $options$(printf %q "${script:-launch.sh}")"
{%- endif %}
fi
say "exit $code: $reason"
exit "$code"
