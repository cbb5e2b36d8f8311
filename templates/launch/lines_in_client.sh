# Not in a function, so that they change none of its variables.
mask=$(umask) && set +u
# shellcheck disable=SC1090 # the settings' hook
source <(printf '%s\n' "$lines_in_client") </dev/null || {
  say "error: the hook in the client's container failed with $?" >&2
  exit 1
}
set +axvfCkm -B +o posix
umask "$mask"
set -Eeuo pipefail
IFS=$' \t\n'
