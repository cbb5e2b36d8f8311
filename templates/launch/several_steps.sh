# take_gpus NODES SERVERS NUMBER COUNT WORD...: in REPLIES, all that with what only a node knows. Slurm gives steps that overlap
# the same GPUs, so of several servers each takes its own.
take_gpus() {
  local first=$(($3 * $4)) rank=${SLURM_NODEID:-0} IFS=, own
  if (($2 > 1)); then
    read -r -a own <<<"${CUDA_VISIBLE_DEVICES-}"
    ((${#own[@]} >= first + $4)) ||
      { echo "the step has the GPUs ${own[*]} (CUDA_VISIBLE_DEVICES), too few for $4 from place $first on" >&2 && exit 1; }
    export CUDA_VISIBLE_DEVICES="${own[*]:first:$4}"
  fi
  REPLIES=("$@")
  (($1 == 1)) || REPLIES=("${REPLIES[@]//\{node_rank\}/$rank}")
  (($1 == 1)) || REPLIES=("${REPLIES[@]//\{is_leader\}/$((rank == 0))}")
}
server_lines=("$(declare -f take_gpus)" 'take_gpus "$@"; set -- "${REPLIES[@]}"' "${server_lines[@]}")
# samples_of_nodes WORD...: becomes what runs sample_gpus on each node of a server, in a step outside of containers.
samples_of_nodes() {
  exec "${step[@]}" --job-name="samples.$3" "${of_nodes[@]}" --mpi=none "${gpu_options[@]}" \
    bash -s -- "$@" 2>/dev/null < <(declare -f sample_gpus && echo 'sample_gpus "$@"')
}

# goes_on: true while clients have something to do, and their servers run. Else $blamed is the number of the pair that says how
# the job ends: a server that ended, a client that is silent or could not go on, or of those that are done one with points.
goes_on() {
  local number open=0
  local -A last_with=()
  for number in "${!servers[@]}"; do
    blamed=$number
    if at_work "${clients[number]}"; then
      open=1
      ((SECONDS < silent_at)) && at_work "${servers[number]}" && continue || return 1
    fi
    client_end "$number"
    [[ ${REPLIES[0]} =~ ^(finished|points_failed|no_time_left|left_alone)$ ]] || return 1
    last_with[${REPLIES[0]}]=$number
  done
  blamed=${last_with[left_alone]:-${last_with[no_time_left]:-${last_with[points_failed]:-0}}}
  ((open > 0))
}
