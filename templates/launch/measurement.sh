readonly manifest=$results/run_$job_id.json
driver='' gpu_model=''
# Without a driver, it says so where its answer would be.
! answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) ||
  IFS=, read -r gpu_model driver <<<"$answer"
readonly driver=${driver# } gpu_model

# sum_of FILE...: a checksum of their lengths, beginnings and ends: to read all of a model would take minutes.
sum_of() {
  local file
  for file in "$@"; do
    stat -L -c %s -- "$file" && head -c 65536 -- "$file" && tail -c 65536 -- "$file"
  done | sha256sum | cut -c -16
}
mapfile -t REPLIES < <({ printf '%s\n' "${weights_files[@]}" "${engine_parts[@]/#/$engine_link/}" && shards_of "$model_path"; } | LC_ALL=C sort -u | grep .)
# What defines a measurement, beside its point: it stands in each point's folder, in measurement.txt, and a point of an
# earlier job counts only if it is the same.
definition=$(
  printf '%s=%s\n' server_image "${fetched[server]:-unknown} $(sum_of "$stage_path/$server_image")" \
    client_image "${fetched[client]:-unknown} $(sum_of "$stage_path/$client_image")" \
    model "${fetched[weights]:-unknown} ${fetched[engine]-} $(sum_of "${REPLIES[@]/#/"$model_path"/}")" \
    tokenizer "$tokenizer" gpu_model "$gpu_model" gpus "$gpus" nodes "$nodes" replicas "$replicas $replica_use" \
    prefix_cache "$prefix_cache"
  printf 'server_command=%q\n' "${server_command[@]}"
  printf 'server_environment=%q\n' "${server_environment[@]}"
  printf 'client_command=%q\n' "${client_command[@]}"
  printf 'mount=%q\n' "${extra_mounts[@]}"
  printf 'own_lines=%q\n' "${lines_in_server-}" "${lines_in_client-}"
)
fingerprint=$(sha256sum <<<"$definition")
readonly definition fingerprint=${fingerprint%% *}
# measurement_of USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS PROMPTS SEED: in REPLY, all that defines it.
measurement_of() { printf -v REPLY 'requests=%s\nprompts=%s\nseed=%s\n%s\nfingerprint=%s' "$5" "$6" "$7" "$definition" "$fingerprint"; }

# By a point's folder, in what it is another measurement; "same" where it is not.
declare -A differs=()
# counts FOLDER USE_CASE...: true when it is a result of the same measurement. An empty folder is none.
counts() {
  local here there LC_ALL=C
  [[ -d $1 ]] || return 1
  if [[ -z ${differs[$1]-} ]]; then
    measurement_of "${@:2}"
    here=$REPLY there=$(text_of "$1/measurement.txt")
    differs[$1]="nothing in it says what was measured: it is empty, or of an older version"
    if [[ $there == "$here" ]]; then
      differs[$1]=same
    elif [[ -n $there ]]; then
      REPLY=$(echo there: && grep -avxFe "$here" <<<"${there%$'\n'*}"; echo here: && grep -avxFe "$there" <<<"${here%$'\n'*}") || true
      differs[$1]=${REPLY//[^ -~]/ }
    fi
  fi
  [[ ${differs[$1]} == same ]]
}
