temporary=${ENROOT_TEMP_PATH:-${TMPDIR:-/tmp}}
available=$(free_space "$temporary" 2>/dev/null || echo 0)
((available >= space_needed)) ||
  say "warning: enroot unpacks in $temporary, where $available MiB are free and about $space_needed MiB will be used;" \
    "if the import fails, set ENROOT_TEMP_PATH to a larger folder"

# The user's own enroot login serves where it covers the registry; else the key.
credentials=${ENROOT_CONFIG_PATH:-${XDG_CONFIG_HOME:-${HOME-}/.config}/enroot}/.credentials
# It takes lines that begin with machine, with login in the third place.
has_login() { grep -Eqs "^machine[[:space:]]+${1//./\\.}[[:space:]]+login[[:space:]]+[^[:space:]]+[[:space:]]+[^[:space:]]" "$credentials"; }
