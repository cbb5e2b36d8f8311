# Points in progress: all of results that the client's container sees. It may put anything there, so only regular files
# are opened, and what launch.sh needs for itself lies elsewhere.
readonly run=$results/.run_$job_id
own_folder "$run"
# Steps add to logs of an earlier run of this job, and not to what somebody put in their place.
for log in "$logs"/{server,benchmarking}_"$job_id".*out; do
  [[ -f $log && ! -L $log ]] || rm -f -- "$log" || fail "${log//[[:cntrl:]]/?} is no file: remove it"
done

# in_run FOLDER COMMAND...: runs it in this folder below $run, and in none that a client has put a link to there.
in_run() {
  (cd -- "$1" && [[ $(env pwd -P) == "$(cd -- "$results" && env pwd -P)${1#"$results"}" ]] || exit 2
    "${@:2}") 2>/dev/null
}
# store FOLDER TARGET [MEASUREMENT]: copies what a client left to TARGET, and removes it. Who still has the folder open
# has nothing of the copy, which is looked at before it gets its name: files and folders alone, and none is setuid. It
# has 16 GiB at most, and $seconds_left.
store() {
  local name=${1##*/} copy=$results/.stored_$job_id strange=yes
  rm -rf -- "$copy" && mkdir -m 700 -- "$copy" || return 1
  # tar follows no link on its way. Its 1 means that something changed meanwhile. A tar that reads leaves the last blocks.
  ! { in_run "${1%/*}" timeout "$seconds_left" tar -Scf - --mode=a-s,u+rwX -- "./$name" || (($? == 1)); } |
    head -c 17179869184 | { tar -C "$copy" -xf - 2>/dev/null && cat >/dev/null; } ||
    strange=$(find "$copy" ! -type d ! -type f -print -quit)
  if [[ -n $strange ]]; then
    say "error: what the client left of $name stays in ${run##*/}: it has links or devices, or is too much to copy" >&2
    return 1
  fi
  (($# < 3)) || put "$copy/$name/measurement.txt" "$3" || return 1
  mkdir -p "${2%/*}" && mv -nT -- "$copy/$name" "$2" && [[ ! -e $copy/$name ]] || return 1
  (($# < 3)) || unset "own[$name]"
  in_run "${1%/*}" timeout "$seconds_left" rm -rf -- "./$name" || true
}
# own_name NAME: frees a name of this job in results from what is no folder of the user's.
own_name() {
  local path=$results/$1
  [[ ! -e $path && ! -L $path || -d $path && ! -L $path && -O $path ]] || set_aside "$path" refused
}
# In failures, the logs of points that failed, as they are stored.
failures=()
# store_points [all]: what clients have put down gets its final name, and what was measured is written down there. What
# an unfinished point left is no result, but it is data; "all" is for when no client is at work any more. All points
# together have $store_seconds.
store_seconds=60 seconds_left=60
store_points() {
  local left name word target end=$((SECONDS + store_seconds))
  for left in "$run"/{finished,failed}/* ${1:+"$run"/*}; do
    name=${left##*/} word=failed
    [[ -e $left && -n ${own[$name]-} && (-n ${1-} || -z ${tried[$name]-}) ]] || continue
    seconds_left=$((end - SECONDS))
    ((seconds_left > 0)) || { say "error: it takes too long to store points: the others stay in ${run##*/}" >&2 && break; }
    if [[ $left == "$run/$name" ]]; then
      ! rmdir "$left" 2>/dev/null || continue
      look_up "$name"
      [[ ${REPLIES[0]} == failed ]] || word=interrupted
    fi
    measurement_of "${own[$name]}"
    tried[$name]=yes target=$results/${word}_$job_id/$name
    if [[ $left == "$run/finished/$name" ]]; then
      store "$left" "$results/$name" "$REPLY" ||
        say "error: $name could not be stored as $results/$name: it stays in ${run##*/}/finished" >&2
    else
      own_name "${word}_$job_id" || continue
      [[ ! -e $target && ! -L $target ]] || set_aside "$target" earlier || continue
      ! store "$left" "$target" || {
        say "an unfinished point ($word); what it left is in $target"
        [[ $word == interrupted ]] || failures+=("$target"{,/server-*}/*.log)
      }
    fi
    rm -rf -- "$results/.stored_$job_id"
  done
}
# What was measured otherwise does not count, and leaves its name to this job where it has that.
name_points
for left in "${!differs[@]}"; do
  say "does not count: ${left##*/}: ${differs[$left]}"
  [[ -z ${own[${left##*/}]-} ]] || set_aside "$left" other || true
done
for name in "${!own[@]}" {failed,interrupted}_"$job_id"; do own_name "$name"; done
# An earlier run of this job may have been killed, and may have measured on other GPUs.
[[ ! -e $run/finished || $(text_of "$manifest") == *"\"fingerprint\": \"$fingerprint\""* ]] || set_aside "$run/finished" other
store_points all
for left in "$run"/{finished,failed}; do
  rmdir "$left" 2>/dev/null || [[ ! -e $left && ! -L $left ]] || set_aside "$left" refused
done
# There may be more of them than a command line holds.
find "$run" -maxdepth 1 -regex '.*/\(ended\|evaluates\|meet\|state\|taken\)\.[^/]*' -exec rm -rf -- {} +
name_points
