# Apptainer takes options and variables from its environment, too: a login shell's must not change the steps below.
check_runtime() {
  local name
  need_commands apptainer
  for name in "${!APPTAINER@}" "${!SINGULARITY@}"; do
    [[ $name == *_TMPDIR || $name == *_CONFIGDIR ]] || unset "$name"
  done
}
# set_container ROLE IMAGE NAMES MOUNT...: in REPLIES, the command that starts this image; what it runs comes behind. It has the
# step's variables, over the image's own. Its home is a folder of the stage path, and what it writes elsewhere goes with it.
set_container() {
  local role=$1 image=$stage_path/$2 source target flags home=$run
  shift 3
  # A folder of this node may not be in the container.
  unset TMPDIR
  [[ $role != server ]] || home=$cache_path
  # Other processes of the job are not in sight: /proc would lead to their files and variables.
  REPLIES=(-- apptainer exec --home="$home" --no-mount=cwd --pwd=/ --writable-tmpfs --pid --ipc)
  [[ $role != server ]] || REPLIES+=(--nv)
  # What is mounted on a folder would hide what is mounted in it.
  while IFS=: read -r source target flags; do
    # What is mounted below comes along in any case.
    [[ +$flags+ == *+ro+* ]] && flags=:ro || flags=
    REPLIES+=(--bind="$source:$target$flags")
  done < <(printf '%s\n' "$@" | LC_ALL=C sort --stable --field-separator=: --key=2,2)
  REPLIES+=("$image")
}
