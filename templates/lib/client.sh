set -Eeuo pipefail

readonly url=127.0.0.1:$port
# What asks the server must not be sent through the site's proxy.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
# The user's home is not in the container, and tools want to write to theirs.
HOME=$(mktemp -d)
export HOME

# record NAME STATUS SECONDS DETAIL: a row for the manifest.
record() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$run/points"; }

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in
# $answer, for the log.

answer=
is_healthy() {
  answer=$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "http://$url$health_path") || true
  [[ $answer == 200 ]] && return
  answer="$health_path answers $answer"
  return 1
}
lists_model() {
  answer=$(curl --silent --max-time 5 "http://$url/v1/models") || true
  [[ $answer == *"\"$served_model_name\""* ]] && return
  answer="/v1/models does not name $served_model_name: ${answer:0:200}"
  return 1
}
# completes SECONDS: one small completion, as the first proof of work.
completes() {
  answer=$(curl --silent --max-time "$1" --header 'Content-Type: application/json' \
    --data "{\"model\": \"$served_model_name\", \"messages\": [{\"role\": \"user\", \"content\": \"Say hello.\"}], \"max_tokens\": 4}" \
    "http://$url/v1/chat/completions") || answer="no answer within $1 s"
  [[ $answer == *'"choices"'* ]] && return
  answer="a small completion failed: ${answer:0:200}"
  return 1
}

wait_until_ready() {
  local waited reported=0
  until is_healthy && lists_model && completes 60; do
    waited=$(($(printf '%(%s)T' -1) - server_started))
    if ((waited >= ready_timeout)); then
      say "error: the server was not ready within $ready_timeout s; $answer" >&2
      exit 4
    fi
    if ((waited >= reported + 30)); then
      reported=$waited
      say "waiting for the server since $waited s: $answer"
    fi
    sleep 0.5 &
    wait $! || true
  done
  say "the server is ready after $(($(printf '%(%s)T' -1) - server_started)) s"
}

# ---- One point --------------------------------------------------------------------

# The number in row LABEL of table FILE; nothing where there is no such row.
# Numbers of 1,000 and more are quoted and have commas.
table_value() {
  awk -v label="$1" '
    { sub(/\r$/, "") }
    index(tolower($0), tolower(label)) == 1 {
      value = $0
      sub(/^[^,]*,/, "", value)
      if (value ~ /^"/) { value = substr(value, 2); sub(/".*/, "", value); gsub(/,/, "", value) } else sub(/,.*/, "", value)
      print value
      exit
    }' "$2"
}

