{% include "launch/about.sh" %}

# ---- Settings ---------------------------------------------------------------

{% include "launch/settings.sh" %}

# ---- Common ground ----------------------------------------------------------

{% include "lib/base.sh" %}

{% include "lib/stage_path.sh" %}

{% include "lib/slurm_environment.sh" %}
{%- include "lib/image.sh" %}

{% include "lib/indexed_shards.sh" %}

say "$made_by, recipe $recipe"
{%- include "lib/site.sh" %}

# ---- Checks: before any GPU is used -------------------------------------------

{% include "launch/job_and_paths.sh" %}
{%- if tasks > 0 %}

{% include "launch/task.sh" %}
{%- endif %}
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/check.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/check.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/check.sh" %}
{%- endmatch %}
{% include "launch/image_and_model.sh" %}

{% include "launch/gpus.sh" %}
{%- if nodes > 1 %}

{% include "launch/leader.sh" %}
{%- endif %}
{%- if tasks > 0 %}

{% include "launch/runs_of.sh" %}
{%- endif %}

{% include "launch/resume.sh" %}

{% include "launch/port.sh" %}
stop_if_missing

mkdir -p "$logs" "$results" "$cache_path" || fail "cannot make the folders logs, results and nim_cache in $stage_path"

{% include "launch/hold_port.sh" %}
stop_if_missing

{% include "launch/unfinished.sh" %}

# ---- The manifest: what ran, where, and how it ended ----------------------------

{% include "launch/points.sh" %}

{% include "launch/manifest.sh" %}

# ---- Two steps, server and client ---------------------------------------------

{% include "launch/steps.sh" %}

{% include "launch/stop_steps.sh" %}

{% include "launch/show_cause.sh" %}

# ---- The run ----------------------------------------------------------------------

{% include "launch/signals.sh" %}
{%- if tasks > 0 %}

{% include "launch/nothing_to_do.sh" %}
{%- endif %}

write_manifest null running || fail "cannot write $manifest"
server_started=$(printf '%(%s)T' -1)
readonly server_started
count_lines before
{%- if replicas > 1 %}
{% include "launch/replicas.sh" %}
{%- else %}
{% include "launch/one_server.sh" %}
{%- endif %}

# ---- The end ------------------------------------------------------------------------

{% include "launch/outcome.sh" %}

{% include "launch/stop_and_count.sh" %}

{% include "launch/last_words.sh" %}
