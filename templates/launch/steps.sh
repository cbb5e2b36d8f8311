# They share a node and its memory; nothing is left to the site's defaults.
readonly step=(
  srun --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --export=ALL --kill-on-bad-exit=1 --wait=0
  --open-mode=append
)
readonly secrets=(NGC_API_KEY NGC_CLI_API_KEY HF_TOKEN HUGGING_FACE_HUB_TOKEN "${server_secrets[@]}")

# Takes all secrets from the environment but those named.
keep_secrets() {
  local name
  for name in "${secrets[@]}"; do
    [[ " $* " == *" $name "* ]] || unset "$name"
  done
}

# Puts this run's facts into $1; the answer is in $filled.
fill() {
  filled=${1//'{model_path}'/"$model_path"}
{%- if replicas > 1 %}
  filled=${filled//'{replica}'/"$replica"}
  filled=${filled//'{gpus}'/"$gpus"}
  filled=${filled//'{port}'/"$((port + replica))"}
{%- else %}
  filled=${filled//'{gpus}'/"$gpus_of_a_node"}
  filled=${filled//'{port}'/"$port"}
{%- endif %}
  filled=${filled//'{total_gpus}'/"$gpus"}
  filled=${filled//'{nodes}'/"$nodes"}
{%- if nodes > 1 %}
  filled=${filled//'{leader_address}'/"$leader"}
{%- endif %}
  filled=${filled//'{served_model_name}'/"$served_model_name"}
  filled=${filled//'{cache_path}'/"$cache_path"}
  filled=${filled//'{stage_path}'/"$stage_path"}
}
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/container.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/container.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/container.sh" %}
{%- endmatch %}
{%- if replicas > 1 %}

# log_of STEP: the log of this step of the replica whose number is in $replica; the first
# one's has the name that the only one's would have.
log_of() {
  local number=.$replica
  printf '%s/%s_%s%s.out' "$logs" "$1" "$job_id" "${number#.0}"
}
{%- endif %}

{% include "launch/server_step.sh" %}

{% include "launch/client_step.sh" %}
