# ---- A prefix cache that is emptied before each point ---------------------------------------

# empty_cache: true once the server has emptied its prefix cache.
empty_cache() {
  local path
  for path in /reset_prefix_cache /flush_cache; do
    ! curl --silent --fail --max-time 30 --request POST --output /dev/null "http://$url$path" || return 0
  done
  reason="the server empties its prefix cache neither at /reset_prefix_cache nor at /flush_cache"
  return 1
}
