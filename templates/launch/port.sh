# Whoever answers there is not the server that is to be measured.
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for ((number = port; number < port + replicas; number++)); do
  ! port_is_taken "$number" || missing "port $number on $HOSTNAME: another program listens there"
done
stop_if_missing

mkdir -p "$logs" "$results" "$cache_path" || fail "cannot make the folders logs, results and nim_cache in $stage_path"

# A server that loads does not listen yet, and jobs that share a node would measure the one that is ready first. So a
# port is locked: on the node for all users, and in the stage path, should jobs have a /tmp of their own.
hold_port() {
  local file lock
  for file in "/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1"; do
    # A file of another user can be locked, though not written.
    [[ -e $file ]] || (umask 022 && : >>"$file") 2>/dev/null || continue
    { exec {lock}<"$file"; } 2>/dev/null || continue
    flock --nonblock --conflict-exit-code=75 "$lock" 2>/dev/null || (($? != 75)) || return 1
  done
}
for ((number = port; number < port + replicas; number++)); do
  hold_port "$number" || missing "port $number on $HOSTNAME: another job there has it, whose server may still be loading"
done
stop_if_missing
