running() { kill -0 "$1" 2>/dev/null; }
# By the process of a client's step, the file that its last act leaves: the step ends later, without its container.
declare -A last_act=()
at_work() { local REPLIES && running "$1" && ! last_words "${last_act[$1]-}"; }
# last_words FILE: in REPLIES, the cause of a client's end and its exit code; false unless it left such words there.
last_words() {
  [[ -s $1 ]] && read -r -n 40 -a REPLIES < <(text_of "$1" 5) && [[ ${REPLIES[*]} =~ ^[a-z_]+\ (0|[1-9][0-9]{0,2})$ ]]
}
# ends_within SECONDS PID...: waits until none of these is at work; for so long, in bash's whole seconds.
ends_within() {
  local end=$((SECONDS + $1 + ($1 > 0))) pid
  for pid in "${@:2}"; do
    while at_work "$pid"; do ((SECONDS < end)) && sleep 0.1 || return 1; done
  done
}
# step_ids PATTERN: of the steps with such names, as server.0. (squeue hides a hidden partition's, and self-managed ones.)
step_ids() { scontrol --all --oneliner show step "$slurm_id" 2>/dev/null | sed -n "s/^StepId=\([^ ]*\) .* Name=$1 Network=.*/\1/p"; }
# signal_steps KIND: TERM to srun itself would be a KILL for the step.
signal_steps() { step_ids "$1\.[0-9]*" | xargs -r scancel --signal=TERM 2>/dev/null; }
# only_removes KIND NUMBER: of this step only the container is left. A task would be listed with a number in column 4.
only_removes() {
  local id listed
  id=$(step_ids "$1\.$2")
  [[ -n $id ]] && listed=$(scontrol listpids "$SLURM_JOB_ID.${id##*.}" "$SLURMD_NODENAME" 2>/dev/null) &&
    ! grep -Eq '^ *-?[0-9]+ +([0-9]+ +){2}[0-9]' <<<"$listed"
}
# stop_steps KIND SECONDS PID...: gently, and then not.
stop_steps() {
  local pids=("${@:3}") number end=$((SECONDS + $2))
  ! ends_within 0 "${pids[@]}" || return 0
  signal_steps "$1"
  until ends_within 1 "${pids[@]}"; do
    for number in "${!pids[@]}"; do
      { at_work "${pids[number]}" && ! only_removes "$1" "$number"; } || unset "pids[number]"
    done
    ((SECONDS >= end && ${#pids[@]} > 0)) || continue
    say "the $1 step did not end by itself within $2 s"
    kill -TERM "${pids[@]}" 2>/dev/null
    # The wait takes bash's own word about the kill out of the log.
    ends_within 5 "${pids[@]}" || { kill -KILL "${pids[@]}" && wait "${pids[@]}"; } 2>/dev/null
    return
  done
}
# client_end NUMBER: in REPLIES, the cause of the end of a client that is no more at work, and its exit code.
client_end() {
  local status=0
  ! last_words "$run/ended.$1" || return 0
  # What it said may be gone, and it may run on.
  running "${clients[$1]}" || wait "${clients[$1]}" || status=$?
  REPLIES=(client_failed "$status")
}
goes_on() { ((SECONDS < silent_at)) && at_work "${clients[0]-}" && at_work "${servers[0]}"; }
