set -Eeuo pipefail

readonly url=127.0.0.1:$((port + replica)) tool=${client_command[0]}
readonly result_table=profile_export_${tool//-/_}.csv
# In a point's folder, what this server's client leaves of it.
own_part=
((parts == 0)) || own_part=/server-$replica
# With the hub said to be offline, AIPerf takes no folder for a tokenizer.
[[ $tool != aiperf || $tokenizer_path != /* ]] || unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
# What asks the server must not be sent through the site's proxy.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
# The user's home is not in the container, and tools want to write to theirs. It may be another by the end.
HOME=$(mktemp -d)
export HOME
readonly own_home=$HOME
# keep NAME LINE...: this client's file of that name has these lines, whole or not at all.
keep() { { printf '%s\n' "${@:2}" >"$run/$1.$replica.part" && mv -T -- "$run/$1.$replica"{.part,}; } 2>/dev/null || true; }
# The last act is to leave the cause of the end where launch.sh looks for it: the step ends later, when its container
# is removed.
cause=client_failed
leave_cause() {
  keep ended "$cause $?"
  rm -rf -- "$own_home" || true
}
trap leave_cause EXIT
# end_with CAUSE
end_with() {
  cause=$1
  [[ $1 == finished ]] && exit 0 || exit 1
}

# report KEY=VALUE...: how far this client is; ms in flight / s from ready to the last result / points that were short.
in_flight=0 ready_at=0 result_at=0 too_short=0
report() { keep state "$@" "in_flight=$in_flight/$((result_at - ready_at))/$too_short"; }

# A few blocks are often left: a file that does not fit is not begun, and df rounds up.
stop_if_full() {
  df -P -k "$run" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' || return 0
  say "error: no space is left in $results" >&2
  end_with no_space
}

# rename_in_logs WORD FOLDER PART: logs of what an unfinished point left name the folder that they get.
rename_in_logs() {
  find "$run/$2$3" -name '*.log' -type f -exec sed -i "s|/\.run_$job_id/$2|/$1_$job_id/$2|g" {} + || true
}
# put_down WORD FOLDER: launch.sh brings out what lies there.
put_down() { mkdir -p "$run/$1" && mv -nT -- "$run/$2" "$run/$1/$2" && [[ ! -e $run/$2 ]]; }

# record FOLDER STATE SECONDS DETAIL: a row for the manifest.
record() {
  printf '%s|%s|%s|%s\n' "$1" "$2" "$3" "${4//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}

# meet PLACE WORDS: in REPLIES, the words of all clients that measure together, by their number, once all have come to
# this place.
meet() {
  local here=$run/meet.$1 number said=()
  REPLIES=("$2")
  ((parts > 0)) || return 0
  { printf '%s\n' "$2" >"$here.$replica.part" && mv -T -- "$here.$replica"{.part,}; } || stop_if_full
  for ((number = 0; number < parts; number++)); do
    until [[ -e $here.$number ]]; do
      # Who ended comes no more, but may have come before.
      if [[ -e $run/ended.$number && ! -e $here.$number ]]; then
        say "error: the client of server $number ended before it came to $1" >&2
        end_with left_alone
      fi
      sleep 0.1
    done
    said+=("$(<"$here.$number")")
  done
  REPLIES=("${said[@]}")
}

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in $answer.

answer='' refused=0 ready_seconds=''
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
# completes SECONDS: one small completion, streamed, with the fields of the tool's own requests. $refused is the HTTP
# status when the server does not take such a request, else 0.
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
  report state=loading
  until refused=0 && is_healthy && lists_model && completes 60; do
    refusals=$((refused > 0 ? refusals + 1 : 0))
    if ((refusals == 2)); then
      say "error: the server does not take requests as $tool_name sends them: $answer" >&2
      say "error: beside model and messages, they say $request_fields; to leave out what the server does not take," \
        "write ignore_eos = false or min_tokens = false under [client] in the recipe, and make launch.sh anew" >&2
      end_with refused
    fi
    waited=$(($(printf '%(%s)T' -1) - server_started))
    if ((waited >= ready_timeout)); then
      say "error: the server was not ready within $ready_timeout s; $answer" >&2
      end_with not_ready
    fi
    if ((waited >= reported + 30)); then
      reported=$waited
      say "waiting for the server since $waited s: $answer"
      report state=loading waited_seconds="$waited" answer="${answer//[[:cntrl:]]/ }"
    fi
    sleep "${pauses[refusals]}" &
    wait $! || true
  done
  ready_seconds=$(($(printf '%(%s)T' -1) - server_started)) ready_at=$SECONDS result_at=$SECONDS
  say "the server is ready after $ready_seconds s"
  report state=ready ready_seconds=$ready_seconds
}

# ---- One point --------------------------------------------------------------------

# Why a point failed, and how, in a fixed word, if no request was completed; for how many milliseconds requests ran.
reason='' kind='' busy=0

# table_value LABEL TABLE: in REPLY, the number in this row; "no" where it is none, as in N/A, inf and nan; nothing
# where there is no such row. Numbers of 1,000 and more are quoted and have commas.
table_value() {
  REPLY=$(awk -v label="$1" '
    index(tolower($0), tolower(label)) == 1 {
      sub(/\r$/, ""); sub(/^[^,]*,/, "")
      if (sub(/^"/, "")) { sub(/".*/, ""); gsub(/,/, "") } else sub(/,.*/, "")
      print /^[0-9]+(\.[0-9]+)?$/ ? $0 : "no"; exit
    }' "$2")
}
# holds CONDITION VALUE [ASKED]: asks awk, since the numbers have decimals.
holds() { awk -v value="$2" -v asked="${3-}" "BEGIN { exit !($1) }"; }

