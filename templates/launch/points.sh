# point_folder USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY: true when the point
# is finished, by this job or by one that it resumes. $folder is its folder's name,
# or the one that it will get. The client uses it, too.
point_folder() {
  local stem=${result_name}_${gpus}_$4_$1_$2_$3 id
  for id in "${runs[@]}"; do
    folder=${stem}_$id
{%- if alike %}
    # With all its parts: another number of servers, or one alone, is another measurement.
    [[ ! -d $results/$folder/server-$((replicas - 1)) || -e $results/$folder/server-$replicas ]] || return 0
{%- else %}
    # Not one that several servers measured together.
    [[ ! -d $results/$folder || -e $results/$folder/server-0 ]] || return 0
{%- endif %}
  done
  folder=${stem}_$job_id
  return 1
}

# look_up USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY: $folder, and what the
# client last said of the point: $status, $seconds and $detail.
look_up() {
  status='not run' seconds='' detail=''
  if point_folder "$@"; then
    status=finished
  fi
  [[ -e $run/points ]] || return 0
  local said
  said=$(awk -F '|' -v folder="$folder" '$1 == folder { said = $0 } END { print said }' "$run/points")
  [[ -z $said ]] || IFS='|' read -r _ status seconds detail <<<"$said"
}
