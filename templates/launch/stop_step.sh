running() { kill -0 "$1" 2>/dev/null; }
# Waits at most $2 seconds for the end of process $1.
ends_within() {
  local pid=$1 tries=$(($2 * 10))
  while running "$pid"; do
    ((tries-- > 0)) || return 1
    sleep 0.1
  done
}
# signal_step NAME: the steps of this name, a pattern.
signal_step() {
  local ids
  mapfile -t ids < <(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/ $1\$//p")
  ((${#ids[@]} > 0)) && scancel --signal=TERM "${ids[@]}" 2>/dev/null
}
# stop_step NAME PID SECONDS: gently, and then not. TERM to srun itself would be
# a KILL for the step, so the step is told by its id.
stop_step() {
  running "$2" || return 0
  signal_step "$1" || true
  ! ends_within "$2" "$3" || return 0
  say "the $1 step did not end by itself within $3 s"
  kill -TERM "$2" 2>/dev/null || true
  ends_within "$2" 5 || kill -KILL "$2" 2>/dev/null || true
}
show_end_of() {
  say "the last lines of $1:"
  tail -n 20 "$1" 2>/dev/null | sed 's/^/  | /' || true
}
