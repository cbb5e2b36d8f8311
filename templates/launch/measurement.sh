# Without a driver, it says so where its answer would be.
answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) || answer=
IFS=, read -r gpu_model driver <<<"$answer"
printf -v started '%(%FT%T%z)T' -1
readonly driver=${driver# } gpu_model started manifest=$results/run_$job_id.json

# sum_of FILE...: a checksum of their lengths, beginnings and ends: to read all of a model would take minutes.
sum_of() { { stat -L -c %s -- "$@" && head -qc 65536 -- "$@" && tail -qc 65536 -- "$@"; } | sha256sum | cut -c -16; }
sums=$(cd "$stage_path" && sum_of "$server_image" && sum_of "$client_image" && cd "$model_path" && sum_of "${model_files[@]}") ||
  fail "cannot read the images, or the model in $model_path"
read -r server_sum client_sum model_sum <<<"${sums//$'\n'/ }"
# What defines a measurement beside its point: a point counts only where its measurement.txt says the same.
definition=$(
  printf '%s=%s\n' server_image "${fetched[server]:-unknown} $server_sum" \
    client_image "${fetched[client]:-unknown} $client_sum" \
    model "${fetched[weights]:-unknown} ${fetched[engine]-} $model_sum" \
    tokenizer "$tokenizer" gpu_model "$gpu_model" gpus "$gpus" nodes "$nodes" replicas "$replicas $replica_use" \
    cpus "${SLURM_JOB_CPUS_PER_NODE-}" prefix_cache "$prefix_cache" ${data_forms:+data "$data_forms"}
  printf 'server_command=%q\n' "${server_command[@]}"
  printf 'server_environment=%q\n' "${server_environment[@]}"
  printf 'client_command=%q\n' "${client_command[@]}"
  printf 'of_the_site=%q\n' "${lines_in_server-}" "${lines_in_client-}" "${extra_mounts[@]}"
)
fingerprint=$(sha256sum <<<"$definition")
readonly definition fingerprint=${fingerprint%% *}
# measurement_of POINT: in REPLY, all that defines it. Which of a data set's prompts it has matters to a cache alone.
measurement_of() {
  local requests prompts seed number words=''
  read -r _ _ _ _ requests prompts seed _ number _ <<<"$1"
  [[ -z $number ]] || { own_command "$number" && printf -v words 'own_command=%q\n' "${REPLIES[@]}"; }
  [[ $words != *'{data\}'* || $prefix_cache == on ]] || seed=any
  printf -v REPLY '%s\n%s\n%s\n%s\n%s' "requests=$requests" "prompts=$prompts" "seed=$seed" "$definition" "${words}fingerprint=$fingerprint"
}

# By the folder of a point that does not count, in what it is another measurement.
declare -A differs=()
# counts FOLDER POINT: true when it is a result of the same measurement. An empty folder is none.
counts() {
  local here there LC_ALL=C
  [[ -d $1 && ! -L $1 ]] || return 1
  measurement_of "$2"
  # But for the last line, the fingerprint; and GPUs of which nvidia-smi said nothing are not other ones.
  here=${REPLY%$'\n'*} here=${here:0:65536} there=$(text_of "$1/measurement.txt" | head -n -1 | head -c 65536)
  [[ $here$'\n'$there != *$'\n'gpu_model=$'\n'* ]] ||
    here=$(sed '/^gpu_model=/d' <<<"$here") there=$(sed '/^gpu_model=/d' <<<"$there")
  [[ $there != "$here" ]] || return 0
  REPLY="there: $(grep -avxFe "$here" <<<"$there") here: $(grep -avxFe "$there" <<<"$here")"
  [[ -n $there ]] || REPLY="nothing in it says what was measured: it is empty, or of an older version"
  REPLY=${REPLY:0:2000}
  differs[$1]=${REPLY//[^ -~]/ } && return 1
}
