if [[ -n $key_needed ]]; then
  # enroot reads logins from one file. This one names the variable that holds
  # the key, not the key, and goes with the job.
  install -m 600 /dev/null "$private/.credentials"
  {
    [[ ! -r $credentials ]] || cat "$credentials"
    printf '\n'
    for registry in "${logins_needed[@]}" authn.nvidia.com; do
      # shellcheck disable=SC2016 # enroot expands the variable, not this shell
      has_login "$registry" || printf 'machine %s login $oauthtoken password $NGC_API_KEY\n' "$registry"
    done
  } >"$private/.credentials"
  export ENROOT_CONFIG_PATH=$private NGC_API_KEY
fi
