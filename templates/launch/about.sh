{%- if alike %}
# Starts several inference servers side by side on one node, each with GPUs, a port and
# a benchmark client of its own, waits until they answer, and measures every point of
# the sweep on all of them at the same time.
{%- else if replicas > 1 %}
# Starts several inference servers side by side on one node, each with GPUs, a port and
# a benchmark client of its own, waits until they answer, and measures every point of
# the sweep on one of them, whichever is free.
{%- else if nodes == 1 %}
# Starts the inference server and the benchmark client side by side on one node,
# waits until the server answers, and measures every point of the sweep.
{%- else %}
# Starts one inference server over several nodes and the benchmark client beside its
# leader, waits until the leader answers, and measures every point of the sweep.
{%- endif %}
{%- if !variants.is_empty() %}
# A job array: each task does so for a variant of the server.
{%- else if tasks > 0 %}
# A job array: each task does so for a part of the sweep.
{%- endif %}
#
# Exit code: 0 all points are measured and valid; 2 something needed is missing;
# 3 the server ended or stopped answering; 4 the server was not ready in time;
# 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.
