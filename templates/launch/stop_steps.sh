# stop_steps NAME SECONDS PID...: the steps NAME.0, NAME.1, ..., side by side.
stop_steps() {
  local name=$1 seconds=$2 pid number=0 stops=()
  shift 2
  for pid in "$@"; do
    stop_step "$name.$number" "$pid" "$seconds" &
    stops+=($!)
    number=$((number + 1))
  done
  for pid in "${stops[@]}"; do
    # A signal ends the wait, but not what is waited for.
    while running "$pid"; do wait "$pid"; done
  done
}
