# Of the points in their order: folder, and whether it is finished. By folder: the others, and why it could not be stored.
folders=() are_finished=()
declare -A own=() tried=()
name_points() {
  local point use_case isl osl concurrency repeat stem id
  folders=() are_finished=() own=() tried=()
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency _ _ _ repeat _ <<<"$point"
    stem=${result_name}_${gpus}_${concurrency}_${use_case}_${isl}_${osl}_r$repeat stem=${stem%_r1}
    for id in "${runs[@]}" ''; do
      ! counts "$results/${stem}_$id" "$point" || break
    done
    folders+=("${stem}_${id:-$job_id}") are_finished+=("${id:+yes}")
    [[ -n $id ]] || own[${stem}_$job_id]=$point
  done
}

# hear: in $said, by its folder, the last row of each point that clients wrote.
declare -A said=()
hear() {
  local folder row
  while IFS='|' read -r folder row; do said[$folder]=$row; done < <(text_of "$run/points" 5 | LC_ALL=C awk -F '|' '
    NR == FNR { last[$1] = $1 "|"; next }
    $1 in last { last[$1] = substr($0, 1, 2000) }
    END { for (folder in last) print last[folder] }' <(printf '%s\n' "${folders[@]}") -)
}
# look_up FOLDER: in REPLIES, what the client said: state, seconds, detail, and the four numbers at the end of a manifest's row.
look_up() {
  local state seconds figures detail number='(null|0|[1-9][0-9]{0,14})' LC_ALL=C
  IFS='|' read -r state seconds figures detail <<<"${said[$1]-}"
  # The client's image may have written anything: a point is finished when its folder is there.
  [[ -v own[$1] ]] || state=${state:-finished}
  [[ ! -v own[$1] || $state != finished ]] || state=failed detail=${tried[$1]-its results are not there}
  [[ $state =~ ^(finished|failed|interrupted|left\ out|not\ run)$ ]] || state='not run'
  [[ $seconds =~ ^(0|[1-9][0-9]{0,8})$ ]] || seconds=
  [[ $figures =~ ^$number\ $number\ $number\ $number$ ]] || figures='null null null null'
  REPLIES=("$state" "$seconds" "${detail//[^ -~]/?}" "$figures")
}
