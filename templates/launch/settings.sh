# shellcheck disable=SC2016,SC2064,SC2089,SC2090,SC2174,SC2317 # quotes are meant as they are; traps and steps call functions
{% include "lib/made_by.sh" %}
{%- include "lib/site_settings.sh" %}
{%- if let Some(lines) = in_server %}
# The hook in the server's container, before the server.
readonly lines_in_server={{ lines }}
{%- endif %}
{%- if let Some(lines) = in_client %}
# The hook in the client's container, before the server is waited for.
readonly lines_in_client={{ lines }}
{%- endif %}
readonly default_stage_path={{ stage_path }}
# The server: image; model folder (in STAGE_PATH, or its whole path), link to an engine in it; files but for weights' shards.
readonly server_image={{ server_image }}
readonly server_reference={{ server_reference }}
readonly model_folder={{ model_folder }}
readonly weights_target={{ weights }}
readonly engine_target={{ engine }}
readonly engine_link={{ engine_link }}
model_files={{ model_files }}
# Nodes of a server; servers side by side (split: a point is for one; together: each has a part of it); GPUs of a node.
readonly nodes={{ nodes }}
readonly replicas={{ replicas }}
readonly replica_use={{ replica_use }}
readonly parts={{ parts }}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((nodes * gpus_of_a_node / replicas))
readonly mpi={{ mpi }}
# Words in braces stand for facts of the run.
server_command={{ server_command }}
server_environment={{ server_environment }}
# Secrets that the server gets, and those that are taken from it.
readonly server_secrets={{ server_secrets }}
readonly secrets={{ secrets }}
# Where the (first) server answers; seconds until it must be ready, between signs of life during a point, and to end.
readonly port={{ port }}
readonly health_path={{ health_path }}
readonly served_model_name={{ served_model_name }}
readonly ready_timeout={{ ready_timeout }}
readonly probe_interval={{ probe_interval }}
readonly stop_timeout={{ stop_timeout }}
{%- if has_needs %}
# check_needs: whether there is what the server and the containers need beside images and model.
check_needs() {
  local name mount
  for name in "${server_secrets[@]}"; do
    [[ -n ${!name-} ]] || missing "the variable $name, which the server needs: export $name=..."
  done
  for mount in "${extra_mounts[@]}"; do
    [[ $mount != /* || -e ${mount%%:*} ]] || missing "${mount%%:*} on $HOSTNAME, which is to be mounted in the containers"
  done
}
{%- endif %}
# What its prefix cache may do: off and flush (emptied before each point) allow hits for 1 % of the prompts' tokens.
readonly prefix_cache={{ prefix_cache }}
# The client: image; tokenizer (a folder in it, or a name on Hugging Face; empty: the model's own); what measures a point.
readonly client_image={{ client_image }}
readonly client_reference={{ client_reference }}
readonly tokenizer={{ tokenizer }}
readonly tool_name={{ tool_name }}
readonly client_command={{ client_command }}
# What each of its requests says beside model and messages, here for four tokens; the server is asked in this way, too.
readonly request_fields={{ request_fields }}
{%- if let Some(program) = aiperf_gate %}
# What Python reads first in the client: it has AIPerf wait before it starts its load (see "The gate").
# shellcheck disable=SC2034 # client_program hands it on
readonly aiperf_gate={{ program }}
{%- endif %}
{%- if has_several %}
# The tasks of an array, or the turns of one job (0: none), and what they measure: variants of the server, or the one. What
# each adds to the server has its number in front, as what a task or turn measures has that of the task or turn.
readonly tasks={{ tasks }}
readonly turns={{ turns }}
readonly variants={{ variants }}
readonly additions={{ additions }}
{%- endif %}
{%- if let Some(default_tokenizer) = hub_tokenizer %}
# The tokenizer that the client's tool fetches from the Hugging Face hub in any case (empty: none).
readonly default_tokenizer={{ default_tokenizer }}
# use_hub: gives a client the hub's cache; in REPLIES, the variables that its step gets for it.
use_hub() {
  own_folder "$hub_cache" && export HF_HOME=$hub_cache
  client_mounts+=("$hub_cache:$hub_cache")
  REPLIES=(HF_HOME)
  [[ $tokenizer_path == /* ]] || REPLIES=(HF_TOKEN HF_HOME)
  # The hub is asked until the default tokenizer is there, to the last of its files that are loaded.
  [[ $tokenizer_path == /* && $(compgen -G "$hub_cache/hub/models--${default_tokenizer/\//--}/snapshots/*/special_tokens_map.json") ]] ||
    export HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0
}
{%- endif %}
# The sweep, in order: use case, input tokens, output tokens, load, requests, number and seed of prompts, repeat.
result_name={{ result_name }}
points={{ points }}
{%- if let Some(commands) = own_commands %}
# Commands in place of client_command, a word each behind the command's number. The rows of their points have two words
# more: the command, and for how many seconds requests are sent (0: until all are answered).
readonly own_commands={{ commands }}
# own_command NUMBER: in REPLIES, the words of this command.
own_command() {
  local row
  REPLIES=()
  for row in "${own_commands[@]}"; do
    [[ $row != "$1 "* ]] || REPLIES+=("${row#* }")
  done
{%- if data.is_some() %}
  # The client also says how many prompts of a data set the point has, and how many the points before it have.
  (($# == 1)) || take_prompts "$2" "$3"
{%- endif %}
}
{%- endif %}
{%- if let Some(data) = data %}
# Data sets: form, how many prompts are needed, file. What brings them into the form that the tool reads, a prompt a line under
# this key. Points take their prompts in turn: in place of a seed, their rows have how many the points before them have. Where
# a trace says when requests are sent, the load is "schedule", and @ with its number is what the trace has: requests, seconds.
readonly data_sets={{ data.sets }}
# shellcheck disable=SC2034 # client_program hands it on
readonly data_sets_key={{ data.key }}
# shellcheck disable=SC2034 # client_program hands it on
readonly data_sets_program={{ data.program }}
{%- endif %}
{%- if let Some(search) = search %}
# These are all that may be measured: a search takes what it needs of them, the last of each level with more requests where
# the first cannot tell. Its limits in ms and their percentile; its levels; all that the recipe says of it; what decides.
# shellcheck disable=SC2034 # client_program hands it on
readonly search_limits={{ search.limits }}
# shellcheck disable=SC2034 # client_program hands it on
readonly search_percentile={{ search.percentile }}
# shellcheck disable=SC2034 # client_program hands it on
readonly search_levels={{ search.levels }}
readonly search_goal={{ search.goal }}
# shellcheck disable=SC2034 # client_program hands it on
readonly search_program={{ search.program }}
{%- endif %}
{%- if let Some(jobs) = resume %}
# Jobs whose finished points count as finished here, with commas between them; RESUME_JOB_ID wins.
readonly default_resume_job_id={{ jobs }}
{%- endif %}
{%- if requeue_limit > 0 %}
# After so many restarts, the job does not requeue itself when its time is up.
readonly requeue_limit={{ requeue_limit }}
{%- endif %}
# For how many seconds before the time is up no point may be measured, and how many one may take; mounts of both containers.
readonly reserve={{ reserve }}
readonly point_timeout={{ point_timeout }}
readonly extra_mounts={{ extra_mounts }}
