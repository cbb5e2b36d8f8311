# only_probes: from here on $points and $folders are those that the search took, in this job or in one that it resumes.
only_probes() {
  local number rows=("${points[@]}") names=("${folders[@]}") before=("${are_finished[@]}")
  points=() folders=() are_finished=()
  for number in "${!rows[@]}"; do
    [[ -n ${before[number]-} || -n ${said[${names[number]}]-} ]] || continue
    points+=("${rows[number]}") folders+=("${names[number]}") are_finished+=("${before[number]-}")
  done
}
