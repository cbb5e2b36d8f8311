# A job whose time is up may go on by itself. One that was cancelled stays so, and what failed would fail again.
requeue() {
  # Slurm ends this script as soon as the job is in the queue, and the time is nearly up.
  if declare -F at_the_end >/dev/null; then
    at_the_end "$code" &
    ends_within 10 $! || say "warning: the hook at the end takes too long, the job goes into the queue without it"
  fi
  scontrol requeue "$slurm_id" || say "error: Slurm does not requeue the job" >&2
}
if ((code == 6 && failed == 0 && restarts < requeue_limit)) && [[ $stopped_by != TERM ]]; then
  advice=()
  say "the job goes on by itself: requeue $((restarts + 1)) of at most $requeue_limit"
  trap requeue EXIT
fi
