# ---- Several servers --------------------------------------------------------------------
((parts == 0)) || own_part=/server-$replica
# Clients that measure together wait for each other. The first one's word counts, but for the end of a point: of it, a kind
# that all have, the sums of their figures, and the first reason.
meet() {
  local here=$run/meet.$1 number words=() kind figures='' reason='' said
  REPLY=$2
  ((parts > 0)) || return 0
  keep "meet.$1" "$2"
  [[ -e $here.$replica ]] || { stop_if_full && end_with no_space "nothing can be written in $results; is a quota used up?"; }
  for ((number = 0; number < parts; number++)); do
    until [[ -e $here.$number ]]; do
      # Who ended comes no more, but may have come before.
      [[ ! -e $run/ended.$number || -e $here.$number ]] ||
        end_with left_alone "the client of server $number ended before it came to $1"
      sleep 0.1
    done
    words[number]=$(<"$here.$number")
  done
  REPLY=${words[0]} kind=${words[0]%%|*}
  [[ $1 == *.end ]] || return 0
  for number in "${!words[@]}"; do
    said=${words[number]}
    [[ $kind == "${said%%|*}" ]] || kind=
    said=${said#*|} figures+=${said%%|*}$'\n' said=${said#*|}
    reason=${reason:-${said:+on server $number: $said}}
  done
  figures=$(awk '{ warm += $1; asked += $2; found += $3; if ($2 == "null") none = 1 }
    END { print warm, none ? "null null" : sprintf("%.0f %.0f", asked, found) }' <<<"${figures%$'\n'}")
  REPLY="$kind|$figures|$reason"
}
# Each point is for the client that comes to it first; the last ones are not taken ahead, and a broken tool takes none.
taken=' '
take() {
  local number free=0
  ((parts == 0)) && [[ $taken != *" $1 "* ]] || return 0
  [[ -z $broken ]] || { [[ ! -d $run/taken.$1 ]]; return; }
  for number in "${!points[@]}"; do
    [[ -n ${are_finished[number]} || -d $run/taken.$((number + 1)) ]] || free=$((free + 1))
  done
  [[ -z ${2-} || -z $current ]] || ((free >= replicas)) || return 1
  mkdir "$run/taken.$1" 2>/dev/null && taken+="$1 " && return
  [[ -d $run/taken.$1 ]] || stop_if_full
  return 1
}
