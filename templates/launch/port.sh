# Whoever answers there is not the server that is to be measured.
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for ((number = port; number < port + replicas; number++)); do
  ! port_is_taken "$number" || missing "port $number on $HOSTNAME: another program listens there"
done
stop_if_missing

mkdir -p "$logs" "$results" "$cache_path" || fail "cannot make the folders logs, results and nim_cache in $stage_path"

# A server that loads does not listen yet, and jobs that share a node would measure the one that is ready first. So a
# job claims its ports by folders with its id: on the node for all users, and in the stage path, should jobs have a /tmp
# of their own. The first one wins. All may write to /tmp: nothing is opened there, and folders have nothing but times.
claims=()
# claim_port PORT: false when another job on this node, in REPLY, was there before.
claim_port() {
  local place places=("/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1")
  for place in "${places[@]/%/.$slurm_id}"; do
    rmdir "$place" 2>/dev/null || true
    ! mkdir "$place" 2>/dev/null || claims+=("$place")
  done
  # Only now, so that of two jobs one at least sees the other; at the same moment, the lower id is first.
  for REPLY in $(squeue --noheader --nodelist="$SLURMD_NODENAME" --format=%i 2>/dev/null); do
    for place in "${places[@]}"; do
      [[ ! -d $place.$REPLY || $place.$REPLY -nt $place.$slurm_id ]] ||
        [[ ! $REPLY < $slurm_id && ! $place.$slurm_id -nt $place.$REPLY ]] || return 1
    done
  done
}
for ((number = port; number < port + replicas; number++)); do
  claim_port "$number" ||
    missing "port $number on $HOSTNAME: another job there has it, $REPLY, whose server may still be loading"
done
((${#problems[@]} == 0)) || rmdir "${claims[@]}" 2>/dev/null || true
stop_if_missing
