check_runtime() {
  [[ $(srun --help 2>&1) == *--container-env* ]] ||
    missing "srun's option --container-env on $HOSTNAME: is the pyxis plugin there, release 0.15 or later?"
}
# set_container ROLE IMAGE NAMES MOUNT...: in REPLIES, srun's options for this image. Variables in NAMES win over its own.
set_container() {
  local IFS=, mounts
  # What is mounted on a folder would hide what is mounted in it.
  mapfile -t mounts < <(printf '%s\n' "${@:4}" | LC_ALL=C sort --stable --field-separator=: --key=2,2)
  # By these, enroot mounts the driver, or none. An image may not say it, and a login shell may say something else.
  [[ $1 == server ]] && NVIDIA_VISIBLE_DEVICES=all || NVIDIA_VISIBLE_DEVICES=void
  export NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
  REPLIES=(
    --no-container-entrypoint --no-container-mount-home --container-writable --container-image="$stage_path/$2"
    --container-env="${3// /,},NVIDIA_VISIBLE_DEVICES,NVIDIA_DRIVER_CAPABILITIES" --container-mounts="${mounts[*]}" --
  )
}
