[[ $(srun --help 2>&1) == *--container-image* ]] ||
  missing "srun's container options on $HOSTNAME: is the pyxis plugin installed?"
