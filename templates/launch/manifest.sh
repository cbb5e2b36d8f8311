# json TEXT...: strings of JSON, with commas between them. json_or_null TEXT: of what may not be known.
json() {
  local texts=("${@//\\/\\\\}") list=''
  texts=("${texts[@]//\"/\\\"}")
  (($# == 0)) || printf -v list ', "%s"' "${texts[@]//[[:cntrl:]]/ }"
  printf %s "${list:2}"
}
json_or_null() { if [[ -n $1 ]]; then json "$1"; else printf null; fi; }
json_image() {
  local name=${fetched[$1]} digest=${fetched[$1]#"${fetched[$1]%%@*}"}
  printf '{"file": %s, "reference": %s, "bytes": %d, "digest": %s}' "$(json "$2")" "$(json_or_null "$name")" \
    "$(stat -L -c %s "$stage_path/$2")" "$(json_or_null "${digest#@}")"
}

# Each run of a job has its own: a requeued job keeps what its earlier runs wrote.
[[ ! -e $manifest ]] || set_aside "$manifest" earlier || fail "$manifest is another user's: remove it"
# How the job ends: exit code (null while it runs), cause in a fixed word and a sentence, what to do, and which server's.
code=null cause=running reason=running to_do='' blamed=0 ready_seconds='' in_flight_percent='' cause_lines=() advice=()
print_manifest() {
  local number use_case isl osl concurrency requests prompts seed repeat separator='' end=null rate='null, "request_rate": '
  [[ $code == null ]] || printf -v end '"%(%FT%T%z)T"' -1
  printf '{\n  "schema": 1'
  printf ',\n  "%s": %s' recipe "$(json "$recipe")" crate_version "$(json "${made_by#* }")" \
    job_id "$(json "$job_id")" restart "$restarts" node "$(json "$SLURM_JOB_NODELIST")" \
    resumes "[$(json "${runs[@]:1}")]" fingerprint "$(json "$fingerprint")" \
    gpus "$gpus" gpu_model "$(json_or_null "$gpu_model")" driver "$(json_or_null "$driver")" \
    replicas "$replicas" replica_use "$(json "$replica_use")" prefix_cache "$(json "$prefix_cache")" \
    images "{\"server\": $(json_image server "$server_image"), \"client\": $(json_image client "$client_image")}" \
    weights "$(json_or_null "${fetched[weights]}")" engine "$(json_or_null "${fetched[engine]-}")" \
    tokenizer "$(json "$tokenizer_path")" server_command "[$(json "${server_command[@]}")]" \
    server_environment "[$(json "${server_environment[@]}")]" client_command "[$(json "${client_command[@]}")]" \
    start "$(json "$started")" end "$end" ready_seconds "${ready_seconds:-null}" \
    in_flight_percent "${in_flight_percent:-null}" ${data_forms:+data_sets "[$(list_data)]"} \
    exit_code "$code" exit_cause "$(json "$cause")" exit_reason "$(json "$reason")" exit_replica "$blamed" \
    cause_lines "[$(json "${cause_lines[@]}")]" advice "[$(json "${advice[@]}")]" \
    ${search_goal+search "$search_goal"}
  hear
  ! declare -F only_probes >/dev/null || only_probes
  printf ',\n  "points": ['
  for number in "${!points[@]}"; do
    read -r use_case isl osl concurrency requests prompts seed repeat _ <<<"${points[number]/ data / null }"
    look_up "${folders[number]}" && concurrency=${concurrency/schedule/null} osl=${osl/data/null}
    # shellcheck disable=SC2086 # four numbers
    printf '%s\n    {"folder": %s, "use_case": %s, "input_sequence_length": %s, "output_sequence_length": %s, "concurrency": %s, "requests": %s, "prompts": %d, "seed": %d, "repeat": %d, "status": %s, "seconds": %s, "detail": %s, "warmup_requests": %s, "prefix_cache_queries": %s, "prefix_cache_hits": %s, "server": %s}' \
      "$separator" "$(json "${folders[number]}")" "$(json "$use_case")" "${isl%s*}" "${osl%s*}" "${concurrency/#rate/"$rate"}" "${requests/*-*/null}" "$prompts" "$seed" "$repeat" \
      "$(json "${REPLIES[0]}")" "${REPLIES[1]:-null}" "$(json "${REPLIES[2]}")" ${REPLIES[3]}
    separator=,
  done
  printf '\n  ]\n}\n'
}
write_manifest() { local text; text=$(print_manifest) && put "$manifest" "$text"; }
