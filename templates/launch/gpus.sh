# Slurm says how many GPUs it gave, or which.
IFS=, read -r -a given <<<"${SLURM_JOB_GPUS-}"
gpus_here=${SLURM_GPUS_ON_NODE:-${#given[@]}} gpu_options=(--gres="gpu:$gpus_of_a_node")
if [[ -z ${SLURM_GPUS_ON_NODE-}${SLURM_JOB_GPUS-} ]]; then
  # No GPU is Slurm's to give: the servers take the first ones of the node.
  gpus_here=$gpus_of_a_node gpu_options=()
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1)))
  export CUDA_VISIBLE_DEVICES
  ! command -v nvidia-smi >/dev/null || gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
fi
((gpus_here >= gpus_of_a_node)) ||
  missing "GPUs on $HOSTNAME: $gpus_of_a_node are used, this job has $gpus_here: ask for them with" \
    "--gres=gpu:$gpus_of_a_node or --gpus-per-node=$gpus_of_a_node"
of_nodes=()
{%- if has_several %}
leader=''
# The batch script runs on the first node, and so does the server's first task, its leader.
if ((nodes > 1)); then
  # A step has a task on each; when one ends, so do the others.
  of_nodes=(--label --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="${SLURM_JOB_NODELIST-}" --wait=5)
  ((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
  leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
  leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }') || true
  [[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
fi
{%- endif %}
