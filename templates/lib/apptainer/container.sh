# set_container ROLE IMAGE MOUNT...: $container is the command that starts this image for
# the server or the client; what it runs comes behind. The step's variables are in the
# container, over the image's own. Instead of the user's home it has a folder of the stage
# path, and what it writes elsewhere goes with it.
set_container() {
  local role=$1 image=$stage_path/$2 mount source target flags home=$results
  shift 2
  [[ $role != server ]] || home=$cache_path
  container=(-- apptainer exec --home="$home" --no-mount=cwd --pwd=/ --writable-tmpfs)
  [[ $role != server ]] || container+=(--nv)
  for mount in "$@"; do
    IFS=: read -r source target flags <<<"$mount"
    # What is mounted below comes along in any case.
    [[ +$flags+ == *+ro+* ]] && flags=:ro || flags=
    container+=(--bind="$source:$target$flags")
  done
  container+=("$image")
}
