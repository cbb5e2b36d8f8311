temporary=${APPTAINER_TMPDIR:-${TMPDIR:-/tmp}}
available=$(free_space "$temporary" 2>/dev/null || echo 0)
((available >= space_needed)) ||
  say "warning: apptainer unpacks in $temporary, where $available MiB are free and about $space_needed MiB will be used;" \
    "if the pull fails, set APPTAINER_TMPDIR to a larger folder"

# The user's own login serves where it covers the registry; else the key.
credentials=${APPTAINER_CONFIGDIR:-${HOME-}/.apptainer}/docker-config.json
[[ -e $credentials ]] || credentials=${HOME-}/.docker/config.json
own_login=
[[ -z ${APPTAINER_DOCKER_USERNAME-} || -z ${APPTAINER_DOCKER_PASSWORD-} ]] || own_login=yes
readonly own_login
has_login() { [[ -n $own_login ]] || grep -Fqs "\"$1\"" "$credentials"; }
