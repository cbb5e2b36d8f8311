  need_commands ngc
  key=${NGC_CLI_API_KEY:-${NGC_API_KEY-}}
  ngc_config=${NGC_CLI_HOME:-${HOME-}}/.ngc/config
  [[ -n $key ]] || grep -q '^ *apikey *= *[^ ]' "$ngc_config" 2>/dev/null ||
    missing "an NGC key: export NGC_API_KEY=..., or run: ngc config set"
