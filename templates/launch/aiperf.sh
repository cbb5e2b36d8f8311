# ---- AIPerf ---------------------------------------------------------------------------

readonly tool_name=AIPerf tool_command=aiperf tool_log=aiperf.log
readonly result_table=profile_export_aiperf.csv

# With the hub said to be offline, it takes no folder for a tokenizer.
[[ $tokenizer_path != /* ]] || unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE

# set_command FOLDER INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: sets $command.
set_command() {
  command=(
    aiperf profile
    --model "$served_model_name" "${client_options[@]}" --url "http://$url" --tokenizer "$tokenizer_path"
    --synthetic-input-tokens-mean "$2" --synthetic-input-tokens-stddev 0
    --output-tokens-mean "$3" --output-tokens-stddev 0
{% include "launch/extra_inputs.sh" %}
    --concurrency "$4" --request-count "$5" --artifact-dir "$1"
  )
}

# busy_time TABLE REQUESTS: the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  awk -v seconds="$(table_value 'Benchmark Duration' "$1")" 'BEGIN { printf "%d", 1000 * seconds }'
}

# may_have_completed FOLDER: true unless no request was completed. It writes a line for each
# request when that has ended, and only one that was completed has a latency.
may_have_completed() { [[ $(find "$1" -name profile_export.jsonl -exec grep -l '"request_latency"' {} +) ]]; }

# check_completeness TABLE: it exits with 0, too, when requests failed, and when it
# was stopped.
check_completeness() {
  local errors
  errors=$(table_value 'Error Request Count' "$1")
  if [[ -n $errors ]] && ! awk -v errors="$errors" 'BEGIN { exit errors != 0 }'; then
    reason="$result_table counts $errors requests that failed"
    return 1
  fi
  if ! grep -Eq '"was_cancelled": *false' "${1%.csv}.json"; then
    reason="${result_table%.csv}.json does not say that the run was not cancelled"
    return 1
  fi
}
