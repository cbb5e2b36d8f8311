stop_if_missing
# Caches may have code: what another user's server left is not loaded, nor that of another image, model or command.
# Clients of one image run the same code, but for that of a tokenizer.
digest() { printf '%s\0' "$@" | sha256sum | head -c 32; }
cache_path=$stage_path/nim_cache/$UID-$(digest "$server_image" \
  "$server_reference" "$weights_target" "$engine_target" "${server_environment[@]}" -- "${server_command[@]}")
hub_cache=$stage_path/hf_cache/$UID-${client_image%.*}
[[ ${client_command[*]} != *trust-remote-code* ]] || hub_cache+=-$(digest "$tokenizer" "${client_command[@]}")
readonly cache_path hub_cache
{ mkdir -p "$logs" "$results" && mkdir -p -m 700 "$cache_path"; } || fail "cannot make folders in $stage_path"
[[ ! -L $cache_path && -O $cache_path ]] || fail "$cache_path is a link, or another user's: remove it"

claims=()
for ((number = port; number < port + replicas; number++)); do
  ! (: <>"/dev/tcp/127.0.0.1/$number") 2>/dev/null || missing "port $number on $HOSTNAME: another program listens there"
done
{%- if has_neighbours %}

{% include "launch/claims.sh" %}
{%- endif %}
stop_if_missing
