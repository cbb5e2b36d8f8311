# A server that loads does not listen yet, and jobs that share a node would measure the one that is ready first. So a
# job claims its ports by folders with its id, of which only the times count: all may write to /tmp, and nothing is
# opened there; in the stage path, too, should jobs have a /tmp of their own.
claims=()
# claim_port PORT: false when another job on this node, in REPLY, was first: at the same moment, that with the lower id.
claim_port() {
  local place
  for place in "/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1"; do
    rmdir "$place.$slurm_id" 2>/dev/null || true
    ! mkdir "$place.$slurm_id" 2>/dev/null || claims+=("$place.$slurm_id")
    for REPLY in $(squeue --all --noheader --nodelist="$SLURMD_NODENAME" --format=%i 2>/dev/null); do
      [[ ! -d $place.$REPLY || $place.$REPLY -nt $place.$slurm_id ]] ||
        [[ ! $REPLY < $slurm_id && ! $place.$slurm_id -nt $place.$REPLY ]] || return 1
    done
  done
}
for ((number = port; number < port + replicas; number++)); do
  claim_port "$number" ||
    missing "port $number on $HOSTNAME: another job there has it, $REPLY, whose server may still be loading"
done
((problems == 0)) || rmdir "${claims[@]}" 2>/dev/null || true
stop_if_missing
