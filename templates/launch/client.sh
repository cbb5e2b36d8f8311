set -Eeuo pipefail
{%- if replicas > 1 %}

readonly url=127.0.0.1:$((port + replica))
{%- else %}

readonly url=127.0.0.1:$port
{%- endif %}
# What asks the server must not be sent through the site's proxy.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
# The user's home is not in the container, and tools want to write to theirs.
HOME=$(mktemp -d)
export HOME
{%- if runtime == Runtime::Apptainer %}
# /tmp is the node's own: what is left there stays. HOME may be another by then.
readonly own_home=$HOME
{%- endif %}
# The last act is to leave the exit code where launch.sh looks for it: the step ends later,
# when its container is removed.
readonly exit_code_file=$run/ended.${replica-0}
leave_exit_code() {
  local status=$?
  { printf '%d\n' "$status" >"$exit_code_file.part" && mv -T -- "$exit_code_file"{.part,}; } 2>/dev/null || true
{%- if runtime == Runtime::Apptainer %}
  rm -rf -- "$own_home" || true
{%- endif %}
}
trap leave_exit_code EXIT

# A few blocks are often left: a file that does not fit is not begun, and df rounds up.
stop_if_full() {
  df -P -k "$results" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' || return 0
  say "error: no space is left in $results" >&2
  exit 7
}

