# ---- The search ---------------------------------------------------------------------------
# What is measured next follows from what was measured: $search_program says it. The use cases take turns, a probe each,
# so that when the time is up no search is without any answer.

command -v python3 >/dev/null ||
  end_with client_lacks "missing in the client's container: python3, with which a search decides (PATH there is $PATH)"
# All that may be probed; by use case, level and attempt, and by folder, its place there. $points has those that are taken.
readonly all_points=("${points[@]}") all_folders=("${folders[@]}") measured_before=("${are_finished[@]}")
points=() folders=() are_finished=() use_cases=()
# level_of LOAD: in REPLY, its level: requests in flight, or in a hundred seconds.
level_of() {
  local whole=${1#rate} decimals=00
  [[ $whole != *.* ]] || decimals=${whole#*.}0 whole=${whole%.*}
  [[ $1 != rate* ]] && REPLY=$1 || REPLY=$((10#$whole${decimals:0:2}))
}
# words_of LEVEL: in REPLY, for people; of "-", that there is none.
words_of() {
  local hundredths
  REPLY="$1 requests in flight"
  [[ $1 != - ]] || { REPLY=none && return; }
  [[ ${all_points[0]} == *\ rate* ]] || return 0
  printf -v hundredths %03d "$1"
  REPLY="${hundredths%??}.${hundredths: -2} requests a second"
}
declare -A place_of=()
for number in "${!all_points[@]}"; do
  read -r name isl osl level _ _ _ attempt _ <<<"${all_points[number]}"
  level_of "$level" && level=$REPLY
  place_of["$name $isl $osl $level $attempt"]=$number place_of[${all_folders[number]}]=$number
  [[ ${#use_cases[@]} != 0 && ${use_cases[-1]} == "$name $isl $osl" ]] || use_cases+=("$name $isl $osl")
done
# By use case: what is known of its levels, and for how long each was measured; the place of its next probe, or "none", and
# how many levels are probed from there on, at most; whether that probe is taken, and not judged yet. Then the use case whose
# turn it is, and the place of the present probe. By folder, why its probe failed for the first time.
declare -A known=() measured_at=() next_of=() levels_left=() is_taken=() failed_before=()
turn=0 present=0

# judge PLACE FOLDER [MILLISECONDS]: notes how many requests of a probe are over the limits, or that its load was not
# reached, and for how long they were in flight; none without a folder, for one that failed.
judge() {
  local name isl osl level attempt own words=failed requests load over=''
  read -r name isl osl load requests _ _ attempt own _ <<<"${all_points[$1]}"
  level_of "$load" && level=$REPLY name="$name $isl $osl" REPLIES=()
  [[ $load != rate* ]] || own_command "$own"
  # What cannot be read cannot tell.
  [[ -z $2 ]] || words=$(python3 -I -c "$search_program" count "$2" "$load" "${search_limits[@]}" -- "${REPLIES[@]}") ||
    words="${search_limits[*]/%=*/:0/0}"
  [[ $words != *:* ]] || over=' over the limits'
  words_of "$level" && say "$name, $REPLY: $words$over"
  known[$name]+="$level $attempt $words"$'\n' next_of[$name]='' is_taken[$name]=''
  [[ -z $2 || ${3:-0} == 0 ]] || measured_at[$name]+=" $level,$requests,$3"
}
# Of all places where clients that measure together meet, the end of a point is one for a single client, too.
meet() {
  REPLY=$2
  [[ $1 == *.end ]] || return 0
  local folder=${1%.end} judged='' name isl osl
  [[ $2 != *'|' ]] || judged=$run/$folder
  # One failure does not tell that a level is too high, unless it took as long as a point may. A prefix cache that is on
  # knows the prompts by then.
  if [[ -z $judged${failed_before[$folder]-} && $prefix_cache != on ]] && ((SECONDS - ${measured[5]-0} < point_timeout)); then
    read -r name isl osl _ <<<"${all_points[${place_of[$folder]}]}"
    say "$folder failed, and is measured once more"
    failed_before[$folder]="it was measured twice, since it failed at first: ${2#*|*|}" failed=$((failed - 1))
    is_taken["$name $isl $osl"]=again
    return 0
  fi
  judge "${place_of[$folder]}" "$judged" "$busy"
  # judge may not leave it otherwise.
  REPLY=$2
}
# record: as for any point; what failed at first is said in the end, too. A probe that was not judged is none that failed.
record() {
  local detail=${4:-${failed_before[$1]-}} name isl osl
  read -r name isl osl _ <<<"${all_points[${place_of[$1]}]}"
  [[ $2 != failed || -z ${is_taken["$name $isl $osl"]-} ]] || { is_taken["$name $isl $osl"]=${is_taken["$name $isl $osl"]#again} && return; }
  printf '%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "${5:+$5 $replica}" "${detail//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}
# look_ahead USE_CASE: in REPLY, the place of its next probe, or "none". What an earlier job measured is judged by its files.
look_ahead() {
  local word level attempt why place
  while [[ -z ${next_of[$1]-} ]]; do
    read -r word level attempt why < <(python3 -I -c "$search_program" next "$search_percentile" "${search_levels[@]}" <<<"${known[$1]-}") ||
      end_with client_failed "the search of $1 cannot go on"
    if [[ $word != probe ]]; then
      next_of[$1]=none
      words_of "$attempt" && why="$REPLY ($why)" && words_of "$level"
      say "the search of $1 has ended; within the limits: $REPLY; not within them: ${why/#none*/none}"
      break
    fi
    place=${place_of["$1 $level $attempt"]}
    next_of[$1]=$place levels_left[$1]=$why
    [[ -z ${measured_before[place]} ]] || judge "$place" "$results/${all_folders[place]}"
  done
  REPLY=${next_of[$1]}
}
# start_next: the tool of the next use case's probe, unless that follows from what is measured now.
start_next() {
  local number name
  [[ -z $next_pid$broken ]] || return 0
  for ((number = 0; number < ${#use_cases[@]}; number++)); do
    name=${use_cases[(turn + number) % ${#use_cases[@]}]}
    [[ -z ${is_taken[$name]-} ]] || return 0
    look_ahead "$name"
    [[ $REPLY == none ]] || break
  done
  # shellcheck disable=SC2086 # its words
  [[ $REPLY == none ]] || start_tool "${all_folders[REPLY]}" ${all_points[REPLY]}
}
# choose: takes the next probe; in REPLY, its place in $points. False at the end.
choose() {
  local tries=${#use_cases[@]} name
  while [[ -z $broken ]] && ((tries-- > 0)); do
    name=${use_cases[turn]} turn=$(((turn + 1) % ${#use_cases[@]}))
    [[ -z ${is_taken[$name]-} ]] || finish
    if [[ -n ${is_taken[$name]-} ]]; then
      # It was left out, and so is what would follow it.
      present=${next_of[$name]} next_of[$name]=none is_taken[$name]=''
      estimate
      record "${all_folders[present]}" 'left out' $((REPLY * levels_left[$name])) \
        "it would take about $REPLY s, more than were left, and the search needs ${levels_left[$name]} levels at most from there on"
    fi
    look_ahead "$name"
    [[ $REPLY != none ]] || continue
    present=$REPLY is_taken[$name]=yes
    points+=("${all_points[present]}") folders+=("${all_folders[present]}") are_finished+=('')
    REPLY=$((${#points[@]} - 1))
    return 0
  done
  return 1
}
# estimate: in REPLY, for how many seconds the present probe will run; 0 when nothing is known. With more in flight, a server
# generates no fewer tokens per second, and a round takes no less time. How much more time it takes is told by the two nearest
# levels below; twice as much is expected. No probe takes longer than the tool and its warm-up may.
estimate() {
  local name isl osl level requests seconds probe round rounds least=0 most=0 below=0 by_rate=0 by_rounds=0 at_least=0 at_below=0
  read -r name isl osl level requests _ _ _ _ seconds <<<"${all_points[present]}"
  # A rate says for how long requests are sent.
  REPLY=$((5 + fixed + seconds)) && [[ -z $seconds ]] || return 0
  REPLY=0
  [[ -n ${busy_of[_]-} ]] || return 0
  # One wave more is the warm-up.
  rounds=$(((requests + level - 1) / level + 1))
  for probe in ${measured_at["$name $isl $osl"]-}; do
    IFS=, read -r -a REPLIES <<<"$probe"
    round=$((REPLIES[2] * REPLIES[0] / REPLIES[1]))
    if ((REPLIES[0] <= level && REPLIES[0] > least)); then
      below=$least at_below=$at_least least=${REPLIES[0]} at_least=$round
      by_rate=$((REPLIES[2] * (requests + level) / REPLIES[1]))
    elif ((REPLIES[0] < least && REPLIES[0] > below)); then
      below=${REPLIES[0]} at_below=$round
    fi
    if ((REPLIES[0] >= level && (most == 0 || REPLIES[0] < most))); then
      most=${REPLIES[0]} by_rounds=$((REPLIES[2] * (requests / level + 2) / (REPLIES[1] / most)))
    fi
  done
  if ((below > 0)); then
    round=$((at_least + (at_least > at_below ? (at_least - at_below) * (level - least) / (least - below) : 0)))
    ((2 * round * rounds >= by_rate)) || by_rate=$((2 * round * rounds))
  fi
  # Of another use case, its work tells.
  ((least + most > 0)) || by_rate=$((busy_of[_] * rounds * ${osl%s*} / work_of[_]))
  ((most == 0 || least > 0 && by_rate < by_rounds)) || by_rate=$by_rounds
  REPLY=$((by_rate < 2000 * point_timeout ? by_rate : 2000 * point_timeout))
  REPLY=$((5 + fixed + REPLY / 1000))
}
