# set_container ROLE IMAGE MOUNT...: $container is the command that starts this image for
# the server or the client; what it runs comes behind. The step's variables are in the
# container by their names, over the image's own: those that $names names, and all others
# that do not describe the node.
set_container() {
  local role=$1 image=$stage_path/$2 name mount source target flags
  shift 2
  container=(
    -- podman run --rm --quiet --label="nim-slurm-job=$SLURM_JOB_ID" --entrypoint= --interactive
    # As under Slurm without a container: its cgroup (so its GPUs and its memory, and its
    # end), its network, and its shared memory. Who is root in there is the user.
    --cgroups=disabled --network=host --ipc=host --user=0:0 --security-opt=label=disable
    # A first process that hands signals on. What is printed goes to the step's log alone.
    --init --log-driver=none --env=SLURM_*
  )
  # All that Slurm lets the step see: CUDA_VISIBLE_DEVICES says which of them are its own.
  [[ $role != server ]] || container+=(--device=nvidia.com/gpu=all)
  while read -r name; do
    case $name in
      PATH | HOME | PWD | OLDPWD | SHLVL | SHELL | USER | LOGNAME | MAIL | TERM | TMPDIR | HOSTNAME | _) ;;
      LD_* | XDG_* | PYTHON* | CONDA_* | VIRTUAL_ENV* | LMOD_* | MODULE* | SLURM_*) ;;
      *) names+=("$name") ;;
    esac
  done < <(compgen -e)
  for name in "${names[@]}"; do
    container+=(--env="$name")
  done
  for mount in "$@"; do
    IFS=: read -r source target flags <<<"$mount"
    flags=${flags:+:${flags//+/,}}
    if [[ $source == tmpfs ]]; then
      container+=(--tmpfs="$target$flags")
    else
      container+=(--volume="$source:$target$flags")
    fi
  done
  container+=("docker-archive:$image")
}

# A step that was killed leaves its container running where Slurm tracks processes by
# their parents.
remove_containers() {
  local ids
  ids=$(podman ps --all --quiet --filter="label=nim-slurm-job=$SLURM_JOB_ID" 2>/dev/null) || return 0
  [[ -z $ids ]] || xargs podman rm --force --time=0 >/dev/null 2>&1 <<<"$ids" || true
}
