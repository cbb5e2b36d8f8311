explain "$cause"
# First what must not be lost: who is told to stop may have only seconds.
((code != 6)) || store_seconds=5
store_points
write_manifest
# Now, since what steps say when they are told to stop is no cause.
case $code in [12]) look_into "$client_log" ;; 3) look_into "$server_log" ;; 4) look_into "$server_log" "$client_log" ;; esac
seconds_to_stop=$((code == 6 ? 3 : stop_timeout))
# A point that is measured may still be evaluated, for which a job whose time is up has no time.
stop_steps client $((code == 6 ? 4 : 20)) "${clients[@]}"
store_points all
stop_steps server "$seconds_to_stop" "${servers[@]}"
for pid in $(jobs -rp); do
  # By now its number may be another process's, and bash says nothing of one that it disowned.
  [[ " ${samplers[*]} " != *" $pid "* ]] || { disown "$pid" && kill "$pid"; } 2>/dev/null
done
# The clients' containers are removed meanwhile; who is told to stop has no time for that.
last_act=()
# One that says that it has ended may go on.
((code == 6)) || ends_within "$seconds_to_stop" "${clients[@]}" || stop_steps client 5 "${clients[@]}"
! declare -F remove_containers >/dev/null || remove_containers
states=$(for number in "${!clients[@]}"; do text_of "$run/state.$number" 5; done)
ready_seconds=$(sed -n 's/^ready_seconds=\(0\|[1-9][0-9]\{0,8\}\)$/\1/p' <<<"$states" | sort -n | tail -n 1)
((${ready_seconds:-0} <= ready_timeout)) || ready_seconds=$ready_timeout
read -r in_flight_percent too_short < <(awk -F '[=/]' -v points="${#points[@]}" '
  /^in_flight=[0-9]+\/[0-9]+\/[0-9]+$/ && length() < 40 { busy += $2; seconds += $3; short += $4 }
  END {
    if (seconds > 0) print int(busy < 1000 * seconds ? busy / seconds / 10 : 100), (short < points ? short : points)
  }' <<<"$states")
! declare -F only_probes >/dev/null || only_probes
finished=0 failed=0 not_run=0 seconds_left=0 longest=0 most=$((2 * point_timeout * ${levels_left_out-1})) why=''
for number in "${!points[@]}"; do
  read -r use_case isl osl concurrency _ <<<"${points[number]}"
  look_up "${folders[number]}"
  detail=${REPLIES[2]} load="concurrency $concurrency" load=${load/concurrency rate/request rate } load=${load/concurrency schedule/as its trace says}
  case ${REPLIES[0]} in
    finished) finished=$((finished + 1)) && continue ;;
    'not run') not_run=$((not_run + 1)) why=$detail && continue ;;
    failed) failed=$((failed + 1)) ;;
    'left out') ((left = REPLIES[1] < most ? REPLIES[1] : most, seconds_left += left, longest = left > longest ? left : longest)) ;;
  esac
  say "${REPLIES[0]}: $use_case $isl/$osl, $load${detail:+: $detail}"
done
seconds_needed=$((seconds_left / (parts > 0 ? 1 : replicas))) && ((seconds_needed >= longest)) || seconds_needed=$longest
[[ $code != 6 || $finished != $((${#points[@]} + unnamed)) ]] || explain finished
((not_run == 0)) || say "not started: $not_run of ${#points[@]} points${why:+: $why}"
if [[ $code == [05] && $failed != 0 ]]; then
  explain points_failed
  look_into "${failures[@]}"
elif [[ $code == 0 && ($finished == 0 || $finished != "${#points[@]}") ]]; then
  # srun can say 0 of a client that never ran.
  explain points_missing
  look_into "$client_log"
fi
write_manifest || [[ $cause == no_space ]] ||
  { before=$reason && explain no_space && reason+=", or it cannot be written to; before that: $before"; }
