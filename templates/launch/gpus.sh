# Slurm says how many GPUs it gave; where it manages none, the node is asked.
gpus_here=${SLURM_GPUS_ON_NODE-}
if [[ -z $gpus_here && -n ${SLURM_JOB_GPUS-} ]]; then
  IFS=, read -r -a given <<<"$SLURM_JOB_GPUS"
  gpus_here=${#given[@]}
fi
use="the server uses $gpus_of_a_node of a node"
((replicas == 1)) || use="$replicas servers use $gpus_of_a_node"
gpu_options=()
if [[ -n $gpus_here ]]; then
  ((gpus_here >= gpus_of_a_node)) || missing "GPUs: $use, Slurm gave this job $gpus_here"
  gpu_options=(--gres="gpu:$gpus_of_a_node")
else
  # No GPU is Slurm's to give: the server takes the first ones of the node.
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1)))
  export CUDA_VISIBLE_DEVICES
  if command -v nvidia-smi >/dev/null; then
    gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
    ((gpus_here >= gpus_of_a_node)) ||
      missing "GPUs: $use, this job sees $gpus_here: ask for them with --gres=gpu:$gpus_of_a_node or --gpus-per-node=$gpus_of_a_node"
  fi
fi

# The batch script runs on the first node, and so does the server's first task, its leader.
leader=
if ((nodes > 1)); then
  ((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
  leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
  leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }') || true
  [[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
fi
