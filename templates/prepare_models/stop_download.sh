download_pid=
stop() {
  trap - TERM INT HUP
  [[ -z $download_pid ]] || kill -TERM "$download_pid" 2>/dev/null || true
  fail "stopped by a signal: run this again, what is complete is kept"
}
trap stop TERM INT HUP
