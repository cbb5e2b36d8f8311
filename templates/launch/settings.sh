{% include "lib/made_by.sh" %}
{%- include "lib/site_settings.sh" %}
{%- if let Some(lines) = in_server %}
# Own lines in the server's container, before the server.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_in_server={{ lines }}
{%- endif %}
{%- if let Some(lines) = in_client %}
# Own lines in the client's container, before the server is waited for.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_in_client={{ lines }}
{%- endif %}
# Used when STAGE_PATH is not set.
readonly default_stage_path={{ stage_path }}
{%- if model_is_staged %}

# The server: image, model folder below STAGE_PATH, nodes, GPUs, command, environment.
{%- else %}

# The server: image, model folder, nodes, GPUs, command, environment.
{%- endif %}
# Words in braces, as in {model_path}, stand for facts of the run.
readonly server_image={{ server_image }}
readonly server_reference={{ server_reference }}
readonly model_folder={{ model_folder }}
readonly weights_target={{ weights }}
{%- match engine %}
{%- when Some(target) %}
readonly engine_link={{ engine_link }}
readonly engine_target={{ target }}
{%- when None %}
readonly weights_files=(
{%- for file in weights_files %}
  {{ file }}
{%- endfor %}
)
{%- endmatch %}
readonly nodes={{ nodes }}
{%- if replicas > 1 %}
# Servers side by side, the GPUs that they use, and those of each.
readonly replicas={{ replicas }}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((gpus_of_a_node / replicas))
{%- else %}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((nodes * gpus_of_a_node))
{%- endif %}
readonly mpi={{ mpi }}
# shellcheck disable=SC2016 # nothing in these words is expanded
{%- if !variants.is_empty() %}
server_command=(
{%- else %}
readonly server_command=(
{%- endif %}
{%- for word in server_command %}
  {{ word }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
{%- if !variants.is_empty() %}
server_environment=(
{%- else %}
readonly server_environment=(
{%- endif %}
{%- for variable in server_environment %}
  {{ variable }}
{%- endfor %}
)
{%- if !variants.is_empty() %}
# Variants of the server, one for each task of the array, and what they add to the
# command and the environment, the task's number first.
readonly variants=(
{%- for name in variants %}
  {{ name }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly variant_command=(
{%- for word in variant_command %}
  {{ word }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly variant_environment=(
{%- for variable in variant_environment %}
  {{ variable }}
{%- endfor %}
)
{%- endif %}
# Names of secrets that the server gets; all others are taken from it.
readonly server_secrets=(
{%- for name in server_secrets %}
  {{ name }}
{%- endfor %}
)
{%- if replicas > 1 %}

# Where the first server answers (the others have the ports that follow), and how long
# each may take, in seconds.
{%- else %}

# Where the server answers, and how long it may take, in seconds.
{%- endif %}
readonly port={{ port }}
readonly health_path={{ health_path }}
readonly served_model_name={{ served_model_name }}
readonly ready_timeout={{ ready_timeout }}
# During a point the server is asked for a sign of life this often.
readonly probe_interval={{ probe_interval }}
readonly stop_timeout={{ stop_timeout }}

# The client: image, tokenizer (a folder in the container, or a Hugging Face
# name; empty: the model's own), seconds for one point, options of the tool that
# measures.
readonly client_image={{ client_image }}
readonly client_reference={{ client_reference }}
# shellcheck disable=SC2016 # nothing in it is expanded
readonly tokenizer={{ tokenizer }}
readonly point_timeout={{ point_timeout }}
readonly client_options=(
{%- for word in client_options %}
  {{ word }}
{%- endfor %}
)
# What each of the tool's requests says beside model and messages, here for four tokens:
# the server is asked as it will be measured.
# shellcheck disable=SC2089 # JSON
readonly request_fields={{ request_fields }}
{%- if !variants.is_empty() %}

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
# Each task measures all of it, and its variant's name is added to that of the results.
result_name={{ result_name }}
readonly points=(
{%- else if tasks > 0 %}

# The sweep, in order: task of the array, use case, input tokens, output tokens,
# concurrency, requests.
readonly tasks={{ tasks }}
readonly result_name={{ result_name }}
readonly sweep=(
{%- else %}

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
readonly result_name={{ result_name }}
readonly points=(
{%- endif %}
{%- for point in points %}
  {{ point }}
{%- endfor %}
)

# Jobs whose finished points count as finished here, with commas between them;
# RESUME_JOB_ID wins.
readonly default_resume_job_id={{ resume }}
# How often the job may put itself into the queue again when its time is up.
readonly requeue_limit={{ requeue_limit }}
# Seconds before the time limit in which no point may still be measured.
readonly reserve={{ reserve }}

# Mounts added to both containers.
readonly extra_mounts=(
{%- for mount in extra_mounts %}
  {{ mount }}
{%- endfor %}
)
