{%- if !site.modules.is_empty() %}

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
{%- endif %}
{%- if !site.proxy.is_empty() %}

for assignment in "${proxy[@]}"; do
  small=${assignment%%=*}
  # Programs read the one or the other spelling.
  for name in "$small" "${small^^}"; do
    [[ -n ${!name-} ]] || export "$name=${assignment#*=}"
  done
done
{%- endif %}
{%- if site.after.is_some() %}

# shellcheck disable=SC2317 # the trap calls it
at_the_end() {
  local code=$1
  set +e
  # shellcheck disable=SC1090 # the settings' own lines
  source <(printf '%s\n' "$lines_after") || say "warning: the own lines at the end failed with $?" >&2
  exit "$code"
}
trap 'at_the_end $?' EXIT
{%- endif %}
{%- if site.before.is_some() %}

say "own lines before the work"
# shellcheck disable=SC1090 # the settings' own lines
source <(printf '%s\n' "$lines_before") || fail "the own lines before the work failed with $?"
{%- endif %}
