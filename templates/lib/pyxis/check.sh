[[ $(srun --help 2>&1) == *--container-env* ]] ||
  missing "srun's option --container-env on $HOSTNAME: is the pyxis plugin there, release 0.15 or later?"
