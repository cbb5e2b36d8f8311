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
