readonly key_file=$private/auth.json
if [[ -n $key_needed ]]; then
  # podman reads logins from a file. This one is the user's alone and goes with the job.
  install -m 600 /dev/null "$key_file"
  login=$(printf '%s' "\$oauthtoken:$NGC_API_KEY" | base64 --wrap=0)
  entries=()
  for registry in "${logins_needed[@]}"; do
    has_login "$registry" || entries+=("\"$registry\": {\"auth\": \"$login\"}")
  done
  (IFS=, && printf '{"auths": %s}\n' "{${entries[*]}}") >"$key_file"
fi
# login_file_for IMAGE: the file with the key where its registry needs that; else nothing: podman has the user's own logins.
login_file_for() {
  local login=${image_logins[$1]}
  [[ -z $login ]] || has_login "$login" || printf '%s' "$key_file"
}

# save_image FILE IMAGE ARCHITECTURE LOGINS: runs in a step, and prints digest and processor. podman keeps only what it had before.
# shellcheck disable=SC2317 # the step calls it
save_image() {
  local id was_there='' options=(--quiet)
  [[ -z $3 ]] || options+=(--arch="$3")
  [[ -z $4 ]] || options+=(--authfile="$4")
  ! podman image exists "${2#docker://}" || was_there=yes
  id=$(podman pull "${options[@]}" "$2" </dev/null) || return
  podman save --quiet --format=docker-archive --output="$1" "$id" </dev/null || return
  # An image's labels may have such names; they stand further to the right.
  podman image inspect "$id" 2>/dev/null </dev/null |
    sed -n 's/^ \{1,12\}"Digest": "\(sha256:[0-9a-f]*\)".*/digest=\1/p; s/^ \{1,12\}"Architecture": "\([a-z0-9]*\)".*/architecture=\1/p'
  [[ -n $was_there ]] || podman rmi "$id" >/dev/null 2>&1 </dev/null || true
}
