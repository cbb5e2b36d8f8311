temporary=$(podman info --format=json 2>/dev/null | sed -n 's/^ *"graphRoot": "\(.*\)",\{0,1\}$/\1/p') || true
temporary=${temporary:-${TMPDIR:-/var/tmp}}
available=$(free_space "$temporary" 2>/dev/null || echo 0)
((available >= space_needed)) ||
  say "warning: podman unpacks in $temporary, where $available MiB are free and about $space_needed MiB will be used;" \
    "if the pull fails, set graphroot in ~/.config/containers/storage.conf to a larger folder"

# The user's own login serves where it covers the registry; else the key. Where the first is set, podman reads no other.
credentials=("${REGISTRY_AUTH_FILE:-${DOCKER_CONFIG:+$DOCKER_CONFIG/config.json}}")
[[ -n ${credentials[0]} ]] || credentials=(
  "${XDG_RUNTIME_DIR:-/run/user/$UID}/containers/auth.json"
  "${XDG_CONFIG_HOME:-${HOME-}/.config}/containers/auth.json"
  "${HOME-}/.docker/config.json"
)
has_login() { grep -Fqs "\"$1\"" "${credentials[@]}"; }
