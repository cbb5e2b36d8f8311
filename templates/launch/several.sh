# The batch script runs on the first node, and so does the server's first task, its leader.
if ((nodes > 1)); then
  # A step has a task on each; when one ends, so do the others.
  of_nodes=(--label --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="${SLURM_JOB_NODELIST-}" --wait=5)
  ((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
  leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
  leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }') || true
  [[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
  facts[leader_address]=$leader
fi
((replicas == 1)) || case "$(srun --version 2>/dev/null)" in
  *' 2'[01].*) missing "Slurm 22.05 or later on $HOSTNAME: earlier ones give the GPUs of several servers to one step at a time" ;;
esac
several_in_client() {
  cat <<'CLIENT'

{% include "launch/several_in_client.sh" %}
CLIENT
}
client_parts+=(several_in_client)
