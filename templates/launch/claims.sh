# A server that loads does not listen yet, and jobs that share a node would measure the one that is ready first. So a
# job claims its ports by folders with its id, of which only the times count: in /tmp, where all may write and nothing is
# opened, and in the stage path, should jobs have a /tmp of their own. squeue may hide others' jobs: their steps are seen.
claims=()
# claim_port PORT: false when another job on this node, in REPLY, was first: at the same moment, that with the lower id.
claim_port() {
  local place
  for place in "/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1"; do
    rmdir "$place.$SLURM_JOB_ID" 2>/dev/null || true
    ! mkdir "$place.$SLURM_JOB_ID" 2>/dev/null || claims+=("$place.$SLURM_JOB_ID")
    for REPLY in $(squeue --all --noheader --nodelist="$SLURMD_NODENAME" --format=%A 2>/dev/null
      grep -aohs '^slurmstepd: \[[0-9]*' /proc/[0-9]*/cmdline | tr -dc '0-9\n'); do
      [[ ! -d $place.$REPLY || $place.$REPLY -nt $place.$SLURM_JOB_ID ]] ||
        [[ ! $REPLY < $SLURM_JOB_ID && ! $place.$SLURM_JOB_ID -nt $place.$REPLY ]] || return 1
    done
  done
}
for ((number = port; number < port + replicas; number++)); do
  claim_port "$number" || missing "port $number on $HOSTNAME: another job there has it, $REPLY, whose server may still be loading"
done
((problems == 0)) || rmdir "${claims[@]}" 2>/dev/null || true
stop_if_missing
