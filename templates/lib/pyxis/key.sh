if [[ -n $key_needed ]]; then
  # enroot reads logins from one file. This one names the variable that holds
  # the key, not the key, and goes with the job.
  install -m 600 /dev/null "$private/.credentials"
  {
    # First, since enroot asks for the first user of a machine.
    for registry in "${logins_needed[@]}" authn.nvidia.com; do
      # shellcheck disable=SC2016 # enroot expands the variable, not this shell
      has_login "$registry" || printf 'machine %s login $oauthtoken password $NGC_API_KEY\n' "$registry"
    done
    [[ ! -r $credentials ]] || cat "$credentials"
  } >"$private/.credentials"
  export ENROOT_CONFIG_PATH=$private NGC_API_KEY
fi
