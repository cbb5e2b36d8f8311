# A job whose time is up may go on by itself, where this run has finished a point, or a turn before it. One that was cancelled stays so.
requeue() {
  # Slurm ends this script as soon as the job is in the queue, and the time is nearly up.
  if declare -F at_the_end >/dev/null; then
    at_the_end "$code" &
    ends_within 10 $! || say "warning: the hook at the end takes too long, the job goes into the queue without it"
  fi
  scontrol requeue "$slurm_id" || (($? > 128)) || say "error: Slurm does not requeue the job: $way_on" >&2
}
if ((code == 6 && restarts < requeue_limit && ${#own[@]} < to_measure + measured_before && finished + failed < ${#points[@]} + unnamed)) && [[ $stopped_by == USR* || $cause == no_time_left ]]; then
  way_on=${advice[*]: -1} advice=()
  say "the job goes on by itself: restart $((restarts + 1)) of at most $requeue_limit"
  trap requeue EXIT
fi
