# A server that loads does not listen yet, and jobs that share a node would measure the one
# that is ready first. So a port is locked: on the node for all users, and in the stage path,
# should jobs have a /tmp of their own.
hold_port() {
  local file lock
  for file in "/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1"; do
    # A file of another user can be locked, though not written.
    [[ -e $file ]] || (umask 022 && : >>"$file") 2>/dev/null || continue
    { exec {lock}<"$file"; } 2>/dev/null || continue
    flock --nonblock --conflict-exit-code=75 "$lock" 2>/dev/null || (($? != 75)) || {
      missing "port $1 on $HOSTNAME: another job there has it, whose server may still be loading"
      return 0
    }
  done
}
{%- if replicas > 1 %}
for ((number = port; number < port + replicas; number++)); do
  hold_port "$number"
done
{%- else %}
hold_port "$port"
{%- endif %}
