# The server's leader is on the first node, as this script is. The last node says its address: its own may be 127.0.1.1.
if ((nodes > 1)); then
  # A step has a task on each; when one ends, the others have the time that a server has to end, and none when it failed.
  of_nodes=(--label --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="${SLURM_JOB_NODELIST-}" --wait="$stop_timeout")
  leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
  last=$(scontrol show hostnames "${SLURM_JOB_NODELIST-}" | tail -n 1) || true
  facts[leader_address]=$(timeout 600 srun --nodes=1 --ntasks=1 --nodelist="$last" --overlap --mem=0 --gres=none --mpi=none \
    getent ahostsv4 "${leader:-$SLURMD_NODENAME}" </dev/null | awk '$2 == "STREAM" && !n++ { print $1 }') || true
  [[ -n ${facts[leader_address]} ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
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
