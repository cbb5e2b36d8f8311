now() { printf '%(%FT%T%z)T' -1; }
json() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}
# The same, for what may not be known.
json_or_null() {
  if [[ -n $1 ]]; then json "$1"; else printf null; fi
}
json_list() {
  local word separator=
  for word in "$@"; do
    printf '%s%s' "$separator" "$(json "$word")"
    separator=', '
  done
}
json_image() {
  local digest=
  [[ $2 != *@* ]] || digest=${2##*@}
  printf '{"file": %s, "reference": %s, "bytes": %d, "digest": %s}' \
    "$(json "$1")" "$(json "$2")" "$(stat -L -c %s "$stage_path/$1")" "$(json_or_null "$digest")"
}

started=$(now)
driver='' gpu_model=''
# Without a driver, it says so where its answer would be.
if answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null); then
  IFS=, read -r gpu_model driver <<<"$answer"
fi
readonly started driver=${driver# } gpu_model

# Each run of a job has its own: a requeued job keeps what its earlier runs wrote.
readonly manifest=$results/run_$job_id.json
if [[ -e $manifest ]]; then
  set_aside "$manifest" earlier
fi
# CODE REASON; CODE is null while the job runs.
print_manifest() {
  local point use_case isl osl concurrency requests folder status seconds detail separator='' end=null
  [[ $1 == null ]] || end=$(json "$(now)")
  printf '{\n  "schema": 1,\n  "recipe": %s,\n  "crate_version": %s,\n' "$(json "$recipe")" "$(json "${made_by#* }")"
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "$restarts" "$(json "$SLURM_JOB_NODELIST")"
  printf '  "resumes": [%s],\n' "$(json_list "${runs[@]:1}")"
  printf '  "gpus": %d,\n  "gpu_model": %s,\n  "driver": %s,\n' "$gpus" "$(json_or_null "$gpu_model")" "$(json_or_null "$driver")"
{%- if alike %}
  printf '  "replicas": %d,\n  "replica_use": "together",\n' "$replicas"
{%- else if replicas > 1 %}
  printf '  "replicas": %d,\n  "replica_use": "split",\n' "$replicas"
{%- endif %}
  printf '  "images": {\n    "server": %s,\n    "client": %s\n  },\n' \
    "$(json_image "$server_image" "$server_reference")" "$(json_image "$client_image" "$client_reference")"
  printf '  "weights": %s,\n  "engine": %s,\n  "tokenizer": %s,\n' \
{%- if engine.is_some() %}
    "$(json "$weights_target")" "$(json "$engine_target")" "$(json "$tokenizer_path")"
{%- else %}
    "$(json "$weights_target")" null "$(json "$tokenizer_path")"
{%- endif %}
  printf '  "server_command": [%s],\n  "server_environment": [%s],\n  "client_options": [%s],\n' \
    "$(json_list "${server_command[@]}")" "$(json_list "${server_environment[@]}")" "$(json_list "${client_options[@]}")"
  printf '  "start": %s,\n  "end": %s,\n  "exit_code": %s,\n  "exit_reason": %s,\n  "points": [' \
    "$(json "$started")" "$end" "$1" "$(json "$2")"
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests <<<"$point"
    look_up "$use_case" "$isl" "$osl" "$concurrency"
    printf '%s\n    {"folder": %s, "use_case": %s, "input_sequence_length": %d, "output_sequence_length": %d, "concurrency": %d, "requests": %d, "status": %s, "seconds": %s, "detail": %s}' \
      "$separator" "$(json "$folder")" "$(json "$use_case")" "$isl" "$osl" "$concurrency" "$requests" \
      "$(json "$status")" "${seconds:-null}" "$(json "$detail")"
    separator=,
  done
  printf '\n  ]\n}\n'
}
# The same to its file, whole or not at all; bash's own words about a full disk
# would hide the sentence that says so.
write_manifest() {
  local text
  text=$(print_manifest "$@")
  printf '%s\n' "$text" 2>/dev/null >"$manifest.part" && mv -T -- "$manifest.part" "$manifest"
}
