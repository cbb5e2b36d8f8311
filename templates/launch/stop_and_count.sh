# First what must not be lost: who is told to stop may have only seconds.
store_points
write_manifest || say "error: cannot write $manifest" >&2
seconds_to_stop=$stop_timeout
((code != 6)) || seconds_to_stop=3
mkdir "$stopping" 2>/dev/null
count_lines until
stop_steps client 5 "${clients[@]}"
# Now the clients have said how far they are. What a point left is moved when all have stopped.
store_points
keep_unfinished
write_manifest
stop_steps server "$seconds_to_stop" "${servers[@]}"
# The clients' containers are removed meanwhile; who is told to stop has no time for that.
last_act=()
((code == 6)) || ends_within "$seconds_to_stop" "${clients[@]}"
remove_containers
# Who still had a folder open when it was brought out may have added to it.
((${#stored[@]} == 0)) || find "${stored[@]}" ! -type f ! -type d -delete
states=$(for number in "${!clients[@]}"; do text_of "$run/state.$number"; done)
ready_seconds=$(sed -n 's/^ready_seconds=\([0-9]\{1,9\}\)$/\1/p' <<<"$states" | sort -n | tail -n 1)
read -r in_flight_percent too_short < <(awk -F '[=/]' '/^in_flight=[0-9]+\/[0-9]+\/[0-9]+$/ && length() < 40 {
  busy += $2; seconds += $3; short += $4 } END {
  if (seconds > 0) printf "%d %d\n", (busy < 1000 * seconds ? busy / seconds / 10 : 100), short }' <<<"$states")
finished=0 failed=0 not_run=0 seconds_needed=0 why=''
for point in "${points[@]}"; do
  read -r use_case isl osl concurrency _ <<<"$point"
  # Points may have ended while the client was stopping.
  look_up "$use_case" "$isl" "$osl" "$concurrency"
  state=${REPLIES[1]} detail=${REPLIES[3]}
  case $state in
    finished) finished=$((finished + 1)) ;;
    'not run') not_run=$((not_run + 1)) why=$detail ;;
    failed) failed=$((failed + 1)) ;;
    'left out') seconds_needed=$((seconds_needed + REPLIES[2])) ;;
  esac
  [[ $state == finished || $state == 'not run' ]] ||
    say "$state: $use_case $isl/$osl, concurrency $concurrency${detail:+: $detail}"
done
((not_run == 0)) || say "not started: $not_run of ${#points[@]} points${why:+: $why}"
((code != 0 || failed == 0)) || explain points_failed
# srun can say 0 of a client that never ran.
((code != 0 || finished == ${#points[@]})) || explain points_missing
((code != 5)) || reason="$failed of ${#points[@]} points failed"
if ! write_manifest && [[ $cause != no_space ]]; then
  before=$reason
  explain no_space
  reason+=", or it cannot be written to; before that: $before"
fi
