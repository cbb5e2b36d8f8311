stop_if_missing
# Caches may have code: what another user's server left is not loaded, nor that of another image, model or command.
# Clients of one image run the same code, but for that of a tokenizer.
digest() { printf '%s\0' "$@" | sha256sum | head -c 32; }
cache_path=$stage_path/nim_cache/$UID-$(digest "$server_image" \
  "$server_reference" "$weights_target" "$engine_target" "${server_environment[@]}" -- "${server_command[@]}")
hub_cache=$stage_path/hf_cache/$UID-${client_reference//[\/:@]/+}
[[ ${client_command[*]} != *trust-remote-code* ]] || hub_cache+=-$(digest "$tokenizer" "${client_command[@]}")
readonly cache_path hub_cache
mkdir -p "$logs" "$results" || fail "cannot make folders in $stage_path"
# own_folder PATH: makes it, for the user alone, where nobody leads it elsewhere.
own_folder() {
  mkdir -p -m 700 "$1" || fail "cannot write in ${1%/*}"
  [[ ! -L $1 && -O $1 ]] || fail "$1 is a link, or another user's: remove it"
}
own_folder "$cache_path"

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
    for REPLY in $(squeue --noheader --nodelist="$SLURMD_NODENAME" --format=%i 2>/dev/null); do
      [[ ! -d $place.$REPLY || $place.$REPLY -nt $place.$slurm_id ]] ||
        [[ ! $REPLY < $slurm_id && ! $place.$slurm_id -nt $place.$REPLY ]] || return 1
    done
  done
}
for ((number = port; number < port + replicas; number++)); do
  if grep -q ":$(printf %04X "$number") [0-9A-F:]* 0A " /proc/net/tcp{,6} 2>/dev/null; then
    missing "port $number on $HOSTNAME: another program listens there"
  elif ! claim_port "$number"; then
    missing "port $number on $HOSTNAME: another job there has it, $REPLY, whose server may still be loading"
  fi
done
((problems == 0)) || rmdir "${claims[@]}" 2>/dev/null || true
stop_if_missing
