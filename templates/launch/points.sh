# point_folder USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY...: true when the point is finished, by this job or by one
# that it resumes. REPLY is its folder's name, or the one that it will get.
point_folder() {
  local stem=${result_name}_${gpus}_$4_$1_$2_$3 id
  for id in "${runs[@]}" ''; do
    ! counts "$results/${stem}_$id" "$@" || break
  done
  REPLY=${stem}_${id:-$job_id}
  [[ -n $id ]]
}

# look_up USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY...: in REPLIES, the point's folder, and what the client last
# said of it: a state (finished, failed, interrupted, left out, not run), seconds, a detail for people, and how many
# requests warmed the server up, tokens were looked up in its prefix cache, and found there.
look_up() {
  local folder state='not run' seconds='' figures='null null null' detail='' said is_there='' number='(null|0|[1-9][0-9]{0,14})'
  ! point_folder "$@" || state=finished is_there=yes
  folder=$REPLY
  said=$(text_of "$run/points" | awk -F '|' -v folder="$folder" '$1 == folder' | tail -n 1 | cut -b -2000) || true
  [[ -z $said ]] || IFS='|' read -r _ state seconds figures detail <<<"$said"
  # The client's image may have written anything: a point is finished when its folder is there.
  [[ $state != finished || -n $is_there ]] || state=failed detail="its results are not there"
  [[ $state =~ ^(finished|failed|interrupted|left\ out|not\ run)$ ]] || state='not run'
  [[ $seconds =~ ^(0|[1-9][0-9]{0,8})$ ]] || seconds=
  [[ $figures =~ ^$number\ $number\ $number$ ]] || figures='null null null'
  local LC_ALL=C
  REPLIES=("$folder" "$state" "$seconds" "${detail//[^ -~]/?}" "$figures")
}
