# ---- A prefix cache that is emptied before each point ---------------------------------------
# empty_cache: true once the server has emptied its prefix cache.
empty_cache() {
  local path answer answers='' end=$((SECONDS + 10))
  # It may refuse while a request runs, also one that its client gave up.
  until ((SECONDS > end)); do
    answers=
    for path in /reset_prefix_cache /flush_cache; do
      answer=$(curl --silent --max-time 30 --request POST --write-out ' %{http_code}' "http://$url$path" | tail -c 4096) || true
      [[ $answer != *' 200' || $answer =~ \"success\":\ *false ]] || return 0
      answers+=", POST $path: HTTP ${answer##* }"
    done
    sleep 1
  done
  reason="the server did not empty its prefix cache${answers}"
  return 1
}