# record FOLDER STATUS SECONDS DETAIL: a row for the manifest.
record() {
  printf '%s|%s|%s|%s\n' "$1" "$2" "$3" "${4//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}
{%- if alike %}

# meet PLACE WORD: waits until the clients of all servers have come to this place, each
# with a word. The words are in $said, by the number of the server.
meet() {
  local here=$run/meet.$1 number
  if ! printf '%s\n' "$2" >"$here.$replica.part" || ! mv -T -- "$here.$replica.part" "$here.$replica"; then
    stop_if_full
  fi
  said=()
  for ((number = 0; number < replicas; number++)); do
    until [[ -e $here.$number ]]; do sleep 0.1; done
    said+=("$(<"$here.$number")")
  done
}
{%- endif %}

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in
# $answer, for the log.

answer='' refused=0
readonly error_event=$'(^|\n)event: *error|"error": *[{"]|"object": *"error"'
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
# completes SECONDS: one small completion, streamed, with the fields of the tool's own
# requests. $refused is the HTTP status when the server does not take such a request, else 0.
completes() {
  local status
  refused=0
  if ! answer=$(curl --silent --max-time "$1" --header 'Content-Type: application/json' --write-out '\n%{http_code}' \
      --data "{\"model\": \"$served_model_name\", \"messages\": [{\"role\": \"user\", \"content\": \"Say hello.\"}], $request_fields}" \
      "http://$url/v1/chat/completions"); then
    answer="a small completion had no whole answer within $1 s"
    return 1
  fi
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [[ $status == 200 && $answer == *data:*'"choices"'* && ! $answer =~ $error_event ]] && return
  answer=${answer:0:300}
  answer="a small completion failed with HTTP $status: ${answer//[[:cntrl:]]/ }"
  [[ $status != 400 && $status != 422 ]] || refused=$status
  return 1
}

wait_until_ready() {
  # A server that is not quite up may refuse once.
  local waited reported=0 refusals=0 pauses=(0.5 5)
  until refused=0 && is_healthy && lists_model && completes 60; do
    refusals=$((refused > 0 ? refusals + 1 : 0))
    if ((refusals == 2)); then
      say "error: the server does not take requests as $tool_name sends them: $answer" >&2
      say "error: beside model and messages, they say $request_fields; to leave out what the server does not take," \
        "write ignore_eos = false or min_tokens = false under [client] in the recipe, and make launch.sh anew" >&2
      exit 9
    fi
    waited=$(($(printf '%(%s)T' -1) - server_started))
    if ((waited >= ready_timeout)); then
      say "error: the server was not ready within $ready_timeout s; $answer" >&2
      exit 4
    fi
    if ((waited >= reported + 30)); then
      reported=$waited
      say "waiting for the server since $waited s: $answer"
    fi
    sleep "${pauses[refusals]}" &
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

# only_file NAME FOLDER: sets $table to that file, which then lies in FOLDER itself.
only_file() {
  local found
{%- if has_phases %}
  # The warm-up and the measurement have tables of their own, in phases.
  found=$(find "$2" -name phases -prune -o -name "$1" -type f -print)
{%- else %}
  found=$(find "$2" -name "$1" -type f)
{%- endif %}
  if [[ -z $found || $found == *$'\n'* ]]; then
    reason="$tool_name left no $1, or several"
    return 1
  fi
  # Some releases write into a folder of their own inside the one given.
  if [[ ${found%/*} != "$2" ]]; then
    find "${found%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$2" -- {} +
    rmdir "${found%/*}"
  fi
  table=$2/$1
}

# check_result FOLDER OUTPUT_TOKENS REQUESTS: true when it is a valid result, else
# $reason says what is wrong. The tool has claimed success before with less. $busy is the
# time in which requests ran, in milliseconds; 0 when it is not known.
check_result() {
  local folder=$1 osl=$2 requests=$3 table value
  only_file "$result_table" "$folder" || return 1
  if ! grep -q '^Metric,avg,' "$table" || ! grep -q '^Metric,Value' "$table"; then
    reason="$result_table lacks one of its two tables"
    return 1
  fi
  check_completeness "$table" || return 1
  value=$(table_value 'Request Count' "$table")
  # GenAI-Perf before 25.01 has no such row.
  if [[ -n $value ]] && ! awk -v value="$value" -v asked="$requests" 'BEGIN { exit value != asked }'; then
    reason="$result_table counts $value requests, $requests were asked for"
    return 1
  fi
{%- if tool.has_output_sequence_length() %}
  value=$(table_value 'Output Sequence Length' "$table")
{%- else %}
  value=$(table_value 'Num Output Token' "$table")
{%- endif %}
  if ! awk -v value="$value" -v asked="$osl" 'BEGIN { exit !(value >= 0.8 * asked && value <= 1.2 * asked) }'; then
    reason="$result_table gives ${value:-no} tokens as the average output, $osl were asked for"
    return 1
  fi
  value=$(table_value 'Output Token Throughput (' "$table")
  if ! awk -v value="$value" 'BEGIN { exit !(value > 0) }'; then
    reason="$result_table says that no tokens were generated"
    return 1
  fi
  busy=$(busy_time "$table" "$requests")
}
{%- match tool %}
{%- when ClientTool::GenaiPerf(release) %}

{% include "launch/genai_perf.sh" %}
{%- when ClientTool::Aiperf(_) %}

{% include "launch/aiperf.sh" %}
{%- endmatch %}

# Ends when the server has twice in a row shown no sign of life.
watch_server() {
  local failures=0
  while sleep "$probe_interval"; do
    if is_healthy && completes "$probe_interval"; then
      failures=0
    elif ((++failures == 2)); then
      say "error: the server stopped answering: $answer" >&2
      return
    fi
  done
}

tool='' watcher=''
stop_watcher() {
  [[ -n $watcher ]] || return 0
  # The wait takes bash's own word about the kill out of the log.
  { kill -KILL -- "-$watcher" && wait "$watcher"; } 2>/dev/null || true
  watcher=
}
# timeout leads a process group of its own and hands a signal on to it. What is
# left of the group after that (children outlive their parent) is killed.
stop_tool() {
  [[ -n $tool ]] || return 0
  kill -TERM "$tool" 2>/dev/null || true
  local tries=20
  while kill -0 "$tool" 2>/dev/null && ((tries-- > 0)); do sleep 0.1; done
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
}
current=
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stop_watcher
  stop_tool
  if [[ -n $current ]]; then
{%- if alike %}
    # On another server it may have failed before.
    grep -qsF -- "$current|failed|" "$run/points" || record "$current" interrupted '' ''
{%- else %}
    record "$current" interrupted '' ''
    keep_aside interrupted "$current"
{%- endif %}
  fi
  exit 6
}

# How long a point will take, in seconds, judged from those measured in this run. The
# tool's start and end take as long as the longest so far. The requests take as long as
# their work: that of the point before of the same use case, else of the one before. A
# round of requests at a lower concurrency takes no longer, and the sweep goes down.
last_units=() last_busy=() fixed=0
declare -A last_of_use_case=()
# learn USE_CASE UNITS SECONDS BUSY: what a point took.
learn() {
  local busy=$4
  # Rates have two decimals, so those of long requests are rough.
  ((busy > 0 && busy <= 1000 * $3)) || busy=$((1000 * $3))
  ((fixed >= $3 - busy / 1000)) || fixed=$(($3 - busy / 1000))
  last_of_use_case[$1]=${#last_units[@]}
  last_units+=("$2")
  last_busy+=("$busy")
}
# work_of CONCURRENCY REQUESTS OUTPUT_TOKENS: tokens that one stream generates.
work_of() {
  local rounds=$((($2 + $1 - 1) / $1))
  echo $((rounds * $3))
}
estimate() {
  local use_case=$1 units=$2 index
  ((${#last_units[@]} > 0)) || {
    echo 0
    return
  }
  index=${last_of_use_case[$use_case]:-$((${#last_units[@]} - 1))}
  echo $((5 + fixed + last_busy[index] * units / last_units[index] / 1000))
}

# measure FOLDER USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: when it fails,
# $reason says why, and $kind in a fixed word how, if no request was completed.
measure() {
  local folder=$1 use_case=$2 isl=$3 osl=$4 concurrency=$5 requests=$6 part=$run/$1 began=$SECONDS status=0 busy=0 command=()
{%- if alike %}
  local server
  part+=/server-$replica
  mkdir -p "$part" || stop_if_full
  meet "$folder.begin" ready
  began=$SECONDS
{%- else %}
  mkdir "$part" || stop_if_full
{%- endif %}
  current=$folder
  set_command "$part" "$isl" "$osl" "$concurrency" "$requests"
{%- if replicas > 1 %}
  timeout -k 10 "$point_timeout" "${command[@]}" > >(tee "$run/output.$replica") 2>&1 &
{%- else %}
  timeout -k 10 "$point_timeout" "${command[@]}" > >(tee "$run/output") 2>&1 &
{%- endif %}
  tool=$!
  # A process group of its own, so that nothing that it started outlives it.
  set -m
  watch_server &
  watcher=$!
  set +m
  while kill -0 "$tool" 2>/dev/null && kill -0 "$watcher" 2>/dev/null; do
    wait -n || true
  done
  # When Slurm ends the step, its signal may come to these two a moment before it comes here.
  if kill -0 "$tool" 2>/dev/null; then
    sleep 0.5 || true
    stop_tool
    record "$folder" failed $((SECONDS - began)) "the server stopped answering"
{%- if !alike %}
    keep_aside failed "$folder"
{%- endif %}
    exit 3
  fi
  stop_watcher
  wait "$tool" || status=$?
  ((status == 0)) || sleep 0.5 || true
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
  current='' reason='' kind=''
  case $status in
    0) check_result "$part" "$osl" "$requests" || kind="no valid result" ;;
    124 | 137) kind=timeout reason="$tool_name did not end within $point_timeout s, or was killed" ;;
    *) kind="exit status $status" reason="$tool_name exited with status $status" ;;
  esac
  # With a request completed, the tool works, whatever went wrong then.
  [[ -z $kind ]] || ! may_have_completed "$part" || kind=
{%- if alike %}
  # Its last words are worth more than an empty folder.
  [[ -z $reason ]] || mv -- "$run/output.$replica" "$part/$tool_log" || true
  # The point is what all servers make of it, and the first one's client its keeper.
  meet "$folder.end" "$kind|$reason"
  kind=${said[0]%%|*} reason=''
  for server in "${!said[@]}"; do
    [[ $kind == "${said[server]%%|*}" ]] || kind=''
    said[server]=${said[server]#*|}
    [[ -n $reason || -z ${said[server]} ]] || reason="on server $server: ${said[server]}"
  done
{%- endif %}
  if [[ -z $reason ]]; then
    # Only a valid result gets the final name.
{%- if alike %}
    if ((replica == 0)); then
      mv -nT -- "$run/$folder" "$results/$folder"
      record "$folder" finished $((SECONDS - began)) ''
    fi
{%- else %}
    mv -nT -- "$part" "$results/$folder"
{%- endif %}
    learn "$use_case" "$(work_of "$concurrency" "$requests" "$osl")" $((SECONDS - began)) "$busy"
{%- if replicas == 1 %}
    record "$folder" finished $((SECONDS - began)) ''
{%- else if !alike %}
    record "$folder" finished $((SECONDS - began)) "on server $replica"
{%- endif %}
    say "finished: $folder, $((SECONDS - began)) s"
    return
  fi
{%- if alike %}
  if ((replica == 0)); then
    record "$folder" failed $((SECONDS - began)) "$reason"
    keep_aside failed "$folder"
  fi
  say "error: $folder failed: $reason" >&2
  stop_if_full
{%- else %}
  record "$folder" failed $((SECONDS - began)) "$reason"
  say "error: $folder failed: $reason" >&2
  stop_if_full
  # Its last words are worth more than an empty folder.
{%- if replicas > 1 %}
  mv -- "$run/output.$replica" "$part/$tool_log" || true
{%- else %}
  mv -- "$run/output" "$part/$tool_log" || true
{%- endif %}
  keep_aside failed "$folder"
{%- endif %}
  return 1
}

main() {
  local point use_case isl osl concurrency requests folder number=0 failed=0 left=0 time_left needed reason command absent=()
  local kind first_kind='' measured=0 broken=''
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in "$tool_command" curl timeout awk find df; do
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
    if point_folder "$use_case" "$isl" "$osl" "$concurrency"; then
      say "point $number of ${#points[@]} is finished already: $folder"
      continue
    fi
    if [[ -n $broken ]]; then
{%- if replicas > 1 && !alike %}
      # Another client may have it, or may still take it.
      [[ -d $run/taken.$number ]] || record "$folder" 'not run' '' "$broken"
{%- else %}
      record "$folder" 'not run' '' "$broken"
{%- endif %}
      continue
    fi
{%- if replicas > 1 && !alike %}
    # Each point is for the client that comes to it first.
    if ! mkdir "$run/taken.$number" 2>/dev/null; then
      [[ -d $run/taken.$number ]] || stop_if_full
      continue
    fi
{%- endif %}
    if [[ -n $measure_until ]]; then
      needed=$(estimate "$use_case" "$(work_of "$concurrency" "$requests" "$osl")")
      time_left=$((measure_until - $(printf '%(%s)T' -1)))
{%- if alike %}
      # One judges for all; else some might wait for one that leaves the point out.
      meet "$folder.time" "$needed $time_left"
      read -r needed time_left <<<"${said[0]}"
{%- endif %}
      if ((time_left <= 0 || needed > time_left)); then
        say "point $number of ${#points[@]} is left out: it would take about $needed s, and $time_left s are left"
        record "$folder" 'not run' '' "it would take about $needed s, and $time_left s were left"
        left=$((left + 1))
        continue
      fi
    fi
    say "point $number of ${#points[@]}: $use_case $isl/$osl, concurrency $concurrency, $requests requests"
    measured=$((measured + 1))
    if measure "$folder" "$use_case" "$isl" "$osl" "$concurrency" "$requests"; then
      continue
    fi
    failed=$((failed + 1))
    if ! completes 30; then
      say "error: the server stopped answering: $answer" >&2
      exit 3
    fi
    # A tool that cannot work would fail at each point.
    if ((measured == 1)); then
      first_kind=$kind
    elif ((measured == 2)) && [[ -n $kind && $kind == "$first_kind" ]]; then
      broken="the first two points failed in the same way ($kind), and no request was completed"
      say "error: $broken; the others are not measured" >&2
    fi
  done
  if ((left > 0)) && [[ -z $broken ]]; then
    say "$left of ${#points[@]} points are left for another job"
    exit 8
  fi
  if ((failed > 0)); then
    say "$failed of ${#points[@]} points failed"
    exit 5
  fi
{%- if replicas > 1 && !alike %}
  say "no point is left for this server"
{%- else %}
  say "all ${#points[@]} points are finished"
{%- endif %}
}

{%- if in_client.is_some() %}

# Not in a function, so that they change none of its variables.
# shellcheck disable=SC1090 # the settings' own lines
source <(printf '%s\n' "$lines_in_client") </dev/null || {
  say "error: the own lines in the client's container failed with $?" >&2
  exit 1
}
set -Eeuo pipefail
IFS=$' \t\n'
# They may have set a proxy, and the server is asked without one.
{% include "lib/no_proxy.sh" %}
{%- endif %}

# Bash reads this program from its standard input: all of it before the last
# line runs, and nothing that it starts may read on.
main </dev/null
exit
