# The program of the server's task, which its step hands to it on standard input, and the
# server's variables and command as words.
server_program() {
{%- if in_server.is_some() %}
  # shellcheck disable=SC2090 # it is handed over as it is
  declare -p lines_in_server
{%- endif %}
  declare -f server_task
  # shellcheck disable=SC2016 # the task expands it
  echo 'server_task "$@"'
}
{%- if nodes > 1 %}
# There is a task on each node; when one ends, so do the others. What only a node knows is
# put in there.
{%- else if replicas > 1 %}
# Slurm gives steps that overlap the same GPUs, so each step has those of all servers, and
# its task takes so many of its own, from the first that the first words say.
{%- endif %}
# shellcheck disable=SC2317 # the task calls it
server_task() {
{%- if replicas > 1 %}
  local first=$1 count=$2 gpus
  shift 2
  IFS=, read -r -a gpus <<<"${CUDA_VISIBLE_DEVICES-}"
  gpus=("${gpus[@]:first:count}")
  if ((${#gpus[@]} < count)); then
    echo "the step has the GPUs ${CUDA_VISIBLE_DEVICES-} (CUDA_VISIBLE_DEVICES), too few for $count from place $first on" >&2
    exit 1
  fi
  CUDA_VISIBLE_DEVICES=$(IFS=, && echo "${gpus[*]}")
  export CUDA_VISIBLE_DEVICES
{%- endif %}
{%- if nodes > 1 %}
  local word words=() is_leader=$((SLURM_NODEID == 0))
  for word in "$@"; do
    word=${word//'{node_rank}'/"$SLURM_NODEID"}
    words+=("${word//'{is_leader}'/"$is_leader"}")
  done
{%- else %}
  local words=("$@")
{%- endif %}
{%- if in_server.is_some() %}
  set -uo pipefail
  # shellcheck disable=SC1090 # the settings' own lines
  source <(printf '%s\n' "$lines_in_server") || {
    echo "error: the own lines in the server's container failed with $?" >&2
    exit 1
  }
{%- endif %}
  exec env -- "${words[@]}" </dev/null
}