# busy_time TABLE REQUESTS: in REPLY, the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  local seconds
  table_value 'Benchmark Duration' "$1"
  seconds=$REPLY
  table_value 'Request Throughput' "$1"
  REPLY=$(awk -v seconds="$seconds" -v requests="$2" -v rate="$REPLY" \
    'BEGIN { printf "%d", 1000 * (seconds != "" ? seconds : rate + 0 > 0 ? requests / rate : 0) }')
}
# may_have_completed FOLDER: true unless no request was completed. AIPerf writes a line for each request when that has
# ended, and only one that was completed has a latency. GenAI-Perf writes its measurements at its end, and none when it
# was killed or one request failed: when it had requests to send, nobody knows.
may_have_completed() {
  if [[ $tool != aiperf && -z $(find "$1" -name profile_export.json) ]]; then
    [[ -n $(find "$1" -name '*inputs.json') ]]
  else
    [[ $(find "$1" -name 'profile_export.json*' -exec grep -El '"response_timestamps": *\[ *[0-9]|"request_latency"' {} +) ]]
  fi
}
# check_result FOLDER OUTPUT_TOKENS REQUESTS: true when it is a valid result, with $busy, else $reason says what is
# wrong. The tool has claimed success before with less.
check_result() {
  local folder=$1 osl=$2 requests=$3 table=$1/$result_table found
  # Some releases write into a folder of their own inside the one given. Those of phases are not of the whole run.
  found=$(find "$folder" -name phases -prune -o -name "$result_table" -type f -print)
  reason="$tool_name left no $result_table, or several"
  [[ -n $found && $found != *$'\n'* ]] || return 1
  if [[ $found != "$table" ]]; then
    find "${found%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$folder" -- {} +
    rmdir "${found%/*}"
  fi
  reason="$result_table lacks one of its two tables"
  grep -q '^Metric,avg,' "$table" && grep -q '^Metric,Value' "$table" || return 1
  # AIPerf exits with 0, too, when requests failed, and when it was stopped.
  table_value 'Error Request Count' "$table"
  reason="$result_table counts ${REPLY/#no/an unknown number of} requests that failed"
  ! holds 'value > 0' "$REPLY" || return 1
  reason="${result_table%.csv}.json does not say that the run was not cancelled"
  [[ $tool != aiperf ]] || grep -Eq '"was_cancelled": *false' "${table%.csv}.json" || return 1
  # GenAI-Perf before 25.01 has no such row, but a file with a time stamp for each request.
  table_value 'Request Count' "$table"
  reason="$result_table counts $REPLY requests, $requests were asked for"
  if [[ -z $REPLY ]]; then
    REPLY=$(grep -o '"timestamp":' "$folder/profile_export.json" | wc -l) || true
    reason="profile_export.json has $REPLY requests, $requests were asked for"
  fi
  holds 'value == asked' "$REPLY" "$requests" || return 1
  # GenAI-Perf before 24.07 has the other one.
  table_value 'Output Sequence Length' "$table"
  [[ -n $REPLY ]] || table_value 'Num Output Token' "$table"
  reason="$result_table gives ${REPLY:-no} tokens as the average output, $osl were asked for"
  holds 'value >= 0.8 * asked && value <= 1.2 * asked' "$REPLY" "$osl" || return 1
  table_value 'Output Token Throughput (' "$table"
  reason="$result_table says that no tokens were generated"
  holds 'value + 0 > 0' "$REPLY" || return 1
  busy_time "$table" "$requests"
  busy=$REPLY reason=''
}

# Ends when the server has twice in a row shown no sign of life.
watch_server() {
  local failures=0
  while ((failures < 2)) && sleep "$probe_interval"; do
    is_healthy && completes "$probe_interval" && failures=0 || failures=$((failures + 1))
  done
  ((failures < 2)) || say "error: the server stopped answering: $answer" >&2
}

