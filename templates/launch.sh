# Starts inference servers, each on its GPUs and with a benchmark client beside it, waits until they answer, and measures
# every point of the sweep. It writes below the stage path: logs, results, and the caches nim_cache and hf_cache.
# Exit code: 0 all points are measured and valid; 2 something needed is missing; 3 the server ended or stopped answering;
# 4 the server was not ready in time; 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.

# ---- Settings ---------------------------------------------------------------
{% include "launch/settings.sh" %}

# ---- Common ground ----------------------------------------------------------
{% include "lib/base.sh" %}

{% include "lib/stage_path.sh" %}

{% include "lib/slurm_environment.sh" %}
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/image.sh" %}

{% include "lib/pyxis/container.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/image.sh" %}

{% include "lib/apptainer/container.sh" %}
{%- when Runtime::Podman %}

{% include "lib/job_has_ended.sh" %}

{% include "lib/podman/image.sh" %}

{% include "lib/podman/container.sh" %}
{%- endmatch %}

{% include "lib/model_files.sh" %}

{% include "lib/fetched.sh" %}
{%- if has_several %}

{% include "launch/turns.sh" %}
{%- endif %}

say "$made_by, recipe $recipe"
{%- include "lib/site.sh" %}

# ---- Checks: before any GPU is used -------------------------------------------
{% include "launch/job_and_paths.sh" %}
{%- if has_several %}

{% include "launch/task.sh" %}

{% include "launch/several.sh" %}
{%- endif %}

{% include "launch/image_and_model.sh" %}

{% include "launch/fetched.sh" %}

{% include "launch/gpus.sh" %}

{% include "launch/resume.sh" %}

{% include "launch/port.sh" %}
{%- if data.is_some() %}

{% include "launch/data.sh" %}
{%- endif %}

{% include "launch/measurement.sh" %}

{% include "launch/points.sh" %}

{% include "launch/unfinished.sh" %}

# ---- The manifest: what ran, where, and how it ended ----------------------------
{% include "launch/manifest.sh" %}
{%- if search.is_some() %}

{% include "launch/search.sh" %}
{% include "launch/search_parts.sh" %}
{%- endif %}

# ---- The steps: a server's and its client's ---------------------------------------
{% include "launch/steps.sh" %}

{% include "launch/stop_steps.sh" %}
{% include "lib/preempted.sh" %}
{%- if has_several %}

{% include "launch/several_steps.sh" %}
{%- endif %}

{% include "launch/show_cause.sh" %}

# ---- The run ----------------------------------------------------------------------
{% include "launch/run.sh" %}

# ---- The end ------------------------------------------------------------------------
{% include "launch/outcome.sh" %}

{% include "launch/stop_and_count.sh" %}

{% include "launch/last_words.sh" %}
