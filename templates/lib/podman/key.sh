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
  local id ids was_there='' known='' options=(--quiet)
  [[ -z $3 ]] || options+=(--arch="$3")
  [[ -z $4 ]] || options+=(--authfile="$4")
  ! podman image exists "${2#docker://}" || was_there=yes
  ids=$(podman images --all --quiet --no-trunc 2>/dev/null </dev/null) || true
  # What a pull that is cancelled leaves is in a folder that goes with this step.
  TMPDIR=$(mktemp -d -p "${TMPDIR:-/var/tmp}" nim-slurm.XXXXXXXX) && export TMPDIR && trap 'rm -rf -- "$TMPDIR"' EXIT || return
  id=$(podman pull "${options[@]}" "$2" </dev/null) || return
  [[ $ids != *"$id"* ]] || known=yes
  podman save --quiet --format=docker-archive --output="$1" "$id" </dev/null || return
  # An image's labels may have such names; they stand further to the right. One that was here may have a digest that is nowhere else.
  podman image inspect "$id" 2>/dev/null </dev/null | sed -n "${known:+/\"Digest\": /d; }"'
    s/^ \{1,12\}"Digest": "\(sha256:[0-9a-f]*\)".*/digest=\1/p; s/^ \{1,12\}"Architecture": "\([a-z0-9]*\)".*/architecture=\1/p'
  if [[ -z $was_there ]]; then
    # Only the new name goes, where the image had another one.
    if [[ -n $known ]]; then podman untag "$id" "${2#docker://}"; else podman rmi "$id"; fi >/dev/null 2>&1 </dev/null || true
  fi
}