tool_pid='' watcher=''
stop_watcher() {
  [[ -n $watcher ]] || return 0
  # The wait takes bash's own word about the kill out of the log.
  { kill -KILL -- "-$watcher" && wait "$watcher"; } 2>/dev/null || true
  watcher=
}
# timeout leads a process group of its own and hands a signal on to it. What is left of the group after that (children
# outlive their parent) is killed.
stop_tool() {
  [[ -n $tool_pid ]] || return 0
  kill -TERM "$tool_pid" 2>/dev/null || true
  local tries=20
  while kill -0 "$tool_pid" 2>/dev/null && ((tries-- > 0)); do sleep 0.1; done
  kill -KILL -- "-$tool_pid" 2>/dev/null || true
  tool_pid=
}
current=
# launch.sh moves what the point left.
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stop_watcher
  stop_tool
  # On another server it may have failed before.
  if [[ -n $current ]]; then
    grep -qsF -- "$current|failed|" "$run/points" || record "$current" interrupted '' ''
    rename_in_logs interrupted "$current" "$own_part"
  fi
  end_with client_stopped
}

# How long a point will take, judged from those of this run: the tool's start and end take as long as the longest so
# far, the requests as long as their work (tokens that one stream generates), as in the point before of the same use
# case, else of the one before. A round at a lower concurrency takes no longer, and the sweep goes down.
fixed=0 last_use_case=''
declare -A busy_of=() work_of=()
# learn USE_CASE WORK SECONDS BUSY: what a point took.
learn() {
  local use_case=$1 seconds=$3 busy=$4
  # Rates have two decimals, so those of long requests are rough.
  ((busy > 0 && busy <= 1000 * seconds)) || busy=$((1000 * seconds))
  ((fixed >= seconds - busy / 1000)) || fixed=$((seconds - busy / 1000))
  busy_of[$use_case]=$busy work_of[$use_case]=$2 last_use_case=$use_case
}
# estimate USE_CASE WORK: in REPLY, the seconds; 0 when nothing is known.
estimate() {
  local like=$1
  [[ -n ${busy_of[$like]-} ]] || like=$last_use_case
  REPLY=0
  [[ -z $like ]] || REPLY=$((5 + fixed + ${busy_of[$like]} * $2 / ${work_of[$like]} / 1000))
}

declare -A facts=()
# measure FOLDER USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS PROMPTS SEED WORK: true, or $reason says what went wrong.
measure() {
  local folder=$1 part=$run/$1$own_part began status=0 number detail=''
  mkdir -p "$part" || stop_if_full
  meet "$folder.begin" ready
  began=$SECONDS current=$folder
  # shellcheck disable=SC2034 # fill reads it
  facts=([url]=$url [tokenizer]=$tokenizer_path [folder]=$part [input_tokens]=$3 [output_tokens]=$4 [concurrency]=$5 [requests]=$6 [prompts]=$7 [seed]=$8)
  fill "${client_command[@]}"
  timeout -k 10 "$point_timeout" "${REPLIES[@]}" > >(tee "$run/output.$replica") 2>&1 &
  tool_pid=$!
  # A process group of its own, so that nothing that it started outlives it.
  set -m
  watch_server &
  watcher=$!
  set +m
  while kill -0 "$tool_pid" 2>/dev/null && kill -0 "$watcher" 2>/dev/null; do
    wait -n || true
  done
  # When Slurm ends the step, its signal may come to these two a moment before it comes here.
  if kill -0 "$tool_pid" 2>/dev/null; then
    sleep 0.5 || true
    stop_tool
    record "$folder" failed $((SECONDS - began)) "the server stopped answering"
    rename_in_logs failed "$folder" "$own_part"
    end_with no_answer
  fi
  stop_watcher
  wait "$tool_pid" || status=$?
  ((status == 0)) || sleep 0.5 || true
  kill -KILL -- "-$tool_pid" 2>/dev/null || true
  tool_pid='' current='' reason='' kind='' busy=0
  case $status in
    0) check_result "$part" "$4" "$6" || kind="no valid result" ;;
    124 | 137) kind=timeout reason="$tool_name did not end within $point_timeout s, or was killed" ;;
    *) kind="exit status $status" reason="$tool_name exited with status $status" ;;
  esac
  # With a request completed, the tool works, whatever went wrong then.
  [[ -z $kind ]] || ! may_have_completed "$part" || kind=
  # Its last words are worth more than an empty folder.
  [[ -z $reason ]] || mv -- "$run/output.$replica" "$part/$tool.log" || stop_if_full
  # The point is what all servers that measure it make of it, and the first one's client its keeper.
  meet "$folder.end" "$kind|$reason"
  kind=${REPLIES[0]%%|*} reason=''
  for number in "${!REPLIES[@]}"; do
    [[ $kind == "${REPLIES[number]%%|*}" ]] || kind=
    if [[ -z $reason && ${REPLIES[number]} != *'|' ]]; then
      reason=${REPLIES[number]#*|}
      ((parts == 0)) || reason="on server $number: $reason"
    fi
  done
  # Only a valid result gets the final name.
  if [[ -z $reason ]] && ((parts == 0 || replica == 0)) && ! put_down finished "$folder"; then
    reason="it is valid, and could not be stored as $results/$folder"
  fi
  if [[ -n $reason ]]; then
    say "error: $folder failed: $reason" >&2
    if ((parts == 0 || replica == 0)); then
      record "$folder" failed $((SECONDS - began)) "$reason"
      stop_if_full
      rename_in_logs failed "$folder" ''
      put_down failed "$folder" || stop_if_full
    fi
    return 1
  fi
  learn "$2" "$9" $((SECONDS - began)) "$busy"
  in_flight=$((in_flight + busy)) result_at=$SECONDS
  if ((parts == 0 || replica == 0)); then
    ((parts > 0 || replicas == 1)) || detail="on server $replica"
    record "$folder" finished $((SECONDS - began)) "$detail"
    ((busy == 0 || busy >= 10000)) || too_short=$((too_short + 1))
  fi
  say "finished: $folder, $((SECONDS - began)) s"
}

