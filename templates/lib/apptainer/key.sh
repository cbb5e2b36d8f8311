# use_key_for IMAGE: of the logins in variables its pull gets those that are for its registry, or the key where that is.
use_key_for() {
  local login=${image_logins[$1]}
  export -n {APPTAINER_,SINGULARITY_,}DOCKER_{USERNAME,PASSWORD}
  if [[ -z $login ]]; then
    ((${#other_logins[@]} == 0)) || export "${other_logins[@]}"
  elif [[ -n $own_password ]] || ! has_login "$login"; then
    export APPTAINER_DOCKER_USERNAME="\$oauthtoken" APPTAINER_DOCKER_PASSWORD=${own_password:-$NGC_API_KEY}
  fi
}
