# enroot_place VARIABLE DEFAULT: what the environment does not say may stand in the site's file, as a path or as bash's words.
enroot_place() {
  local of_site
  of_site=$(sed -n "s/^[[:blank:]]*$1[[:blank:]=]\{1,\}//p" /etc/enroot/enroot.conf{,.d/*.conf} 2>/dev/null | head -n 1) || true
  [[ -z ${!1-} && ! $of_site =~ ^(/[[:alnum:]/._-]*)?$ ]] || add_place "$1" "${!1:-${of_site:-$2}}"
}
enroot_place ENROOT_TEMP_PATH "${TMPDIR:-/tmp}"
enroot_place ENROOT_CACHE_PATH "${XDG_CACHE_HOME:-${HOME-}/.cache}/enroot"

# The user's own enroot login serves where it covers the registry; else the key.
credentials=${ENROOT_CONFIG_PATH:-${XDG_CONFIG_HOME:-${HOME-}/.config}/enroot}/.credentials
# It takes lines that begin with machine, with login in the third place.
has_login() { grep -Eqs "^machine[[:space:]]+${1//./\\.}[[:space:]]+login[[:space:]]+[^[:space:]]+[[:space:]]+[^[:space:]]" "$credentials"; }
