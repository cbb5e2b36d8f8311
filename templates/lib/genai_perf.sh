# ---- GenAI-Perf ---------------------------------------------------------------------

readonly tool_name=GenAI-Perf tool_command=genai-perf tool_log=genai-perf.log
readonly result_table=profile_export_genai_perf.csv

# set_command FOLDER INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: sets $command.
set_command() {
  command=(
    genai-perf profile
    --model "$served_model_name" "${client_options[@]}" --url "$url" --tokenizer "$tokenizer_path"
    --synthetic-input-tokens-mean "$2" --synthetic-input-tokens-stddev 0 --output-tokens-mean "$3"
    --extra-inputs "max_tokens:$3" --extra-inputs "min_tokens:$3" --extra-inputs ignore_eos:true
    --concurrency "$4" --artifact-dir "$1" --profile-export-file profile_export.json
    -- --request-count "$5" --max-threads "$4"
  )
}

# It exits with an error when a request fails, and its table is written last.
check_completeness() { :; }
