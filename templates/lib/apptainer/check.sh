need_commands apptainer
# Apptainer takes options and variables for containers from its environment, too: those of
# a login shell must not change the steps below.
for name in "${!APPTAINER@}" "${!SINGULARITY@}"; do
  [[ $name == *_TMPDIR || $name == *_CONFIGDIR ]] || unset "$name"
done
