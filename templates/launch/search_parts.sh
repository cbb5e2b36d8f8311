# By these a search decides, too. What else is in a point's folder is not for the client.
for number in "${!folders[@]}"; do
  for file in "$results/${folders[number]}"/profile_export{.json,.jsonl,_genai_perf.json,_genai_perf.csv}; do
    [[ -z ${are_finished[number]} || ! -f $file || -L $file ]] || client_mounts+=("$file:$file:ro")
  done
done
search_in_client() {
  cat <<'CLIENT'

{% include "launch/search_in_client.sh" %}
CLIENT
}
client_parts+=(search_in_client)
