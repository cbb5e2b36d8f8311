# The batch script runs on the first node, and so does the server's first task, its leader.
((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }') || true
[[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
readonly leader
