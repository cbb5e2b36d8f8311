running() { kill -0 "$1" 2>/dev/null; }
# By the process of a client's step, the file in which the client leaves the cause of its end as its last act. Its
# step ends later: it still removes the container.
declare -A last_act=()
at_work() { running "$1" && [[ ! -s ${last_act[$1]-} ]]; }
# ends_within SECONDS PID...: waits at most so long until none of these is at work.
ends_within() {
  local tries=$(($1 * 10)) pid
  shift
  for pid in "$@"; do
    while at_work "$pid"; do
      ((tries-- > 0)) || return 1
      sleep 0.1
    done
  done
}
# signal_steps KIND: all steps of this kind, server or client.
signal_steps() {
  local ids
  mapfile -t ids < <(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/ $1\.[0-9]*\$//p")
  ((${#ids[@]} > 0)) && scancel --signal=TERM "${ids[@]}" 2>/dev/null
}
# only_removes NAME: the program of this step has ended, and its container is being removed. Slurm then lists no task
# of it, which would have a number in the fourth column.
only_removes() {
  local id tasks
  id=$(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/^.*\.\([0-9]*\) $1\$/\1/p")
  [[ -n $id ]] && tasks=$(scontrol listpids "$SLURM_JOB_ID.$id" "$SLURMD_NODENAME" 2>/dev/null) &&
    ! grep -Eq '^ *-?[0-9]+ +([0-9]+ +){2}[0-9]' <<<"$tasks"
}
# stop_steps KIND SECONDS PID...: gently, and then not. TERM to srun itself would be a KILL for the step, so steps are
# told by their ids.
stop_steps() {
  local kind=$1 seconds=$2 pid number=-1 killed=()
  shift 2
  ! ends_within 0 "$@" || return 0
  signal_steps "$kind" || true
  ! ends_within "$seconds" "$@" || return 0
  for pid in "$@"; do
    number=$((number + 1))
    if at_work "$pid" && ! only_removes "$kind.$number"; then
      say "the $kind step did not end by itself within $seconds s"
      kill -TERM "$pid" 2>/dev/null || true
      killed+=("$pid")
    fi
  done
  # The wait takes bash's own word about the kill out of the log.
  ends_within 5 "${killed[@]}" || { kill -KILL "${killed[@]}" && wait "${killed[@]}"; } 2>/dev/null || true
}
# What srun says of a step, but not that the step ended as this script told it to, or with it.
srun_says() {
  local line
  trap '' TERM INT USR1 USR2
  while IFS= read -r line || [[ -n $line ]]; do
    [[ (-d $stopping || ! -e $run) && $line =~ Terminat|:\ Killed|Exited\ with|CANCELLED|aborted ]] || printf '%s\n' "$line" >&2
  done
}
# client_end NUMBER: in REPLIES, the cause of the end of a client that is no more at work, and its exit code.
client_exits=()
client_end() {
  local said='' status=0
  said=$(text_of "$run/ended.$1")
  if [[ ! $said =~ ^[a-z_]+\ [0-9]{1,3}$ ]]; then
    [[ -n ${client_exits[$1]-} ]] || wait "${clients[$1]}" || status=$?
    client_exits[$1]=${client_exits[$1]:-$status}
    said="client_failed ${client_exits[$1]}"
  fi
  read -r -a REPLIES <<<"$said"
}
