[[ -w $stage_path ]] || missing "permission to write in $stage_path on $look"
stop_if_missing
{% include "lib/lock.sh" %}

# Two at once share the work: the second one waits, and then finds it done.
open_lock "$stage_path/.$model_folder.lock" || fail "cannot lock $stage_path/.$model_folder.lock: another user's" \
  "prepare_models.sh may be at work. Run this again when it has ended; where none runs, remove that file first"
lock=$REPLY
if ! flock --nonblock "$lock"; then
  say "waiting for another prepare_models.sh on $stage_path, or for its file system, which may know no locks"
  status=0
  flock --timeout=43200 --conflict-exit-code=75 "$lock" || status=$?
  ((status != 75)) || fail "another prepare_models.sh had $stage_path/.$model_folder.lock for 12 hours: where none runs, remove it"
  if ((status != 0)); then
    say "warning: no locks there; go on without"
    # Then what changes is another run's; only a job that Slurm started again knows it to be its own.
    [[ -n ${SLURM_RESTART_COUNT-} ||
      -z $(find "$weights_part" ${engine_part:+"$engine_part"} -mmin -10 -print -quit 2>/dev/null) ]] ||
      fail "$stage_path/.$model_folder.part changed within the last 10 minutes: another prepare_models.sh may be at work." \
        "Run this again when it has ended; where none runs, in 10 minutes"
  fi
fi
