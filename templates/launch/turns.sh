# The server's variants take turns: each turn is this script once more, for a round of one variant's points, with a server,
# a manifest and logs of its own.
if ((turns > 0)) && [[ ${1-} != turn ]]; then
  code=0 ran=0 child='' stopped_by='' broken=' '
  pass_on() {
    stopped_by=$1
    [[ -z $child ]] || kill -s "$1" "$child" 2>/dev/null || true
  }
  for name in TERM INT USR1 USR2; do trap "pass_on $name" "$name"; done
  for ((turn = 0; turn < turns && code != 6; turn++)); do
    say "turn $((turn + 1)) of $turns, with -$turn behind the job's number: variant $((turn % variants + 1)) of $variants"
    if [[ $broken == *" $((turn % variants)) "* ]]; then
      say "it is left out, since its server did not work before"
      continue
    fi
    # Else it could not hear INT.
    set -m
    bash "$0" turn "$turn" &
    child=$!
    set +m
    [[ -z $stopped_by ]] || pass_on "$stopped_by"
    wait "$child" && status=0 || status=$?
    # A signal ends the wait; the turn itself first puts all in order.
    while kill -0 "$child" 2>/dev/null; do wait "$child" && status=0 || status=$?; done
    child='' ran=$((ran + 1))
    [[ -z $stopped_by ]] || status=6
    [[ $status != [34] ]] || broken+="$((turn % variants)) "
    ((code > 0 && status != 6)) || code=$status
    # What is missing for one is missing for all.
    [[ $status == [03456] ]] || break
  done
  say "exit $code: $ran of $turns turns ran"
  exit "$code"
fi
