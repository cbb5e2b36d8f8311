# Two at once share the work: the second one waits, and then finds it done.
exec {lock}>>"$stage_path/.$model_folder.lock" || fail "cannot write in $stage_path"
if ! flock --nonblock "$lock"; then
  say "waiting for another prepare_models.sh on $stage_path, or for its file system, which may know no locks"
  flock "$lock" || say "warning: no locks there; go on without"
fi
