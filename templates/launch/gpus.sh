[[ ${SLURM_JOB_NUM_NODES-$nodes} == "$nodes" ]] || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
IFS=, read -r -a given <<<"${SLURM_JOB_GPUS-}"
gpus_here=${SLURM_GPUS_ON_NODE:-${#given[@]}} gpu_options=(--gres="gpu:$gpus_of_a_node")
# A share of a GPU (shard, mps) is all that a step can have.
[[ -z ${SLURM_SHARDS_ON_NODE-}${CUDA_MPS_ACTIVE_THREAD_PERCENTAGE-} ]] || gpu_options=()
if [[ -z ${SLURM_GPUS_ON_NODE-}${SLURM_JOB_GPUS-} ]]; then
  # No GPU is Slurm's to give: the servers take the first ones of the node.
  gpus_here=$gpus_of_a_node gpu_options=()
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1))) && export CUDA_VISIBLE_DEVICES
  ! command -v nvidia-smi >/dev/null || gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
fi
((gpus_here >= gpus_of_a_node)) ||
  missing "GPUs on $HOSTNAME: $gpus_of_a_node are used, this job has $gpus_here: ask for --gpus-per-node=$gpus_of_a_node"
