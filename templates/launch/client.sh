set -Eeuo pipefail

readonly url=127.0.0.1:$((port + replica)) tool=${client_command[0]}
readonly result_table=profile_export_${tool//-/_}.csv
# In a point's folder, what this server's client leaves of it.
own_part=
# With the hub said to be offline, AIPerf takes no folder for a tokenizer.
[[ $tool != aiperf || $tokenizer_path != /* ]] || unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
# The user's home is not in the container, and tools want to write to theirs. It may be another by the end.
own_home=$(mktemp -d)
export HOME=$own_home TMPDIR=$own_home
# keep NAME LINE...: this client's file of that name has these lines, whole or not at all.
keep() { { printf '%s\n' "${@:2}" >"$run/$1.$replica.part" && mv -T -- "$run/$1.$replica"{.part,}; } 2>/dev/null || true; }
# end_group PID: kills it with all of its group. The wait takes bash's own word about that out of the log.
end_group() { { kill -KILL -- "-$1" "$1" && wait "$1"; } 2>/dev/null || true; }
next_pid='' next_folder='' next_gate='' next_number=0
drop_next() {
  [[ -n $next_pid ]] || return 0
  end_group "$next_pid"
  rm -rf -- "$next_gate" "${run:?}/$next_folder$own_part" || true
  next_pid=
}
# The last act is to say how it ended: the step ends later, when its container is removed.
cause=client_failed
trap 'status=$?; trap "" TERM INT; drop_next; keep ended "$cause $status"; rm -rf -- "$own_home" || true' EXIT
end_with() {
  cause=$1
  (($# == 1)) || say "error: ${*:2}" >&2
  [[ $1 == finished ]] && exit 0 || exit 1
}
# report KEY=VALUE...: how far this client is; ms in flight / s from ready to the last result / points that were short.
in_flight=0 ready_at=0 result_at=0 too_short=0
report() { keep state "$@" "in_flight=$in_flight/$((result_at - ready_at))/$too_short"; }
# A few blocks are often left: a file that does not fit is not begun, and df rounds up.
stop_if_full() { ! df -P -k "$run" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' || end_with no_space "no space is left in $results"; }
# put_down WORD FOLDER: launch.sh brings out what lies there.
put_down() { mkdir -p "$run/$1" && mv -nT -- "$run/$2" "$run/$1/$2" && [[ ! -e $run/$2 ]]; }

# record FOLDER STATE SECONDS DETAIL [FIGURES]: a row for the manifest, of this server.
record() {
  printf '%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "${5:+$5 $replica}" "${4//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}

# meet PLACE WORDS: in REPLY, the word of all clients that measure together, once they have come to this place.
meet() { REPLY=$2; }

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in $answer.
answer='' refused=0 ready_seconds='' suspended=0
readonly error_event=$'(^|\n)event: *error|"error": *[{"]|"object": *"error"'
# is_own: true when what listens there is the user's. (65534 has no number in the container's namespace of users.)
is_own() {
  local owner
  answer="no program listens on port $((port + replica))"
  while read -r owner; do
    [[ $owner == "$EUID" || $owner != 65534 && $(cat /proc/self/uid_map) != *4294967295* ]] && answer='' && continue
    answer="another user's program listens on port $((port + replica))" && return 1
  done < <(awk -v port="$(printf '%04X' "$((port + replica))")" '{ split($2, at, ":") }
    $4 == "0A" && at[2] == port && at[1] ~ /^0+(FFFF0+)?$|0100007F$/ { print $8 }' /proc/net/tcp{,6} 2>/dev/null)
  [[ -z $answer ]]
}
is_healthy() {
  is_own || return 1
  answer=$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "http://$url$health_path") || true
  [[ $answer == 200 ]] || { [[ $answer != 40[13] ]] || refused=$answer; answer="$health_path answers $answer" && return 1; }
}
lists_model() {
  answer=$(curl --silent --max-time 5 --write-out '\n%{http_code}' "http://$url/v1/models" | head -c 1048576) || true
  [[ $answer == *"\"$served_model_name\""* ]] && return
  [[ $answer != *$'\n'40[13] ]] || refused=${answer##*$'\n'}
  local LC_ALL=C said=${answer:0:200} && answer="/v1/models does not name $served_model_name: ${said//[^ -~]/ }" && return 1
}
# chat TOKENS OPTION...: asks for so many tokens as the tool would, with the prompt on standard input.
chat() {
  {
    printf '{"model": "%s", "messages": [{"role": "user", "content": "' "$served_model_name"
    tr -d "\n"
    printf '"}], %s}' "${request_fields//: 4/: $1}"
  } | curl --silent --header 'Content-Type: application/json' --data @- "${@:2}" "http://$url/v1/chat/completions"
}
# completes SECONDS: one small completion, streamed. $refused is the HTTP status when it does not take such requests, or 0.
completes() {
  local status && refused=0
  answer=$(chat 4 --max-time "$1" --write-out '\n%{http_code}' <<<'Say hello.' | head -c 1048576) ||
    { answer="a small completion had no whole answer within $1 s" && return 1; }
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [[ $status == 200 && $answer == *data:*'"choices"'* && ! $answer =~ $error_event ]] && return
  answer=${answer:0:300} answer="a small completion failed with HTTP $status: ${answer//[[:cntrl:]]/ }"
  [[ ! $status =~ ^(40[01345]|422|501)$ ]] || refused=$status
  return 1
}

# nap SECONDS: in $suspended, for how long this job did not run, since Slurm suspended it. A busy node is late by less.
nap() {
  local from=$SECONDS
  sleep "$1" & wait $! || true
  ((SECONDS - from < 5 + ${1%.*})) || suspended=$((suspended + SECONDS - from))
}
wait_until_ready() {
  # A server that is not quite up may refuse once.
  local waited reported=0 refusals=0 pauses=(0.5 5)
  report state=loading
  until refused=0 && is_healthy && lists_model && completes 60 && is_own; do
    refusals=$((refused > 0 ? refusals + 1 : 0))
    ((refusals < 2)) ||
      end_with refused "the server does not take requests as $tool_name sends them: to /v1/chat/completions, without a key, beside" \
        "model and messages with $request_fields. $answer. If it wants a key, leave that out; if it does not take a field, write" \
        "ignore_eos = false or min_tokens = false under [client] in the recipe, or take it out of its options; then render launch.sh again"
    waited=$(($(printf '%(%s)T' -1) - server_started - suspended))
    ((waited < ready_timeout)) || end_with not_ready "the server was not ready within $ready_timeout s; $answer"
    if ((waited >= reported + 30)); then
      reported=$waited
      say "the server has been loading for $waited s: $answer"
      report state=loading waited_seconds="$waited" answer="${answer//[[:cntrl:]]/ }"
    fi
    nap "${pauses[refusals]}"
  done
  ready_seconds=$(($(printf '%(%s)T' -1) - server_started - suspended)) ready_at=$SECONDS result_at=$SECONDS
  [[ -e $gates/known ]] || drop_next
  say "the server is ready after $ready_seconds s"
  report state=ready ready_seconds=$ready_seconds
}

# ---- One point --------------------------------------------------------------------
# Why a point failed, and how, in a fixed word, if no request was completed; for how many milliseconds requests ran.
reason='' kind='' busy=0

# may_have_completed FOLDER: true unless no request was. GenAI-Perf writes nothing of any when one failed: then nobody knows.
may_have_completed() {
  [[ $tool == aiperf || $(find "$1" -name profile_export.json) ]] || { [[ $(find "$1" -name '*inputs.json') ]] && return; }
  [[ $(find "$1" -name 'profile_export.json*' -exec grep -El '"response_timestamps": *\[ *[0-9]|"request_latency"' {} +) ]]
}
# check_result FOLDER OUTPUT_TOKENS (128s20: with a spread) REQUESTS (1-500: so many are right): sets $busy, or a $reason.
check_result() {
  local folder=$1 table=$1/$result_table requests=$1/profile_export.jsonl usage='"usage_completion_tokens":' found answered cut thoughts usages untold
  # Some releases write into a folder of their own inside the one given. Those of phases are not of the whole run.
  found=$(find "$folder" -name phases -prune -o -name "$result_table" -type f -print)
  [[ -n $found && $found != *$'\n'* ]] || { reason="$tool_name left no $result_table, or several" && return 1; }
  [[ $found == "$table" ]] || { find "${found%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$folder" -- {} + && rmdir "${found%/*}"; }
  # AIPerf exits with 0, too, when requests failed, and when it was stopped.
  reason="${result_table%.csv}.json does not say that the run was not cancelled"
  [[ $tool != aiperf ]] || grep -Eq '"was_cancelled": *false' "${table%.csv}.json" || return 1
  # Of GenAI-Perf: answers with a text, broken off (an error, or no end), and with reasoning; quotes in texts are escaped twice.
  read -r answered cut thoughts < <({ cat -- "$folder/profile_export.json" 2>/dev/null || true; } | awk 'BEGIN { RS = "\"timestamp\":" }
    sub(/.*"response_outputs":/, "") {
      texts += text = /\\"content\\": *\\"([^\\]|\\\\)/; thoughts += /[^\\]\\"reasoning(_content)?\\": *\\"([^\\]|\\\\)/
      cut += error = !/[^\\]"text_output":/ && /[^\\]\\"(error\\": *([{]|\\"[^\\])|object\\": *\\"error\\")/
      if (/data: \[DONE]|[^\\]\\"finish_reason\\": *\\"[^\\]/) ended++; else open += text && !error
    } END { print texts + 0, cut + (ended > open ? open : 0), thoughts + 0 }')
  # Of AIPerf: those with the usage that a server tells at the end, and those without.
  usages=$(grep -sc "$usage" "$requests") untold=$(grep -s '"request_latency":' "$requests" | grep -vc "$usage") || true
  reason=$(awk -v exact="$([[ $request_fields == *min_tokens*ignore_eos* ]] && echo yes)" -v name="$result_table" -v osl="$2" -v requests="$3" -v most="${3#*-}" \
    -v answered="$answered" -v usages="$usages" -v untold="$untold" -v cut="$cut" -v thoughts="$thoughts" -v tool="$tool_name" '
    {
      label = tolower($0); sub(/ *[(,].*/, "", label); sub(/\r$/, "")
      # Numbers of 1,000 and more are quoted and have commas; N/A, inf and nan are none.
      while (match($0, /"[^"]*"/)) { text = substr($0, RSTART + 1, RLENGTH - 2); gsub(/,/, "", text); sub(/"[^"]*"/, text) }
      split($0, cell, ",")
      if (!(label in of)) { of[label] = cell[2] ~ /^[0-9]+(\.[0-9]+)?$/ ? cell[2] : "no"; least[label] = cell[3] }
    }
    END {
      # GenAI-Perf before 25.01 counts no requests; before 24.07 it has another name for the output.
      counted = "request count" in of ? of["request count"] : answered
      counter = "request count" in of ? name " counts" : "profile_export.json has"
      failed = of["error request count"]; rate = of["request throughput"] + 0; output = of["output sequence length"] of["num output token"]
      # How far the output is off, beyond what is allowed. (busybox may have no roots and powers.)
      off = (output - osl > 0 ? output - osl : osl - output) - 0.2 * osl
      split(osl, part, "s"); osl += 0
      # By the server, where it told of each; the text of a whole answer may have far fewer.
      by_server = usages > 0 && usages == counted + 0
      shortest = least[by_server ? "usage completion tokens" : "output sequence length"]
      if (cut > 0) print "answers that the server broke off, by an error or without an end: " cut
      else if (usages > 0 && untold > 0) print "answers that the server broke off, which told the usage of all others: " untold
      else if (thoughts > 0)
        print "answers with reasoning_content, which " tool " does not count: " thoughts "; take AIPerf as the client, or turn thinking off"
      else if (counted + 0 < requests + 0 || counted + 0 > most || failed !~ /^[0.]*$/)
        print counter " " counted " requests, " requests " were asked for" (failed ? "; requests that failed: " failed : "") \
          (requests != most && counted + 0 > most ? ", so prompts came again: write prompts = " 2 * counted " there" : "")
      else if (off > 0 && off * off * counted > 9 * part[2] * part[2])
        print name " gives " (output == "" ? "no" : output) " tokens as the average output, " osl " were asked for"
      else if (exact && part[2] == "" && shortest ~ /^[0-9]/ && shortest < (by_server ? 0.8 : 0.2) * osl)
        print "an answer has " shortest " tokens, " osl " were asked for: it was cut off, or the server ignores ignore_eos"
      else if (of["output token throughput"] + 0 <= 0)
        print name " says that no tokens were generated"
      else # a rate has two decimals, and may be 0.00
        printf "%d", 1000 * ("benchmark duration" in of ? of["benchmark duration"] : rate > 0 ? counted / rate : 0)
    }' "$table")
  [[ $reason =~ ^[0-9]+$ ]] || { reason=${reason:-"$result_table cannot be checked"} && return 1; }
  busy=$reason reason=''
}

