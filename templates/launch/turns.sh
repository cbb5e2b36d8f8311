# The server's variants take turns: each turn is this script once more, for a round of one variant's points, with a server,
# a manifest and logs of its own.
if ((turns > 0)) && [[ ${1-} != turn ]]; then
  code=0 ran=0 stopped_by='' broken=' '
  points_there() { find "$stage_path/results" -maxdepth 1 -name "*_*_$SLURM_JOB_ID-*" 2>/dev/null | wc -l || true; }
  there=$(points_there)
  for name in TERM INT USR1 USR2; do trap "stopped_by=$name" "$name"; done
  for ((turn = 0; turn < turns; turn++)); do
    say "turn $((turn + 1)) of $turns, with -$turn behind the job's number: variant $((turn % variants + 1)) of $variants"
    if [[ $broken == *" $((turn % variants)) "* ]]; then
      say "it is left out, since its server did not work before"
      continue
    fi
    # Else it could not hear INT.
    set -m
    bash "$0" turn "$turn" "$(($(points_there) - there))" &
    set +m
    while kill -0 $! 2>/dev/null && [[ -z $stopped_by ]]; do sleep 0.3 || true; done
    # The turn itself puts all in order.
    [[ -z $stopped_by ]] || kill -s "$stopped_by" $! 2>/dev/null || true
    while kill -0 $! 2>/dev/null; do sleep 0.3 || true; done
    wait $! && status=0 || status=$?
    ran=$((ran + 1))
    ((code > 0 && status != 6)) || code=$status
    [[ -z $stopped_by && $status == [02345] ]] || break
    # What is missing before there is a manifest is missing for all.
    [[ $status != 2 || -e $stage_path/results/run_$SLURM_JOB_ID-$turn.json ]] || break
    [[ $status != [234] ]] || broken+="$((turn % variants)) "
  done
  # A turn says how to go on, but not where the signal came between two of them.
  if [[ -n $stopped_by && $status != 6 ]] && ((status != 0 || turn < turns - 1)); then
    code=6
    script=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%o 2>/dev/null) || true
    [[ $script == /* ]] || script=${SLURM_SUBMIT_DIR-.}/$script
    { [[ $stopped_by != TERM ]] && ((${SLURM_RESTART_COUNT:-0} < ${requeue_limit-0})) &&
      say "the job goes on by itself: restart $((${SLURM_RESTART_COUNT:-0} + 1)) of at most $requeue_limit" &&
      scontrol requeue "$SLURM_JOB_ID"; } ||
      say "to go on: RESUME_JOB_ID=$SLURM_JOB_ID sbatch $(printf %q "$script")"
  fi
  say "exit $code: $ran of $turns turns ran"
  exit "$code"
fi
