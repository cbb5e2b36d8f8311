download_pid=
stop() {
  trap - TERM INT HUP
  [[ -z $download_pid ]] || kill -TERM "$download_pid" 2>/dev/null || true
  fail "stopped by a signal: run this again, what is complete is kept"
}
trap stop TERM INT HUP
# fetch FILE COMMAND...: in what it says are names that others chose: none drives the terminal. FILE gets a copy.
fetch() {
  local status=0 words cleaner
  exec {words}> >(tee -- "$1" | LC_ALL=C tr -c ' -~\t\r\n' '?')
  cleaner=$!
  "${@:2}" </dev/null >&"$words" 2>&1 {words}>&- &
  download_pid=$!
  exec {words}>&-
  wait "$download_pid" || status=$?
  download_pid=
  wait "$cleaner" || true
  return "$status"
}