main() {
  local point use_case isl osl concurrency requests prompts seed rounds work folder needed time_left number=0 failed=0 left=0 measured=0
  local first_kind='' broken='' absent=() command
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in "$tool" curl timeout awk find df; do
    command -v "$command" >/dev/null || absent+=("$command")
  done
  [[ $tokenizer_path != /* || -e $tokenizer_path ]] || absent+=("the tokenizer $tokenizer_path (in its image, or under a mount)")
  if ((${#absent[@]} > 0)); then
    printf -v command '%s, ' "${absent[@]}"
    say "missing in the client's container: ${command%, } (PATH there is $PATH)" >&2
    end_with client_lacks
  fi
  wait_until_ready
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests prompts seed <<<"$point"
    folder=${folders[number]}
    number=$((number + 1))
    if [[ -n ${are_finished[number - 1]} ]]; then
      say "point $number of ${#points[@]} is finished already: $folder"
      continue
    fi
    rounds=$(((requests + concurrency - 1) / concurrency)) work=$((rounds * osl))
    if [[ -n $broken ]]; then
      # Another client may have it, or may still take it.
      [[ -d $run/taken.$number ]] || record "$folder" 'not run' '' "$broken"
      continue
    fi
    # A point that is not for all is for the client that comes to it first.
    if ((parts == 0)) && ! mkdir "$run/taken.$number" 2>/dev/null; then
      [[ -d $run/taken.$number ]] || stop_if_full
      continue
    fi
    if [[ -n $measure_until ]]; then
      estimate "$use_case" "$work"
      # One judges for all; else some might wait for one that leaves the point out.
      meet "$folder.time" "$REPLY $((measure_until - $(printf '%(%s)T' -1)))"
      read -r needed time_left <<<"${REPLIES[0]}"
      if ((time_left <= 0 || needed > time_left)); then
        say "point $number of ${#points[@]} is left out: it would take about $needed s, and $time_left s are left"
        record "$folder" 'left out' "$needed" "it would take about $needed s, and $time_left s were left"
        left=$((left + 1))
        continue
      fi
    fi
    say "point $number of ${#points[@]}: $use_case $isl/$osl, concurrency $concurrency, $requests requests"
    report state=measuring ready_seconds="$ready_seconds" point="$number $point"
    measured=$((measured + 1))
    measure "$folder" "$use_case" "$isl" "$osl" "$concurrency" "$requests" "$prompts" "$seed" "$work" || failed=$((failed + 1))
    report state=ready ready_seconds="$ready_seconds"
    [[ -n $reason ]] || continue
    completes 30 || {
      say "error: the server stopped answering: $answer" >&2
      end_with no_answer
    }
    # A tool that cannot work would fail at each point.
    if ((measured == 1)); then
      first_kind=$kind
    elif ((measured == 2)) && [[ -n $kind && $kind == "$first_kind" ]]; then
      broken="the first two points failed in the same way ($kind), and no request was completed"
      say "error: $broken; the others are not measured" >&2
    fi
  done
  say "done with ${#points[@]} points: $failed failed, $left are left for another job"
  ((left == 0)) || [[ -n $broken ]] || end_with no_time_left
  ((failed == 0)) || end_with points_failed
  end_with finished
}
