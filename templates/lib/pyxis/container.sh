# set_container ROLE IMAGE MOUNT...: $container are srun's options for this image; what it
# runs comes behind. $names are the variables of the step that win over the image's own.
set_container() {
  local image=$stage_path/$2
  shift 2
  container=(
    --no-container-entrypoint --no-container-mount-home --container-writable
    --container-image="$image" --container-mounts="$(join "$@")" --container-env="$(join "${names[@]}")" --
  )
}
join() {
  local IFS=,
  printf '%s' "$*"
}
