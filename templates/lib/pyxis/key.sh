if [[ -n $key_needed ]]; then
  # enroot reads logins from one file. This one names the variable that holds
  # the key, not the key, and goes with the job.
  install -m 600 /dev/null "$private/.credentials"
  {
    # First, since enroot asks for the first user of a machine.
    # shellcheck disable=SC2016 # enroot expands the variable, not this shell
    printf 'machine %s login $oauthtoken password $NGC_API_KEY\n' "${logins_needed[@]}" authn.nvidia.com
    [[ ! -r $credentials ]] || cat "$credentials"
  } >"$private/.credentials"
  export ENROOT_CONFIG_PATH=$private
fi
# use_key_for IMAGE: its import gets the variables that the user's own logins name, and the
# key where it is for this image's registry.
use_key_for() {
  local name login=${image_logins[$1]}
  while read -r name; do
    export "${name?}"
  done < <(grep -Eos '[$][{]?[A-Za-z_][A-Za-z0-9_]*' "$credentials" | tr -d '{$')
  [[ -z $login ]] || has_login "$login" || export NGC_API_KEY
}

# save_image FILE URI ARCHITECTURE: runs in a step. enroot 4 tells the digest of what a tag
# names by now; then that is imported, and printed.
# shellcheck disable=SC2317 # the step calls it
save_image() {
  local digest='' options=()
  [[ -z $3 ]] || options=(--arch "$3")
  [[ $2 == *@* ]] || digest=$(enroot digest "${options[@]}" -- "$2" 2>/dev/null </dev/null) || true
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || digest=
  enroot import "${options[@]}" --output "$1" -- "$2${digest:+@$digest}" </dev/null || return
  [[ -z $digest ]] || echo "digest=$digest"
}
