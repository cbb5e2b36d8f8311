json() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}
# The same, for what may not be known.
json_or_null() { if [[ -n $1 ]]; then json "$1"; else printf null; fi; }
json_list() {
  local word separator=
  printf '['
  for word in "$@"; do
    printf '%s%s' "$separator" "$(json "$word")"
    separator=', '
  done
  printf ']'
}
json_image() {
  local digest=
  [[ $2 != *@* ]] || digest=${2##*@}
  printf '{"file": %s, "reference": %s, "bytes": %d, "digest": %s}' \
    "$(json "$1")" "$(json "$2")" "$(stat -L -c %s "$stage_path/$1")" "$(json_or_null "$digest")"
}

printf -v started '%(%FT%T%z)T' -1
driver='' gpu_model=''
# Without a driver, it says so where its answer would be.
! answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) ||
  IFS=, read -r gpu_model driver <<<"$answer"
readonly started driver=${driver# } gpu_model

# Each run of a job has its own: a requeued job keeps what its earlier runs wrote.
readonly manifest=$results/run_$job_id.json
[[ ! -e $manifest ]] || set_aside "$manifest" earlier
# How the job ends: exit code (null while it runs), cause in a fixed word and in a sentence, what people can do, the
# number of the server that it is about.
code=null cause=running reason=running to_do='' blamed=0 ready_seconds='' in_flight_percent='' cause_lines=() advice=()
print_manifest() {
  local point use_case isl osl concurrency requests prompts seed separator='' end=null
  [[ $code == null ]] || printf -v end '"%(%FT%T%z)T"' -1
  printf '{\n  "schema": 1,\n  "recipe": %s,\n  "crate_version": %s,\n' "$(json "$recipe")" "$(json "${made_by#* }")"
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "$restarts" "$(json "$SLURM_JOB_NODELIST")"
  printf '  "resumes": %s,\n' "$(json_list "${runs[@]:1}")"
  printf '  "gpus": %d,\n  "gpu_model": %s,\n  "driver": %s,\n' "$gpus" "$(json_or_null "$gpu_model")" "$(json_or_null "$driver")"
  printf '  "replicas": %d,\n  "replica_use": %s,\n' "$replicas" "$(json "$replica_use")"
  printf '  "images": {\n    "server": %s,\n    "client": %s\n  },\n' \
    "$(json_image "$server_image" "$server_reference")" "$(json_image "$client_image" "$client_reference")"
  printf '  "weights": %s,\n  "engine": %s,\n  "tokenizer": %s,\n' \
    "$(json "$weights_target")" "$(json_or_null "$engine_target")" "$(json "$tokenizer_path")"
  printf '  "server_command": %s,\n  "server_environment": %s,\n  "client_command": %s,\n' \
    "$(json_list "${server_command[@]}")" "$(json_list "${server_environment[@]}")" "$(json_list "${client_command[@]}")"
  printf '  "start": %s,\n  "end": %s,\n  "ready_seconds": %s,\n  "in_flight_percent": %s,\n' \
    "$(json "$started")" "$end" "${ready_seconds:-null}" "${in_flight_percent:-null}"
  printf '  "exit_code": %s,\n  "exit_cause": %s,\n  "exit_reason": %s,\n  "exit_replica": %d,\n' \
    "$code" "$(json "$cause")" "$(json "$reason")" "$blamed"
  printf '  "cause_lines": %s,\n  "advice": %s,\n  "points": [' "$(json_list "${cause_lines[@]}")" "$(json_list "${advice[@]}")"
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests prompts seed <<<"$point"
    look_up "$use_case" "$isl" "$osl" "$concurrency"
    printf '%s\n    {"folder": %s, "use_case": %s, "input_sequence_length": %d, "output_sequence_length": %d, "concurrency": %d, "requests": %d, "prompts": %d, "seed": %d, "status": %s, "seconds": %s, "detail": %s}' \
      "$separator" "$(json "${REPLIES[0]}")" "$(json "$use_case")" "$isl" "$osl" "$concurrency" "$requests" "$prompts" "$seed" \
      "$(json "${REPLIES[1]}")" "${REPLIES[2]:-null}" "$(json "${REPLIES[3]}")"
    separator=,
  done
  printf '\n  ]\n}\n'
}
# The same to its file, whole or not at all; bash's own words about a full disk would hide the sentence that says so.
write_manifest() {
  local text
  text=$(print_manifest)
  # A new file, not one to which somebody led a link.
  rm -f -- "$manifest.part" && (set -C && printf '%s\n' "$text" >"$manifest.part") 2>/dev/null && mv -T -- "$manifest.part" "$manifest"
}