# ---- The warm-up, and the server's prefix cache -------------------------------------
# warm_up INPUT_TOKENS OUTPUT_TOKENS REQUESTS SEED: one wave of requests like the point's, whose prompts are common words.
warm_up() {
  local number requests=() answered=0
  for ((number = 1; number <= $3; number++)); do
    awk -v tokens="$1" -v state=$(($4 + number)) 'BEGIN {
      count = split("time year people way day man thing woman life child world school state family group hand part", word, " ")
      while (tokens-- > 0) printf "%s ", word[(state = state * 16807 % 2147483647) % count + 1]
    }' | chat "${2%s*}" --fail --max-time "$point_timeout" --output /dev/null &
    requests+=($!)
  done
  for number in "${requests[@]}"; do ! wait "$number" || answered=$((answered + 1)); done
  say "$( ((answered == $3)) || echo 'error: ')warm-up: $answered of $3 requests were answered"
  keep warm "$answered"
}
# ask_counters: what the server counts. tokens_made: of all answers, where it counts them.
# cache_use BEFORE AFTER: in REPLY, tokens that its prefix cache was asked for, and had.
ask_counters() {
  { curl --silent --fail --max-time 5 "http://$url/metrics" || curl --silent --max-time 5 "http://$url/v1/metrics"; } | head -c 16777216 || true
}
tokens_made() { ask_counters | awk '/^([a-z]+:)?generation_tokens(_total)?[{ ]/ { made += $NF } END { printf "%.0f", made }'; }
cache_use() {
  REPLY=$(awk '
    sub(/_total([{].*[}])? /, " ") { rise[$1] += NR == FNR ? -$2 : $2; if (NR == FNR) before[$1] }
    END {
      # vLLM has had two names for the same, and both at once. A server that restarted counts from 0.
      split("vllm:prefix_cache_queries vllm:prefix_cache_hits vllm:gpu_prefix_cache_queries vllm:gpu_prefix_cache_hits" \
        " sglang:prompt_tokens sglang:cached_tokens", name, " ")
      for (i = 1; i in name && !(name[i] in before); i += 2);
      if (!(i in name)) exit
      asked = rise[name[i]]; found = rise[name[i + 1]]
      # vLLM asks again for a request that waits for memory, and finds what is its own once it lost its place.
      if (rise["vllm:num_preemptions"] > 0 || rise["vllm:prompt_tokens"] && asked > 1.05 * (rise["vllm:prompt_tokens"] + found)) exit
      if (asked >= 0 && asked < 1e15 && found >= 0 && found < 1e15) printf "%.0f %.0f", asked, found
    }' <(cat <<<"$1") <(cat <<<"$2"))
  REPLY=${REPLY:-null null}
}
# check_cache "LOOKED_UP FOUND": true unless more came out of the cache than the recipe allows, else with a $reason.
check_cache() {
  [[ $prefix_cache != on && $1 != null* ]] && ((100 * ${1#* } > ${1% *})) || return 0
  reason="${1#* } of ${1% *} prompt tokens came out of the prefix cache, with prefix_cache = \"$prefix_cache\" in the recipe" && return 1
}

# ---- The gate -----------------------------------------------------------------------
# A tool starts and evaluates for seconds, in which the GPUs would have nothing to do. So the next point's starts ahead and
# waits at its gate, a folder, until "open" is there. When its requests have ended, it says in "over" for how many ms they
# ran, and evaluates beside the next point. A tool never seen at its gate ("known") is started in its turn.

readonly gates=$own_home/gates
mkdir "$gates"
# GenAI-Perf waits where it runs this,
cat >"$gates/perf_analyzer" <<'GATE'
#!/usr/bin/env bash
: >"${NIM_SLURM_GATE%/*}/known"
# Some of its prompts begin alike, so each gets four letters of its own in place of its first three words, which are as
# many tokens; those of a data set stay. All releases write a value a line, and JSON has no space within an escape sequence.
for word; do [[ ${before-} != --input-data ]] || inputs=$word; before=$word; done
awk -v left="$NIM_SLURM_PROMPTS" -v seed="$NIM_SLURM_SEED" -v letters="$(printf %s {a..z} {A..Z})" '{
    own = "\"content\": \""
    for (n = seed + left; length(own) < 20; n = int(n / 52)) own = own substr(letters, n % 52 + 1, 1) " "
    if (left != "") left -= sub(/^ *"content": "( *[^ ]* [^ ]* [^ ]* )?/, own)
    print
  }
  END { exit left != "" && left != 0 }' <"${inputs-}" >"$inputs.part" && mv -- "$inputs"{.part,} || {
  echo "error: not each of $NIM_SLURM_PROMPTS prompts in ${inputs-no file} got a beginning of its own; is space left?" >&2
  rm -f -- "${inputs-}"{,.part}
  exit 1
}
until [[ -e $NIM_SLURM_GATE/open ]]; do [[ -d $NIM_SLURM_GATE ]] && sleep 0.1 || exit; done
PATH=${PATH/"${NIM_SLURM_GATE%/*}:"/} began=$SECONDS
perf_analyzer "$@" || exit
echo $((1000 * (SECONDS - began))) >"$NIM_SLURM_GATE/over" || true
GATE
chmod +x "$gates/perf_analyzer"
# and AIPerf where it starts its load.
[[ -z ${aiperf_gate-} ]] || printf '%s' "$aiperf_gate" >"$gates/sitecustomize.py"
declare -A facts=() words_of=()
# start_tool FOLDER WORD...: the tool of the point with this row of words, which waits unless it is the present one.
start_tool() {
  local part=$run/$1$own_part gate output
  # Of a point that was begun before, what is left is no part of this result.
  { gate=$(mktemp -d "$gates/XXXXXX") && rm -rf -- "$part" && mkdir -p "$part"; } || { stop_if_full && exit 1; }
  next_folder=$1 next_gate=$gate
  [[ $current != "$1" ]] || open_gate
  facts=([url]=$url [tokenizer]=$tokenizer_path [folder]=$part [input_tokens]=$3 [output_tokens]=$4 [concurrency]=$5
    [rate]=${5#rate} [requests]=$6 [prompts]=$7 [seed]=$8 [data]=$part/data)
  REPLIES=("${client_command[@]}")
  [[ -z ${10-} ]] || own_command "${10}" "$7" "$8"
  fill "${REPLIES[@]}"
  # What it prints waits with it, and outlives Slurm's word to stop as it does.
  exec {output}> >(
    trap '' TERM
    until [[ -e $gate/open ]]; do [[ -d $gate ]] && sleep 0.1 || exit 0; done
    exec tee "$gate/log"
  )
  # A process group of its own, so that nothing that it started outlives it.
  set -m
  {
    # Slurm's word to stop comes to all processes at once: a tool that has measured still evaluates.
    trap '' TERM
    NIM_SLURM_GATE=$gate NIM_SLURM_PROMPTS=${facts[prompts]} NIM_SLURM_SEED=$8 PATH=$gates:$PATH \
      PYTHONPATH=$gates${PYTHONPATH:+:$PYTHONPATH} exec "${REPLIES[@]}"
  } </dev/null >&"$output" 2>&1 {output}>&- &
  next_pid=$!
  set +m
  exec {output}>&-
}
open_gate() { : >"$next_gate/open" || { stop_if_full && exit 1; }; }
# take NUMBER [ahead]: true when this point is for this client. start_next: the tool of the next one that is not finished.
take() { true; }
start_next() {
  [[ -z $next_pid$broken ]] || return 0
  while ((next_number < ${#points[@]})) && [[ ${folders[next_number]} != "$current" ]]; do
    if [[ -z ${are_finished[next_number]} ]] && take $((next_number + 1)) ahead; then
      # shellcheck disable=SC2086 # its words
      start_tool "${folders[next_number]}" ${points[next_number]}
      return
    fi
    next_number=$((next_number + 1))
  done
}

# ---- One point, from its warm-up to its result ----------------------------------------
# Ends when the server has twice in a row shown no sign of life: that it made tokens, or else that it answers. A small
# completion would wait behind all others where they are too many.
watch_server() {
  local failures=0 made before
  made=$(tokens_made)
  while ((failures < 2)) && sleep "$probe_interval"; do
    before=$made made=$(tokens_made)
    is_healthy && { ((made > before)) || completes "$probe_interval"; } && failures=0 || failures=$((failures + 1))
  done
  ((failures < 2)) || say "error: the server stopped answering: $answer" >&2
}

tool_pid='' watcher='' began=0 current='' gate='' limit='' late='' stopping=
# Of points whose tools evaluate, the oldest first, the 12 words each that settle needs.
measured=() failed=0 kinds=() broken=
# runs PID [LIMIT]: true while it does; one that does at LIMIT, in $SECONDS, is killed with its group.
runs() {
  [[ -z ${2-} ]] || ((SECONDS < $2)) || { late+=" $1 " && end_group "$1"; }
  kill -0 "$1"
} 2>/dev/null
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stopping=signal
  [[ -z $watcher ]] || kill -KILL -- "-$watcher" 2>/dev/null || true
  # It leaves no results in any case. The warm-up has no group, and ends with the step.
  [[ -z $tool_pid ]] || end_group "$tool_pid"
  # All requests of these have their answers; launch.sh waits for them for so long as there is time.
  ((parts > 0)) || finish
  end_with client_stopped
}

# How long a point will take: start and end as the longest so far, requests by their work (tokens that one stream generates)
# as in the use case's last point. Where the load says for how long requests are sent, WORK is that time, as ms below 0.
fixed=0
declare -A busy_of=() work_of=()
# learn USE_CASE WORK SECONDS BUSY: what a point took.
learn() {
  local use_case busy=$(($2 < 0 ? -$2 : $4)) # a rate has two decimals, so that of long requests is rough
  ((busy > 0 && busy <= 1000 * $3)) || busy=$((1000 * $3))
  fixed=$((fixed > $3 - busy / 1000 ? fixed : $3 - busy / 1000))
  (($2 < 0)) || for use_case in "$1" _; do busy_of[$use_case]=$busy work_of[$use_case]=$2; done
}
# estimate USE_CASE WORK: in REPLY, the seconds; 0 when nothing is known.
estimate() {
  local like=$1
  [[ -n ${busy_of[$like]-} ]] || like=_
  REPLY=$((${#busy_of[@]} == 0 ? 0 : 5 + fixed + ${busy_of[$like]:-0} * $2 / ${work_of[$like]:-1} / 1000))
  (($2 >= 0)) || REPLY=$((5 + fixed - $2 / 1000))
}

# is_over: the tool works, and has all its answers. Who measures together waits for the result.
is_over() { ((parts == 0)) && [[ -n $gate && -s $gate/over ]] && may_have_completed "$run/$current"; }
# watch: until the tool has ended, or its requests have; ends this client when the server stops answering meanwhile.
watch() {
  set -m
  watch_server &
  watcher=$!
  set +m
  while runs "$tool_pid" "$limit" && ! is_over; do
    settle
    if ! runs "$watcher"; then
      # When Slurm ends the step, its signal may come to these two a moment before it comes here.
      sleep 0.5 || true
      end_group "$tool_pid"
      record "$current" failed $((SECONDS - began)) "the server stopped answering"
      stopping=yes
      finish
      end_with no_answer
    fi
    [[ ! -e $gates/known ]] || start_next
    nap 0.2
  done
  end_group "$watcher"
}

# measure FOLDER WAVE WORK POINT...: WAVE requests warm the server up; of a rate, so many as come in a second.
measure() {
  local folder=$1 before warm warm_time problem='' pid
  began=$SECONDS current=$folder gate='' limit='' suspended=0
  # Should this job end before it is measured.
  record "$folder" interrupted '' ''
  warm_up "${5/data/${words_of[$4]-}}" "$6" "$2" "${10}" &
  tool_pid=$!
  watch
  warm_time=$((SECONDS - began)) tool_pid=
  meet "$folder.begin" ready
  if ((warm_time >= point_timeout)); then
    problem="the warm-up took $warm_time s, and the point may take $point_timeout"
  elif [[ $prefix_cache == flush ]] && ! empty_cache; then
    problem=$reason
  else
    before=$(ask_counters)
    if [[ $next_folder == "$folder" ]] && runs "$next_pid"; then open_gate; else drop_next && start_tool "$1" "${@:4}"; fi
    tool_pid=$next_pid gate=$next_gate limit=$((SECONDS + point_timeout)) next_pid='' next_number=$((next_number + 1))
    watch
  fi
  warm=$(<"$run/warm.$replica") || stop_if_full
  [[ -n $problem ]] || is_own || problem=$answer
  ((suspended == 0)) || problem="the job was suspended for about $suspended s meanwhile"
  REPLY='null null' pid=$tool_pid
  [[ -n $problem ]] || cache_use "$before" "$(ask_counters)"
  # Both at once, also for a signal.
  measured+=("$folder" "$4" "$6" "$8" "$3" "$began" "$warm_time" "${warm:-0} $REPLY" "$problem" "$gate" "$pid" "$limit") \
    tool_pid='' current=''
  finish 12
  if runs "$pid"; then
    renice -n 19 -g "$pid" >/dev/null 2>&1 || true
    ((suspended > 0)) || learn "$4" "$3" $((SECONDS - began)) $(($(<"$gate/over") + 1000 * warm_time))
  fi
  settle
}
# finish [WORDS]: until all points are settled, or no more are left than have so many words in $measured.
finish() {
  while ((${#measured[@]} > ${1-0})); do settle; sleep 0.2 || true; done
}
# settle: what the oldest point is, once its tool has ended.
settle() {
  ((${#measured[@]} > 0)) && ! runs "${measured[@]:10:2}" || return 0
  set -- "${measured[@]}"
  local folder=$1 part=$run/$1$own_part figures=$8 gate=${10} pid=${11} status=0 seconds state=finished detail=''
  kind='' busy=0 reason=$9
  mkdir -p "$part" || stop_if_full
  if [[ -n $pid ]]; then
    wait "$pid" || status=$?
    [[ $late != *" $pid "* ]] || status=124
    ((status == 0)) || sleep 0.5 || true
    kill -KILL -- "-$pid" 2>/dev/null || true
    # The signal came to the tool, too: that is no failure.
    [[ $status == 0 || $stopping != signal ]] || { measured=("${measured[@]:12}") && return; }
    case $status in
      0)
        [[ -n $reason || $tool == aiperf || -e $gates/known ]] ||
          reason="$tool_name did not take perf_analyzer from PATH, so prompts may repeat"
        [[ -z $reason ]] && check_result "$part" "$3" "$4" && check_cache "${figures#* }" || kind="no valid result"
        ;;
      124 | 137) kind=timeout reason=${reason:-"$tool_name did not end within $point_timeout s, or was killed"} ;;
      *) kind="exit status $status" reason="$tool_name exited with status $status" ;;
    esac
  fi
  seconds=$((SECONDS - $6))
  # With a request completed, the tool works, whatever went wrong then.
  [[ -z $kind ]] || ! may_have_completed "$part" || kind=
  [[ -z $reason || -z $gate || ! -e $gate/log ]] || mv -- "$gate/log" "$part/$tool.log" || stop_if_full
  # The point is what all servers that measure it make of it, and the first one's client its keeper.
  meet "$folder.end" "$kind|$figures|$reason"
  IFS='|' read -r kind figures reason <<<"$REPLY"
  # A signal here would lose the point. launch.sh ends what does not hear it.
  trap '' TERM INT
  measured=("${measured[@]:12}")
  if ((parts == 0 || replica == 0)); then
    ((parts > 0 || replicas == 1)) || detail="on server $replica"
    [[ -n $reason ]] || put_down finished "$folder" || reason="it is valid, and could not be stored as $results/$folder"
    [[ -z $reason ]] || state=failed detail=$reason
    record "$folder" $state $seconds "$detail" "$figures"
    [[ $state == finished ]] || { stop_if_full && put_down failed "$folder"; } || stop_if_full
  fi
  [[ $stopping == signal ]] || trap on_signal TERM INT
  kinds+=("$kind")
  if [[ -z $reason ]]; then
    learn "$2" "$5" $seconds $((busy > 0 ? busy + 1000 * $7 : 0))
    in_flight=$((in_flight + busy)) result_at=$SECONDS
    ((parts > 0 && replica > 0 || busy == 0 || busy >= 10000)) || too_short=$((too_short + 1))
    say "finished: $folder, $seconds s" && return
  fi
  say "error: $folder failed: $reason" >&2
  # While another point is measured, its watcher asks.
  [[ -n $stopping$current${measured[*]} ]] || completes 30 || end_with no_answer "the server stopped answering: $answer"
  failed=$((failed + 1))
  # A tool that cannot work would fail at each point.
  if [[ ${#kinds[@]} == 2 && -n $kind && $kind == "${kinds[0]}" ]]; then
    broken="the first two points failed in the same way ($kind), and no request was completed"
    say "error: $broken; the others are not measured" >&2
  fi
}

# choose COUNT: in REPLY, the place of the point that follows so many; false at the end.
choose() { REPLY=$1 && (($1 < ${#points[@]})); }
main() {
  local point row use_case load wave work folder needed time_up time_left number=0 left=0 absent='' command
  # A hook may have used these names.
  measured=() failed=0 kinds=() broken=''
  # No proxy is between it and the server: perf_analyzer misreads no_proxy. The hub is asked by that of https.
  export https_proxy="${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY-}}}}" && unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in "$tool" curl awk find df; do command -v "$command" >/dev/null || absent+=", $command"; done
  [[ $tokenizer_path != /* || -e $tokenizer_path ]] || absent+=", the tokenizer $tokenizer_path (in its image, or under a mount)"
  [[ -z $absent ]] || end_with client_lacks "missing in the client's container: ${absent:2} (PATH there is $PATH)"
  start_next
  wait_until_ready
  while choose "$number"; do
    point=${points[REPLY]} folder=${folders[REPLY]} number=$((REPLY + 1))
    read -r -a row <<<"$point"
    use_case=${row[0]} load="concurrency ${row[3]}" wave=${row[3]}
    case $wave in
      rate*) load="${wave#rate} requests/s" wave=${wave#rate} wave=$((${wave/.*/+1})) ;;
      schedule) load='as its trace says' wave=1 ;;
    esac
    [[ -z ${are_finished[number - 1]} ]] || { say "point $number of ${#points[@]} is finished already: $folder" && continue; }
    # One round more is the warm-up.
    work=$((${row[9]-0} > 0 ? -1000 * row[9] : ((${row[4]#*-} + wave - 1) / wave + 1) * ${row[2]%s*}))
    take "$number" || continue
    [[ -z $broken ]] || { record "$folder" 'not run' '' "$broken" && continue; }
    time_up=$(cat "$run/state.until" 2>/dev/null) || true
    if [[ -n $time_up ]]; then
      estimate "$use_case" "$work"
      # One judges for all; else some might wait for one that leaves the point out.
      meet "$folder.time" "$REPLY $((time_up - reserve - $(printf '%(%s)T' -1)))"
      needed=${REPLY% *} time_left=$((${REPLY#* } > 0 ? ${REPLY#* } : 0))
      if ((time_left == 0 || needed > time_left)); then
        say "point $number of ${#points[@]} is left out: it would take about $needed s, and $time_left s are left"
        record "$folder" 'left out' "$needed" "it would take about $needed s, and $time_left s were left"
        left=$((left + 1))
        continue
      fi
    fi
    say "point $number of ${#points[@]}: $use_case ${row[1]}/${row[2]%s0}, $load, ${row[4]} requests"
    report state=measuring ready_seconds="$ready_seconds" point="$number $point"
    next_number=$((number - 1))
    measure "$folder" "$wave" "$work" "${row[@]}"
  done
  finish
  report state=ready ready_seconds="$ready_seconds"
  say "done with ${#points[@]} points: $failed failed, $left are left for another job"
  ((left == 0)) || [[ -n $broken ]] || end_with no_time_left
  ((failed == 0)) || end_with points_failed
  end_with finished
}
