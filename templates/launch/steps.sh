# They share a node, its processors and its memory; nothing is left to the site's defaults.
readonly step=(srun --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --cpu-bind=none --export=ALL
  --kill-on-bad-exit=1 --wait=0 --open-mode=append)
# The steps inherit it. A request in flight takes about three files, and where they are too few, GenAI-Perf hangs.
[[ ! $(ulimit -Sn) =~ ^[0-9]{1,5}$ ]] || ulimit -Sn 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
# Servers ask themselves whether they are ready: SGLang 0.4 at 0.0.0.0.
{% include "lib/no_proxy.sh" %}
{% include "lib/secret_names.sh" %}
# keep_secrets NAME...: takes all secrets but these from the environment, addresses with a password, and what modules load.
keep_secrets() {
  local name
  unset LD_PRELOAD PYTHONHOME PYTHONPATH
  for name in $(compgen -e); do
    [[ " $* " == *" $name "* ]] || ! { is_secret "$name" || [[ " ${secrets[*]} ${server_secrets[*]} " == *" $name "* ||
      ${!name} == *://*@* || ${name^^} == *_PROXY && ${!name} == *@* ]]; } || unset "$name"
  done
}
# fill WORD...: in REPLIES, the words with $facts in place of their names in braces. The client uses it, too.
fill() {
  local name && REPLIES=("$@")
  for name in "${!facts[@]}"; do
    REPLIES=("${REPLIES[@]//"{$name}"/"${facts[$name]}"}")
  done
}
# log_of STEP NUMBER: the log of a server or a client; the first one's has no number.
log_of() { (($2 == 0)) && echo "$logs/$1_$job_id.out" || echo "$logs/$1_$job_id.$2.out"; }

# server_step NUMBER, client_step NUMBER: becomes the step of this server, or of its client, in a process of its own.
server_step() {
  local replica=$1 own_gpus=$((gpus_of_a_node / replicas)) words names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
  facts+=([model_path]=$model_path [cache_path]=$cache_path [stage_path]=$stage_path [served_model_name]=$served_model_name
    [gpus]=$own_gpus [total_gpus]=$gpus [nodes]=$nodes [replica]=$replica [port]=$((port + replica)))
  fill "${server_environment[@]}" "${server_command[@]}"
  words=("${REPLIES[@]}")
  keep_secrets "${server_secrets[@]}"
  set_container server "$server_image" "${names[*]}" "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}"
  # The server's variables are set in its container: out here, srun and the container's runtime would read them, too.
  exec "${step[@]}" --job-name="server.$replica" --output="$(log_of server "$replica")" --input=all --mpi="$mpi" \
    "${gpu_options[@]}" "${of_nodes[@]}" "${REPLIES[@]}" \
    bash -s -- "$nodes" "$replicas" "$replica" "$own_gpus" "${words[@]}" < <(printf '%s\n' '{' "${server_lines[@]}" '}')
}
# A server's task, with the words NODES SERVERS NUMBER COUNT (its GPUs of each node) NAME=VALUE... COMMAND...
server_lines=('exec env "${@:5}" </dev/null')
{%- if in_server.is_some() %}
server_hook() {
  local IFS=$' \t\n'
  set -o pipefail
  # shellcheck disable=SC1090 # the settings' hook
  source <(printf '%s\n' "$lines_in_server") || {
    echo "error: the hook in the server's container failed with $?" >&2
    exit 1
  }
}
server_lines=("$(declare -p lines_in_server && declare -f server_hook)" 'server_hook "$@"' "${server_lines[@]}")
{%- endif %}
{%- if gpu_samples %}

gpu_samples() {
  local words=("$results/telemetry_$job_id.$1" "$replicas" "$1" "$((gpus_of_a_node / replicas))")
  keep_secrets
  ((nodes == 1)) || samples_of_nodes "${words[@]}"
  sample_gpus "${words[@]}"
}
# sample_gpus FILE SERVERS NUMBER COUNT: each second a row for each GPU of server NUMBER, in UTC; of 256 MiB at most.
sample_gpus() {
  local ids query=timestamp,uuid,power.draw,utilization.gpu,memory.used,clocks.sm,clocks_event_reasons.active IFS=,
  read -r -a ids <<<"${CUDA_VISIBLE_DEVICES-}"
  ((${#ids[@]} != $2 * $4)) || ids=("${ids[@]:$3*$4:$4}")
  exec >>"$1.${SLURM_NODEID:-0}.csv" 2>/dev/null
  ulimit -f 262144 || true
  nvidia-smi --query-gpu="$query" --format=csv >/dev/null || query=${query/event/throttle}
  printf '\n#%s,%(%s)T\n' "$SLURMD_NODENAME" -1
  TZ=UTC0 exec nvidia-smi --query-gpu="$query" ${ids[0]+--id="${ids[*]}"} --format=csv,nounits --loop=1
}
{%- endif %}

client_step() {
  local replica=$1 names=(PYTHONUNBUFFERED COLUMNS HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
  # The tool's tables are for a terminal: at once, and wide enough for numbers.
  export PYTHONUNBUFFERED=1 COLUMNS=120 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
  [[ -n $tokenizer ]] || client_mounts+=("$model_path:$model_path:ro")
  REPLIES=()
  ! declare -F use_hub >/dev/null || use_hub
  names+=("${REPLIES[@]}")
  keep_secrets "${REPLIES[@]}"
  set_container client "$client_image" "${names[*]}" "$run:$run" "${client_mounts[@]}" "${extra_mounts[@]}"
  # --gres=none: the GPUs are the server's.
  exec "${step[@]}" --job-name="client.$replica" --output="$(log_of benchmarking "$replica")" --mpi=none --gres=none \
    "${REPLIES[@]}" bash -s < <(client_program "$replica")
}
# client_program NUMBER: the client's program, which its step reads on standard input: first the values that it needs.
client_program() {
  local replica=$1 part
  declare -p results run job_id folders are_finished replica replicas parts port health_path served_model_name \
    ready_timeout server_started probe_interval tokenizer_path point_timeout tool_name client_command request_fields points \
    reserve prefix_cache "${!lines_in_client@}" "${!aiperf_gate@}" "${!own_commands@}" \
    "${!search_@}" "${!data_sets@}"
  declare -f say fill own_command || true
  cat <<'CLIENT'
{% include "launch/client.sh" %}
CLIENT
  for part in "${client_parts[@]}"; do "$part"; done
  # Bash reads this program from its standard input, and nothing that it starts may read on.
  printf '%s\n' 'main </dev/null' exit
}
{%- if prefix_cache == "flush" %}
flush_in_client() {
  cat <<'CLIENT'

{% include "launch/flush_in_client.sh" %}
CLIENT
}
client_parts+=(flush_in_client)
{%- endif %}
{%- if in_client.is_some() %}
hook_in_client() {
  cat <<'CLIENT'

{% include "launch/lines_in_client.sh" %}
CLIENT
}
client_parts+=(hook_in_client)
{%- endif %}
