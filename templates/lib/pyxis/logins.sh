# enroot_place VARIABLE DEFAULT: in REPLY, as enroot finds it: the environment's, else the site's first, whose words bash reads.
enroot_place() {
  local words
  REPLY=$(sed -n "s/^[[:blank:]]*$1[[:blank:]=]\{1,\}/echo /p" /etc/enroot/enroot.conf{,.d/*.conf} 2>/dev/null |
    while IFS= read -r words; do bash -u <<<"$words" || true; done 2>/dev/null | grep -m 1 .) || true
  REPLY=${!1:-${REPLY:-$2}}
}
enroot_place ENROOT_TEMP_PATH "${TMPDIR:-/tmp}" && add_place ENROOT_TEMP_PATH "$REPLY"
enroot_place ENROOT_CACHE_PATH "${XDG_CACHE_HOME:-${HOME-}/.cache}/enroot" && add_place ENROOT_CACHE_PATH "$REPLY"

# The user's own enroot login serves where it covers the registry; else the key.
enroot_place ENROOT_CONFIG_PATH "${XDG_CONFIG_HOME:-${HOME-}/.config}/enroot"
credentials=$REPLY/.credentials
# It takes lines that begin with machine, with login in the third place.
has_login() { grep -Eqs "^machine[[:space:]]+${1//./\\.}[[:space:]]+login[[:space:]]+[^[:space:]]+[[:space:]]+[^[:space:]]" "$credentials"; }
