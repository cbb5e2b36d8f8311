stopped_by=
# wait returns when a signal comes, but not one that came just before it: so
# the handler itself sees to it that the client ends.
# shellcheck disable=SC2317 # the traps call it
on_signal() {
  [[ -z $stopped_by ]] || return 0
  stopped_by=$1
  say "stopping: signal $1"
  [[ -z ${server_started-} ]] || signal_steps client || true
}
trap 'on_signal TERM' TERM
trap 'on_signal INT' INT
trap 'on_signal USR1' USR1
trap 'on_signal USR2' USR2

# When the last point must have ended, in seconds since 1970; empty without limit.
measure_until=$(squeue --noheader --job="$slurm_id" --format=%e 2>/dev/null | head -n 1) || measure_until=
# No words would be midnight.
measure_until=$(date --date="${measure_until:-none}" +%s 2>/dev/null) || measure_until=
readonly measure_until=${measure_until:+$((measure_until - reserve))}

# How a step's status reads.
how_it_ended() {
  if (($1 > 128 && $1 < 193)); then
    printf 'was killed by signal %d' $(($1 - 128))
  else
    printf 'exited with status %d' "$1"
  fi
}
