((${#cause_lines[@]} == 0)) || printf '%s\n' "${cause_lines[@]}"
say "$finished of $((${#points[@]} + unnamed)) points are in $results"
[[ -z $in_flight_percent ]] || say "requests in flight: $in_flight_percent % of the time from ready to the last result"
((too_short == 0)) || say "measured for less than 10 s, which is too short: $too_short of ${#points[@]} points"
next="after that" options=''
if ((code == 6)); then
  [[ -n ${preempted-} || $stopped_by == TERM ]] && next="to go on, if Slurm does not restart the job itself" || next="to go on"
  if ((seconds_needed > 0)); then
    # A quarter more, the server's start, and what must be left at the end.
    [[ -n $of_turn ]] || options="--time=$(((seconds_needed * 5 / 4 + ${ready_seconds:-0} + reserve) / 60 + 1)) "
    say "nothing failed: the points$of_turn that were left out need about $seconds_needed s, and the server its start"
  elif ((${#own[@]} == to_measure + measured_before && failed == 0)) && { [[ $stopped_by == USR* ]] || (($(printf '%(%s)T' -1) >= ${time_up:-9999999999} - reserve)); }; then
    [[ -n $of_turn ]] || options="--time=$(((ready_timeout + 2 * point_timeout + reserve) / 60 + 1)) "
    to_do="the time was up before a point was finished, so give the job more: the server may take $ready_timeout s until it is ready, and a point with its warm-up $((2 * point_timeout)) s"
  fi
fi
[[ -z $to_do ]] || advice=("what to do: $to_do")
if [[ $cause != client_lacks || $finished != 0 ]] && ((finished < ${#points[@]} + unnamed)); then
  advice+=("$next: RESUME_JOB_ID=${slurm_id/_/-} sbatch $options$array_option$(printf %q "${script:-launch.sh}")")
fi
{%- if requeue_limit > 0 %}
{% include "launch/requeue.sh" %}
{%- endif %}
write_manifest
for line in "${advice[@]}"; do say "$line"; done
say "exit $code: $reason"
store_until=$((SECONDS + 10))
in_time rm -rf -- "$copies" "$run/points" ${data_sets_folder:+"$data_sets_folder"}
in_time clear_run
rmdir "$run"/{finished,failed} "$run" "${run%/*}" "${claims[@]-}" 2>/dev/null
[[ -z ${preempted-} || $code == 0 ]] || stay stopped_by
exit "$code"
