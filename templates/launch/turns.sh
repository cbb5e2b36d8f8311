# The server's variants take turns: each turn is this script once more, for a round of one variant's points, with a server,
# a manifest and logs of its own.
if ((turns > 0)) && [[ ${1-} != turn ]]; then
  code=0 ran=0 stopped_by='' broken=' '
  for name in TERM INT USR1 USR2; do trap "stopped_by=$name" "$name"; done
  for ((turn = 0; turn < turns; turn++)); do
    say "turn $((turn + 1)) of $turns, with -$turn behind the job's number: variant $((turn % variants + 1)) of $variants"
    if [[ $broken == *" $((turn % variants)) "* ]]; then
      say "it is left out, since its server did not work before"
      continue
    fi
    # Else it could not hear INT.
    set -m
    bash "$0" turn "$turn" &
    set +m
    while kill -0 $! 2>/dev/null && [[ -z $stopped_by ]]; do sleep 0.3 || true; done
    # The turn itself puts all in order.
    [[ -z $stopped_by ]] || kill -s "$stopped_by" $! 2>/dev/null || true
    while kill -0 $! 2>/dev/null; do sleep 0.3 || true; done
    wait $! && status=0 || status=$?
    ran=$((ran + 1))
    # A server that does not take the client's requests ends with 2.
    [[ $status != [234] ]] || broken+="$((turn % variants)) "
    ((code > 0 && status != 6)) || code=$status
    [[ -z $stopped_by && $status == [02345] ]] || break
  done
  # A turn says how to go on, but not where the signal came between two of them.
  if [[ -n $stopped_by && $status != 6 ]] && ((status != 0 || turn < turns - 1)); then
    code=6
    say "to go on: RESUME_JOB_ID=$SLURM_JOB_ID sbatch $(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%o)"
    [[ $stopped_by == TERM ]] || ((${SLURM_RESTART_COUNT:-0} >= ${requeue_limit-0})) || scontrol requeue "$SLURM_JOB_ID"
  fi
  say "exit $code: $ran of $turns turns ran"
  exit "$code"
fi
