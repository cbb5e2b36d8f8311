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
# in_time COMMAND...: ends it, and all that it started, at $store_until. A signal's handler does not wait for it.
in_time() {
  set -m
  "$@" &
  set +m
  while kill -0 $!; do
    ((SECONDS < store_until)) || kill -KILL -- "-$!"
    sleep 0.1 || true
  done
  wait $!
} 2>/dev/null
# copy_point FOLDER TO: tar follows no link on its way. Its 1 means that something changed meanwhile. A tar that reads
# leaves the last blocks.
copy_point() {
  { in_run "${1%/*}" tar -Scf - --mode=a-s,u+rwX -- "./${1##*/}" || (($? == 1)); } |
    head -c 17179869184 | { tar -C "$2" -xf - && cat >/dev/null; }
}
# store FOLDER TARGET MEASUREMENT: copies what a client left to TARGET, and removes it, or says in $REPLY why not. Who
# still has the folder open has nothing of the copy: files and folders alone, and none is setuid.
store() {
  local name=${1##*/} copy=$results/.stored_$job_id status=0
  REPLY="no space is left, or nothing may be written there"
  in_time rm -rf -- "$copy" && mkdir -m 700 -- "$copy" || return
  in_time copy_point "$1" "$copy" || status=$?
  ((status == 0)) || df -P -k "$copy" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' ||
    REPLY="it has more than 16 GiB, or cannot be read or written"
  ((status < 128)) || REPLY="storing it takes too long"
  [[ -z $(find "$copy" ! -type d ! -type f -print -quit) ]] || REPLY="it has links or devices" status=1
  ((status == 0)) && { [[ -z $3 ]] || put "$copy/$name/measurement.txt" "$3"; } && mkdir -p "${2%/*}" || return
  mv -nT -- "$copy/$name" "$2" && [[ ! -e $copy/$name ]] || return
  [[ -z $3 ]] || unset "own[$name]"
  in_time in_run "${1%/*}" rm -rf -- "./$name" "$copy" || true
}
# store_points [all]: what clients have put down gets its final name, and what was measured is written down there. What
# an unfinished point left is no result, but it is data; "all" is for when no client is at work any more. All points
# together have $store_seconds. From one to the next, a client has the time of two. In failures, the logs of failed ones.
store_seconds=60 store_until=0 silent_at=0 failures=()
store_points() {
  local left name word place target
  store_until=$((SECONDS + store_seconds))
  for left in "$run"/{finished,failed}/* ${1:+"$run"/*}; do
    name=${left##*/} word=failed
    [[ -e $left && -n ${own[$name]-} && (-n ${1-} || -z ${tried[$name]-}) ]] || continue
    ((SECONDS < store_until)) || { say "error: it takes too long to store points: the others stay in ${run##*/}" >&2 && break; }
    if [[ $left == "$run/$name" ]]; then
      ! rmdir "$left" 2>/dev/null || continue
      look_up "$name"
      [[ ${REPLIES[0]} == failed ]] || word=interrupted
    fi
    measurement_of "${own[$name]}"
    tried[$name]="its results are not there" target=$results/$name silent_at=$((SECONDS + 2 * point_timeout + 600))
    if [[ $left != "$run/finished/$name" ]]; then
      REPLY='' place=$results/${word}_$job_id target=$results/${word}_$job_id/$name
      [[ ! -e $place && ! -L $place || -d $place && ! -L $place && -O $place ]] || set_aside "$place" refused || continue
    fi
    [[ ! -e $target && ! -L $target ]] || set_aside "$target" earlier || continue
    if ! store "$left" "$target" "$REPLY"; then
      say "error: $name could not be stored as $target: $REPLY; it stays in ${left#"$results/"}" >&2
      tried[$name]=$REPLY
      in_time rm -rf -- "$results/.stored_$job_id" || true
    elif [[ $target != "$results/$name" ]]; then
      say "an unfinished point ($word); what it left is in $target"
      [[ $word == interrupted ]] || failures+=("$target"{,/server-*}/*.log)
    fi
  done
}
# What was measured otherwise does not count, and leaves its name to this job where it has that.
name_points
for left in "${!differs[@]}"; do
  say "does not count: ${left##*/}: ${differs[$left]}"
  [[ -z ${own[${left##*/}]-} ]] || set_aside "$left" other || true
done
# An earlier run of this job may have been killed, and may have measured on other GPUs.
[[ ! -e $run/finished || $(text_of "$manifest") == *"\"fingerprint\": \"$fingerprint\""* ]] || set_aside "$run/finished" other
store_points all
for left in "$run"/{finished,failed}; do
  rmdir "$left" 2>/dev/null || [[ ! -e $left && ! -L $left ]] || set_aside "$left" refused
done
# There may be more of them than a command line holds.
find "$run" -maxdepth 1 -regex '.*/\(ended\|evaluates\|meet\|state\|taken\)\.[^/]*' -exec rm -rf -- {} +
name_points
