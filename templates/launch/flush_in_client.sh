# ---- A prefix cache that is emptied before each point ---------------------------------------

# empty_cache: true once the server has emptied its prefix cache.
empty_cache() {
  local path end=$((SECONDS + 10))
  # SGLang refuses while a request runs, also one that its client gave up.
  until ((SECONDS > end)); do
    for path in /reset_prefix_cache /flush_cache; do
      ! curl --silent --fail --max-time 30 --request POST --output /dev/null "http://$url$path" || return 0
    done
    sleep 1
  done
  reason="the server empties its prefix cache neither at /reset_prefix_cache nor at /flush_cache"
  return 1
}
