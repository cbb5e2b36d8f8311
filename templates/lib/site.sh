{%- if site.is_set %}

# Hooks have it, too, where the settings say it.
STAGE_PATH=${stage_path-${STAGE_PATH-}}

# A shell of their own, since they must change neither the code nor what is still to be done.
# shellcheck disable=SC2317 # the trap calls it
at_the_end() {
  set +eu
  # shellcheck disable=SC2034 # the lines use it
  local code=$1
  # shellcheck disable=SC1090 # the settings' hook
  (source <(printf '%s\n' "$lines_after")) || say "warning: the hook at the end failed with $?" >&2
}
trap 'at_the_end $?' EXIT
# Without these, a signal before the work would have them run with a code of 0.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if ((${#modules[@]} > 0)); then
  # A batch shell may not know the command yet, and its own functions use names that
  # are not set.
  set +eu
  if ! command -v module >/dev/null; then
    for file in /etc/profile.d/{modules,z00_lmod,lmod}.sh; do
      # shellcheck disable=SC1090 # the site's
      [[ ! -r $file ]] || source "$file"
    done
  fi
  module load "${modules[@]}" || fail "module load ${modules[*]} failed on $HOSTNAME"
  set -eu
fi

for assignment in "${proxy[@]}"; do
  small=${assignment%%=*}
  # Programs read the one or the other spelling.
  large=${small^^}
  value=${!small:-${!large:-${assignment#*=}}}
  for name in "$small" "$large"; do
    [[ -n ${!name-} ]] || export "$name=$value"
  done
done
{% include "lib/no_proxy.sh" %}

[[ -z $lines_before ]] || say "hook before the work"
# An exit in them would end this script, perhaps with 0 and nothing done.
trap 'say "error: the script ended in the hook before the work, with $?" >&2; at_the_end 1; exit 1' EXIT
mask=$(umask)
# shellcheck disable=SC1090 # the settings' hook
if set +u && source <(printf '%s\n' "$lines_before"); then status=0; else status=$?; fi
# What they set for themselves ends with them; a trace would print every value.
set +axvfCkm -B +o posix
umask "$mask"
set -Eeuo pipefail
shopt -u failglob nullglob nocasematch nocaseglob dotglob
IFS=$' \t\n'
trap 'at_the_end $?' EXIT
trap - ERR DEBUG RETURN
((status == 0)) || fail "the hook before the work failed with $status"
{%- endif %}
