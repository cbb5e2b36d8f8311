# First what must not be lost: who is told to stop may have only seconds.
write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
((code != 6)) || stop_timeout_now=3
: 2>/dev/null >"$run/stopping"
count_lines until
stop_steps client 5 "${clients[@]}"
# Now the clients have said how far they are.
write_manifest "$code" "$reason" || true
stop_steps server "${stop_timeout_now:-$stop_timeout}" "${servers[@]}"
# The clients' containers are removed meanwhile; who is told to stop has no time for that.
last_act=()
((code == 6)) || ends_within "${stop_timeout_now:-$stop_timeout}" "${clients[@]}"
{%- if alike %}
# What the servers left of a point lies together, so it is moved when all have stopped.
left_by=interrupted
[[ $reason != *"stopped answering"* ]] || left_by=failed
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside "$left_by" "$(basename "$left")"
done
{%- endif %}
{%- if runtime == Runtime::Podman %}
remove_containers
{%- endif %}
finished=0 failed=0 not_started=0 seconds_needed=0 why=''
for point in "${points[@]}"; do
  read -r use_case isl osl concurrency requests <<<"$point"
  # Points may have ended while the client was stopping.
  look_up "$use_case" "$isl" "$osl" "$concurrency"
  case $status in
    finished)
      finished=$((finished + 1))
      continue
      ;;
    failed) failed=$((failed + 1)) ;;
    'not run')
      if [[ ! $detail =~ about\ ([0-9]+)\ s ]]; then
        not_started=$((not_started + 1)) why=$detail
        continue
      fi
      status='left out'
      seconds_needed=$((seconds_needed + BASH_REMATCH[1]))
      ;;
  esac
  say "$status: $use_case $isl/$osl, concurrency $concurrency${detail:+: $detail}"
done
((not_started == 0)) || say "not started: $not_started of ${#points[@]} points${why:+: $why}"
((code != 5)) || reason="$failed of ${#points[@]} points failed"
if ! write_manifest "$code" "$reason" && [[ $reason != "no space"* ]]; then
  code=1 reason="no space is left in $results, or it cannot be written to; before that: $reason"
fi
# srun can say 0 of a client that never ran.
if ((code == 0 && finished < ${#points[@]})); then
  code=1 reason="the client step ended well, but points are missing: see $all_logs"
  write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
fi
rm -f -- "$run"/{points,stopping} "$run"/{ended,output,meet}.*
{%- if replicas > 1 && !alike %}
rmdir "$run"/taken.* 2>/dev/null || true
{%- else if replicas == 1 %}
rm -f -- "$run/output"
{%- endif %}
rmdir "$run" 2>/dev/null || true
