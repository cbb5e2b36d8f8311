# use_key_for IMAGE: its pull gets apptainer's own variables for a login, or the key where it
# is for this image's registry.
use_key_for() {
  local name login=${image_logins[$1]}
  for name in "${!APPTAINER_DOCKER_@}" "${!SINGULARITY_DOCKER_@}"; do
    export "${name?}"
  done
  [[ -n $login ]] || return 0
  # shellcheck disable=SC2016 # the user's name there begins with a dollar sign
  has_login "$login" || export APPTAINER_DOCKER_USERNAME='$oauthtoken' APPTAINER_DOCKER_PASSWORD=$NGC_API_KEY
}
