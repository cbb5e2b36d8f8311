# Removes what jobs that were killed left of their containers on this node, and an earlier run of this job. Where
# Slurm tracks processes by their parents, they may even run. It goes by their names: an image has labels of its own.
check_runtime() {
  local container file owner reads='' files version own_form=''
  need_commands podman
{% include "lib/podman/runtime_folder.sh" %}
  # Up to which version it reads descriptions of GPUs; others are none for it.
  case "$(podman --version 2>/dev/null)" in
    *' '[123].* | *' 4.0.'*) missing "podman 4.1 or later on $HOSTNAME: earlier ones have no GPUs of nvidia.com/gpu" ;;
    *' 4.'[12].*) reads=0.4 ;;
    *' 4.'[3-6].*) reads=0.5 ;;
    *' 4.'* | *' 5.0.'*) reads=0.6 ;;
    *' 5.1.'*) reads=0.7 ;;
    *' 5.'[2-4].*) reads=0.8 ;;
  esac
  mapfile -t files < <(grep -Els '"?kind"?: *"?nvidia\.com/gpu("|,|[[:space:]]|$)' /etc/cdi/*.{json,yaml} /var/run/cdi/*.{json,yaml})
  version=$(sed -n 's/.*cdiVersion[^0-9]*\([0-9]\.[0-9]\).*/\1/p' /dev/null "${files[@]}" | sort | head -n 1) || true
  [[ $reads != 0.[5-9] ]] || own_form=", or for a description in version 0.5: nvidia-ctk cdi generate --feature-flag=no-additional-gids-for-device-nodes --output=$(printf %q "${files[0]-}")"
  [[ -z $reads || ! $version > $reads ]] ||
    missing "a podman on $HOSTNAME that reads ${files[*]}: GPUs are described there in version $version, and it reads $reads at most;" \
      "ask the site for podman 5.1 or later$own_form"
  for file in "$stage_path"/{"$server_image","$client_image"}; do
    [[ ! -r $file ]] || ! sound_image "$file" || is_nameless "$file" ||
      missing "an archive without names in $file: podman would take its names from other images of yours. Move it away and submit setup.sh," \
        "or save it by its id: podman save --output=$(printf %q "$file") ID"
  done
  for container in $(podman ps --all --quiet --filter='name=^nim-slurm-[0-9]+-' 2>/dev/null); do
    owner=$(podman inspect "$container" 2>/dev/null | sed -n 's/^ *"Name": "nim-slurm-\([0-9]*\)-.*/\1/p' | head -n 1) || true
    [[ -n $owner ]] || continue
    if [[ $owner == "$SLURM_JOB_ID" ]] || job_has_ended "$owner"; then
      podman rm --force --volumes --time=0 "$container" >/dev/null 2>&1 || true
    fi
  done
}
# True when archive $1 gives its image no name. podman reads the first of several files, follows a link, and takes a key in any letters.
is_nameless() {
  local text LC_ALL=C
  [[ $(tar --list --file="$1" | grep -c 'manifest\.json') == 1 ]] || return 1
  text=$(tar --extract --to-stdout --file="$1" manifest.json | tr -d '\0[:space:]' | head -c 1000000) || return 1
  ((${#text} > 0 && ${#text} < 1000000)) && ! LC_ALL=C grep -Eiq '[^!-~]|\\|"repotags":([^[n]|\[[^]])' <<<"$text"
}
# set_container ROLE IMAGE NAMES MOUNT...: in REPLIES, the command that starts this image; what it runs comes behind. Over the
# image's own variables it has those of the step in NAMES, with blanks between them, and all others that do not describe the node.
set_container() {
  local role=$1 image=$stage_path/$2 names name mount source target flags
  read -r -a names <<<"$3"
  shift 3
  REPLIES=(
    -- podman run --rm --quiet --name="nim-slurm-$SLURM_JOB_ID-$role-$BASHPID" --entrypoint= --interactive
    # As under Slurm without a container: its cgroup (so its GPUs and its memory, and its end), and its network. Who is
    # root in there is the user.
    --cgroups=disabled --network=host --user=0:0 --security-opt=label=disable
    # Shared memory of its own, as much as Linux gives. What an image says of its health would run outside of the job.
    --ipc=private --shm-size="$(awk '/^MemTotal:/ { print int($2 / 2) "k" }' /proc/meminfo)" --no-healthcheck
    # A first process that hands signals on. What is printed goes to the step's log alone.
    --init --log-driver=none --env=SLURM_*
  )
  # All that Slurm lets the step see: CUDA_VISIBLE_DEVICES says which of them are its own.
  [[ $role != server ]] || REPLIES+=(--device=nvidia.com/gpu=all)
  # By these, the nodes of one server talk to each other at full speed.
  for name in /dev/infiniband /dev/gdrdrv; do
    [[ $role != server || $nodes == 1 || ! -e $name ]] || REPLIES+=(--device="$name")
  done
  while read -r name; do
    case $name in
      PATH | HOME | PWD | OLDPWD | SHLVL | SHELL | USER | LOGNAME | MAIL | TERM | TMPDIR | HOSTNAME | _) ;;
      LD_* | XDG_* | PYTHON* | CONDA_* | VIRTUAL_ENV* | LMOD_* | MODULE* | SLURM_*) ;;
      *) names+=("$name") ;;
    esac
  done < <(compgen -e)
  # An old hook of NVIDIA's would go by the image's own word for the last one, and add GPUs.
  REPLIES+=("${names[@]/#/--env=}" --env=NVIDIA_VISIBLE_DEVICES=void)
  for mount in "$@"; do
    IFS=: read -r source target flags <<<"$mount"
    [[ $source == tmpfs ]] && source=--tmpfs= || source=--volume=$source:
    REPLIES+=("$source$target${flags:+:${flags//+/,}}")
  done
  REPLIES+=("docker-archive:$image")
}

# A step that was killed leaves its container running where Slurm tracks processes by their parents.
remove_containers() {
  local ids
  ids=$(podman ps --all --quiet --filter="name=^nim-slurm-$SLURM_JOB_ID-" 2>/dev/null) || return 0
  [[ -z $ids ]] || xargs podman rm --force --volumes --time=0 >/dev/null 2>&1 <<<"$ids" || true
}
