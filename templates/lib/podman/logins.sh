{% include "lib/podman/runtime_folder.sh" %}
store=$(podman info --format=json 2>/dev/null | sed -n 's/^ *"graphRoot": "\(.*\)",\{0,1\}$/\1/p') || true
[[ -z $store ]] || add_place 'graphroot (in ~/.config/containers/storage.conf)' "$store"
add_place TMPDIR "${TMPDIR:-/var/tmp}"

# The user's own login serves where it covers the registry; else the key. Where the first is set, podman reads no other.
credentials=("${REGISTRY_AUTH_FILE:-${DOCKER_CONFIG:+$DOCKER_CONFIG/config.json}}")
[[ -n ${credentials[0]} ]] || credentials=(
  "${XDG_RUNTIME_DIR:-/run/user/$UID}/containers/auth.json"
  "${XDG_CONFIG_HOME:-${HOME-}/.config}/containers/auth.json"
  "${HOME-}/.docker/config.json"
)
has_login() { grep -Fqs "\"$1\"" "${credentials[@]}"; }
