# ---- GenAI-Perf ---------------------------------------------------------------------

readonly tool_name=GenAI-Perf tool_command=genai-perf tool_log=genai-perf.log
readonly result_table=profile_export_genai_perf.csv

# busy_time TABLE REQUESTS: in REPLY, the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  table_value 'Request Throughput' "$1"
  REPLY=$(awk -v requests="$2" -v rate="$REPLY" 'BEGIN { printf "%d", (rate + 0 > 0 ? 1000 * requests / rate : 0) }')
}

# may_have_completed FOLDER: true unless no request was completed. It writes its measurements at its end, and none
# when it was killed or one request failed: when it had requests to send, nobody knows.
may_have_completed() {
  if [[ -z $(find "$1" -name profile_export.json) ]]; then
    [[ -n $(find "$1" -name '*inputs.json') ]]
  else
    [[ $(find "$1" -name profile_export.json -exec grep -El '"response_timestamps": *\[ *[0-9]' {} +) ]]
  fi
}

# check_completeness TABLE REQUESTS: it exits with an error when a request fails, and its table is written last. One
# that does not count the requests (before 25.01) has a file beside it with a time stamp for each.
check_completeness() {
  local count raw=profile_export.json
  table_value 'Request Count' "$1"
  [[ -z $REPLY ]] || return 0
  count=$(grep -o '"timestamp":' "${1%/*}/$raw" | wc -l) || true
  if ((count != $2)); then
    reason="$raw has $count requests, $2 were asked for"
    return 1
  fi
}
