# ---- AIPerf ---------------------------------------------------------------------------

readonly tool_name=AIPerf tool_command=aiperf tool_log=aiperf.log
readonly result_table=profile_export_aiperf.csv

# With the hub said to be offline, it takes no folder for a tokenizer.
[[ $tokenizer_path != /* ]] || unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE

# busy_time TABLE REQUESTS: in REPLY, the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  table_value 'Benchmark Duration' "$1"
  REPLY=$(awk -v seconds="$REPLY" 'BEGIN { printf "%d", 1000 * seconds }')
}

# may_have_completed FOLDER: true unless no request was completed. It writes a line for each request when that has
# ended, and only one that was completed has a latency.
may_have_completed() { [[ $(find "$1" -name profile_export.jsonl -exec grep -l '"request_latency"' {} +) ]]; }

# check_completeness TABLE REQUESTS: it exits with 0, too, when requests failed, and when it was stopped.
check_completeness() {
  table_value 'Error Request Count' "$1"
  if [[ -n $REPLY ]] && ! holds 'errors == 0' errors="$REPLY"; then
    reason="$result_table counts $REPLY requests that failed"
    return 1
  fi
  if ! grep -Eq '"was_cancelled": *false' "${1%.csv}.json"; then
    reason="${result_table%.csv}.json does not say that the run was not cancelled"
    return 1
  fi
}
