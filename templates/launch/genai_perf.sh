# ---- GenAI-Perf ---------------------------------------------------------------------

readonly tool_name=GenAI-Perf tool_command=genai-perf tool_log=genai-perf.log
readonly result_table=profile_export_genai_perf.csv

# set_command FOLDER INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: sets $command.
set_command() {
  command=(
{%- if release.has(Feature::Profile) %}
    genai-perf profile
{%- else %}
    genai-perf
{%- endif %}
    --model "$served_model_name" "${client_options[@]}" --url "$url" --tokenizer "$tokenizer_path"
    --synthetic-input-tokens-mean "$2" --synthetic-input-tokens-stddev 0 --output-tokens-mean "$3"
{% include "launch/extra_inputs.sh" %}
    --concurrency "$4" --artifact-dir "$1" --profile-export-file profile_export.json
{%- if release.has(Feature::OwnRequestCount) %}
    --request-count "$5" -- --max-threads "$4"
{%- else %}
    -- --request-count "$5" --max-threads "$4"
{%- endif %}
  )
}

# busy_time TABLE REQUESTS: the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  awk -v requests="$2" -v rate="$(table_value 'Request Throughput' "$1")" \
    'BEGIN { printf "%d", (rate + 0 > 0 ? 1000 * requests / rate : 0) }'
}

# may_have_completed FOLDER: true unless no request was completed. It writes its
# measurements at its end, and none when it was killed or one request failed: when it had
# requests to send, nobody knows.
may_have_completed() {
  if [[ -z $(find "$1" -name profile_export.json) ]]; then
    [[ -n $(find "$1" -name '*inputs.json') ]]
  else
    [[ $(find "$1" -name profile_export.json -exec grep -El '"response_timestamps": *\[ *[0-9]' {} +) ]]
  fi
}

{%- if release.has(Feature::RequestCount) %}

# It exits with an error when a request fails, and its table is written last.
check_completeness() { :; }
{%- else %}

# check_completeness TABLE: this release's table does not count the requests, but the
# file with the raw measurements has a time stamp for each. $requests is check_result's.
check_completeness() {
  local count raw=profile_export.json
  count=$(grep -o '"timestamp":' "${1%/*}/$raw" | wc -l) || true
  if ((count != requests)); then
    reason="$raw has $count requests, $requests were asked for"
    return 1
  fi
}
{%- endif %}
