for ((number = port; number < port + replicas; number++)); do
  ! grep -q ":$(printf %04X "$number") [0-9A-F:]* 0A " /proc/net/tcp{,6} 2>/dev/null ||
    missing "port $number on $HOSTNAME: another program listens there"
done
stop_if_missing
# Caches may have code: what another user's server left is not loaded, nor that of another image, model or command.
digest() { printf '%s\0' "$@" | sha256sum | head -c 32; }
cache_path=$stage_path/nim_cache/$UID/$(digest "$server_image" \
  "$server_reference" "$weights_target" "$engine_target" "${server_environment[@]}" -- "${server_command[@]}")
# Clients of one image run the same code, but for that of a tokenizer.
hub_cache=$stage_path/hf_cache/$UID/$(digest "$client_reference")
[[ ${client_command[*]} != *trust-remote-code* ]] || hub_cache+=-$(digest "$tokenizer" "${client_command[@]}")
readonly cache_path hub_cache
mkdir -p "$logs" "$results" || fail "cannot make folders in $stage_path"
# own_folder FOLDER/NAME: both are the user's alone. A container may open NAME, with setuid programs: FOLDER stays closed.
own_folder() {
  for REPLY in "${1%/*}" "$1"; do
    mkdir -p -m 700 "$REPLY" || fail "cannot write in ${REPLY%/*}"
    { [[ ! -L $REPLY && -O $REPLY ]] && chmod 700 "$REPLY"; } || fail "$REPLY is a link, or another user's: remove it"
  done
}
own_folder "$cache_path"
{%- if has_neighbours %}

{% include "launch/claims.sh" %}
{%- endif %}
