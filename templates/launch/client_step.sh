client_step() {
  local mounts=("$results:$results") container=()
{%- if runtime.names_variables() %}
  local names=(PYTHONUNBUFFERED COLUMNS HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
{%- endif %}
  # The tool's tables are for a terminal: at once, and wide enough for numbers.
  export PYTHONUNBUFFERED=1 COLUMNS=120
  if [[ -z $tokenizer ]]; then
    mounts+=("$model_path:$model_path:ro")
  fi
{%- if tool.starts_without_hub() %}
  if [[ $tokenizer_path == /* ]]; then
    keep_secrets
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
  else
    keep_secrets HF_TOKEN
    export HF_HOME=$stage_path/hf_cache HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0
    mkdir -p "$HF_HOME"
    mounts+=("$HF_HOME:$HF_HOME")
{%- if runtime.names_variables() %}
    names+=(HF_TOKEN HF_HOME)
{%- endif %}
  fi
{%- else %}
  # This release does not start without hf-internal-testing/llama-tokenizer, which is
  # open to all, whatever tokenizer it is given. The hub is asked until it is there.
  export HF_HOME=$stage_path/hf_cache
  local offline=0 default_tokenizer=$HF_HOME/hub/models--hf-internal-testing--llama-tokenizer
  if [[ $tokenizer_path == /* ]]; then
    keep_secrets
    # The last of its files to be loaded.
    ! compgen -G "$default_tokenizer/snapshots/*/special_tokens_map.json" >/dev/null || offline=1
  else
    keep_secrets HF_TOKEN
{%- if runtime.names_variables() %}
    names+=(HF_TOKEN)
{%- endif %}
  fi
  export HF_HUB_OFFLINE=$offline TRANSFORMERS_OFFLINE=$offline
  mkdir -p "$HF_HOME"
  mounts+=("$HF_HOME:$HF_HOME")
{%- if runtime.names_variables() %}
  names+=(HF_HOME)
{%- endif %}
{%- endif %}
  set_container client "$client_image" "${mounts[@]}" "${extra_mounts[@]}"
  # --gres=none: the GPUs are the server's.
{%- if replicas > 1 %}
  exec "${step[@]}" --job-name="client.$replica" --output="$(log_of benchmarking)" \
    --mpi=none --gres=none "${container[@]}" bash -s < <(client_script)
{%- else %}
  exec "${step[@]}" --job-name=client --output="$client_log" \
    --mpi=none --gres=none "${container[@]}" bash -s < <(client_script)
{%- endif %}
}

# The client's program, which its step reads on standard input: the values it
# needs, quoted by bash itself, and then its text, in which nothing is expanded.
client_script() {
  # shellcheck disable=SC2090 # they are handed over as they are
  declare -p results run job_id runs result_name gpus port health_path served_model_name ready_timeout server_started \
    probe_interval tokenizer_path point_timeout client_options request_fields points measure_until
{%- if in_client.is_some() %}
  # shellcheck disable=SC2090
  declare -p lines_in_client
{%- endif %}
{%- if replicas > 1 %}
  declare -p replica replicas
{%- endif %}
  declare -f say set_aside keep_aside point_folder
  cat <<'CLIENT'
{% include "launch/client.sh" %}
CLIENT
}