# check_result FOLDER OUTPUT_TOKENS REQUESTS: true when it is a valid result, else
# $reason says what is wrong. The tool has claimed success before with less.
check_result() {
  local folder=$1 osl=$2 requests=$3 table value nested
  nested=$(find "$folder" -name profile_export_genai_perf.csv -type f)
  if [[ -z $nested || $nested == *$'\n'* ]]; then
    reason="GenAI-Perf left no profile_export_genai_perf.csv, or several"
    return 1
  fi
  # Releases since 25.04 write into a folder of their own inside the one given.
  if [[ ${nested%/*} != "$folder" ]]; then
    find "${nested%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$folder" -- {} +
    rmdir "${nested%/*}"
  fi
  table=$folder/profile_export_genai_perf.csv
  if ! grep -q '^Metric,avg,' "$table" || ! grep -q '^Metric,Value' "$table"; then
    reason="profile_export_genai_perf.csv lacks one of its two tables"
    return 1
  fi
  value=$(table_value 'Request Count' "$table")
  # Releases before 25.01 have no such row.
  if [[ -n $value ]] && ! awk -v value="$value" -v asked="$requests" 'BEGIN { exit value != asked }'; then
    reason="$requests requests were asked for, $value were counted"
    return 1
  fi
  value=$(table_value 'Output Sequence Length' "$table")
  if ! awk -v value="$value" -v asked="$osl" 'BEGIN { exit !(value >= 0.8 * asked && value <= 1.2 * asked) }'; then
    reason="an output of $osl tokens was asked for, the average is ${value:-not given}"
    return 1
  fi
  value=$(table_value 'Output Token Throughput (' "$table")
  if ! awk -v value="$value" 'BEGIN { exit !(value > 0) }'; then
    reason="no tokens were generated"
    return 1
  fi
}

tool=
# timeout leads a process group of its own and hands a signal on to it. What is
# left of the group after that (perf_analyzer outlives its parent) is killed.
stop_tool() {
  [[ -n $tool ]] || return 0
  kill -TERM "$tool" 2>/dev/null || true
  local tries=20
  while kill -0 "$tool" 2>/dev/null && ((tries-- > 0)); do sleep 0.1; done
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
}
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stop_tool
  exit 6
}

# measure NAME USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS
measure() {
  local name=$1 isl=$3 osl=$4 concurrency=$5 requests=$6 part=$run/$1 began=$SECONDS status=0
  [[ ! -e $part ]] || set_aside "$part" interrupted
  mkdir -p "$part"
  timeout --kill-after=10 "$point_timeout" genai-perf profile \
    --model "$served_model_name" "${genai_perf_options[@]}" --url "$url" --tokenizer "$tokenizer_path" \
    --synthetic-input-tokens-mean "$isl" --synthetic-input-tokens-stddev 0 --output-tokens-mean "$osl" \
    --extra-inputs "max_tokens:$osl" --extra-inputs "min_tokens:$osl" --extra-inputs ignore_eos:true \
    --concurrency "$concurrency" --artifact-dir "$part" --profile-export-file profile_export.json \
    -- --request-count "$requests" --max-threads "$concurrency" &
  tool=$!
  wait "$tool" || status=$?
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
  reason=
  case $status in
    0) check_result "$part" "$osl" "$requests" || true ;;
    124 | 137) reason="GenAI-Perf did not end within $point_timeout s, or was killed" ;;
    *) reason="GenAI-Perf ended with $status" ;;
  esac
  if [[ -z $reason ]]; then
    # Only a valid result gets the final name.
    mv -nT -- "$part" "$results/$name"
    record "$name" finished $((SECONDS - began)) ''
    say "finished: $name, $((SECONDS - began)) s"
    return
  fi
  record "$name" failed $((SECONDS - began)) "$reason"
  say "error: $name failed: $reason" >&2
  if rmdir "$part" 2>/dev/null; then
    return 1
  fi
  mkdir -p "$results/failed_$job_id"
  [[ ! -e $results/failed_$job_id/$name ]] || set_aside "$results/failed_$job_id/$name" earlier
  mv -nT -- "$part" "$results/failed_$job_id/$name"
  say "what it left is in $results/failed_$job_id/$name"
  return 1
}

main() {
  local point use_case isl osl concurrency requests name number=0 failed=0 reason command absent=()
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in genai-perf curl timeout awk find; do
    command -v "$command" >/dev/null || absent+=("$command")
  done
  if ((${#absent[@]} > 0)); then
    say "missing in the client's container: ${absent[*]} (PATH there is $PATH)" >&2
    exit 2
  fi
  if [[ $tokenizer_path == /* && ! -e $tokenizer_path ]]; then
    say "missing in the client's container: the tokenizer $tokenizer_path, which must be in its image or under a mount" >&2
    exit 2
  fi
  wait_until_ready
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests <<<"$point"
    number=$((number + 1))
    name=$(point_name "$use_case" "$isl" "$osl" "$concurrency")
    if [[ -d $results/$name ]]; then
      say "point $number of ${#points[@]} is finished already: $name"
      continue
    fi
    say "point $number of ${#points[@]}: $use_case $isl/$osl, concurrency $concurrency, $requests requests"
    if measure "$name" "$use_case" "$isl" "$osl" "$concurrency" "$requests"; then
      continue
    fi
    failed=$((failed + 1))
    if ! completes 30; then
      say "error: the server stopped answering: $answer" >&2
      exit 3
    fi
  done
  if ((failed > 0)); then
    say "$failed of ${#points[@]} points failed"
    exit 5
  fi
  say "all ${#points[@]} points are finished"
}

# Bash reads this program from its standard input: all of it before the last
# line runs, and nothing that it starts may read on.
main </dev/null
exit
