server_step() {
  local entry filled environment=() command=() container=()
{%- if runtime.names_variables() %}
  local names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
{%- endif %}
  keep_secrets "${server_secrets[@]}"
  for entry in "${server_environment[@]}"; do
    fill "$entry"
    environment+=("$filled")
{%- if runtime.names_variables() %}
    names+=("${entry%%=*}")
{%- endif %}
  done
  for entry in "${server_command[@]}"; do
    fill "$entry"
    command+=("$filled")
  done
  set_container server "$server_image" "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}"
  # env, since a variable of the server may have the name of one of this script.
{%- if replicas == 1 && nodes == 1 && in_server.is_none() %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --output="$server_log" --input=none \
    --mpi="$mpi" "${gpu_options[@]}" "${container[@]}" "${command[@]}"
}
{%- else %}
{%- if replicas > 1 %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name="server.$replica" --output="$(log_of server)" --input=all \
    --mpi="$mpi" "${gpu_options[@]}" "${container[@]}" \
    bash -s -- "$((replica * gpus))" "$gpus" "${environment[@]}" "${command[@]}" < <(server_program)
{%- else if nodes > 1 %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --output="$server_log" --input=all --label \
    --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="$SLURM_JOB_NODELIST" --wait=5 \
    --mpi="$mpi" "${gpu_options[@]}" "${container[@]}" bash -s -- "${environment[@]}" "${command[@]}" < <(server_program)
{%- else %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --output="$server_log" --input=all \
    --mpi="$mpi" "${gpu_options[@]}" "${container[@]}" bash -s -- "${environment[@]}" "${command[@]}" < <(server_program)
{%- endif %}
}

{% include "launch/server_task.sh" %}
{%- endif %}
