download_pid=
stop() {
  trap - TERM INT HUP
  [[ -z $download_pid ]] || kill -TERM "$download_pid" 2>/dev/null || true
  fail "stopped by a signal: run this again, what is complete is kept"
}
trap stop TERM INT HUP
# why FILE PLACE KEY: what these words on a download that ended with $status mean, as far as that is known, and what helps.
why() {
  if grep -aEqi 'no space left|quota exceeded' "$1"; then
    echo "there is no space left in $stage_path, or no quota: make room there, then run this again"
  elif ((status == 137)); then
    echo "it was killed, maybe for lack of memory: run this again with more (mem in [slurm.prepare_models])"
  elif grep -aEqi 'proxyerror|tunnel connection failed|proxy authentication' "$1"; then
    echo "the proxy in https_proxy refuses: ask the site, or run this again without it"
  elif grep -aEqi '(repository|revision|model).* not found|could not be found' "$1"; then
    echo "$2 has no such model or revision, or shows it only to some, who have $3: correct it in the recipe and render this script again"
  elif grep -aEqi 'unauthorized|forbidden|gated repo|access denied|(missing|invalid) (api ?key|user token)' "$1"; then
    echo "$2 wants $3: one that is valid, of someone who was let in to this model on its page; then run this again"
  elif grep -aEqi 'too many requests|error 429' "$1"; then
    echo "$2 takes no more requests for now: wait, then run this again"
  elif grep -aEqi 'returning existing local_dir|connection refused|timed out|name resolution|name or service|unreachable|internet connection' "$1"; then
    echo "$2 cannot be reached from $HOSTNAME: run this again where it can, such as on a login node, or export https_proxy=..."
  else
    echo "its own words are above; run this again"
  fi
}
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
