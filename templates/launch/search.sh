# only_probes: from here on $points and $folders are those that the search took, in this job or in one that it resumes.
only_probes() {
  local number said rows=("${points[@]}") names=("${folders[@]}") before=("${are_finished[@]}")
  said=$'\n'$(text_of "$run/points" | cut -d '|' -f 1)$'\n'
  points=() folders=() are_finished=()
  for number in "${!rows[@]}"; do
    [[ -n ${before[number]-} || $said == *$'\n'"${names[number]}"$'\n'* ]] || continue
    points+=("${rows[number]}") folders+=("${names[number]}") are_finished+=("${before[number]-}")
  done
}
