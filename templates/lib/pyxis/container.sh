check_runtime() {
  [[ $(srun --help 2>&1) == *--container-env* ]] ||
    missing "srun's option --container-env on $HOSTNAME: is the pyxis plugin there, release 0.15 or later?"
}
# set_container ROLE IMAGE NAMES MOUNT...: in REPLIES, srun's options for this image; what it runs comes behind. NAMES
# are the variables of the step, with blanks between them, that win over the image's own.
set_container() {
  local IFS=,
  REPLIES=(
    --no-container-entrypoint --no-container-mount-home --container-writable --container-image="$stage_path/$2"
    --container-env="${3// /,}" --container-mounts="${*:4}" --
  )
}
