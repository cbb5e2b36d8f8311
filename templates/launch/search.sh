# only_probes: from here on $points and $folders are those that the search took, in this job or in one that it resumes.
# What a search that is not over would have probed next has no name yet.
only_probes() {
  local number rows=("${points[@]}") names=("${folders[@]}") before=("${are_finished[@]}")
  points=() folders=() are_finished=() unnamed=1
  [[ $code == [1-9] ]] || unnamed=0
  for number in "${!rows[@]}"; do
    [[ -n ${before[number]-} || -n ${said[${names[number]}]-} ]] || continue
    [[ -z ${own[${names[number]}]-} ]] || unnamed=0
    points+=("${rows[number]}") folders+=("${names[number]}") are_finished+=("${before[number]-}")
  done
}
# is_answered: true when a job that this one resumes, in REPLY, ended the search of each use case for the same limits on the
# same levels, and all probes that it went by count here.
is_answered() {
  local text folder number name isl osl
  local -A probes=() unanswered=()
  for number in "${!points[@]}"; do
    read -r name isl osl _ <<<"${points[number]}"
    unanswered["$name $isl $osl"]=yes
    [[ -z ${are_finished[number]} ]] || probes[${folders[number]}]="$name $isl $osl"
  done
  local use_cases=("${!unanswered[@]}")
  for REPLY in "${runs[@]:1}"; do
    text=$(text_of "$results/run_$REPLY.json")
    [[ $text == *$'\n  "exit_code": 0,\n'* && $text == *$'\n  "search": '"$search_goal"$',\n'* ]] || continue
    for name in "${use_cases[@]}"; do unanswered[$name]=yes; done
    while read -r folder; do
      [[ -n ${probes[$folder]-} ]] || continue 2
      unset "unanswered[${probes[$folder]}]"
    done < <(sed -n 's/^    {"folder": "\([^"]*\)".*/\1/p' <<<"$text")
    ((${#unanswered[@]} > 0)) || return 0
  done
  return 1
}
! is_answered || { to_start=0 && say "nothing to do: job $REPLY has ended the search, and nim-slurm report has its answer"; }
searches="searches: $((${#points[@]} / 2 / ${#search_levels[@]})), each on ${#search_levels[@]} levels of load, few of which it measures"
# What is left out may stand for all that follows it.
readonly levels_left_out=${#search_levels[@]}
