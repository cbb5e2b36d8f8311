# use_key_for IMAGE: the pull of this image, and no other registry's, gets the key,
# in variables.
use_key_for() {
  local login=${image_logins[$1]}
  [[ -n $login ]] || return 0
  # shellcheck disable=SC2016 # the user's name there begins with a dollar sign
  has_login "$login" || export APPTAINER_DOCKER_USERNAME='$oauthtoken' APPTAINER_DOCKER_PASSWORD=$NGC_API_KEY
}
