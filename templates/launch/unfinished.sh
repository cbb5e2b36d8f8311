# All of results that the client's container sees. It may put anything there: only files are opened, and copies lie elsewhere.
readonly run=$results/.run_$job_id/client copies=$results/.run_$job_id/copies
own_folder "$run"
# Steps add to logs of an earlier run of this job, and not to what somebody put in their place.
for log in "$logs"/{server,benchmarking}_"$job_id".*out "$results/telemetry_$job_id".*.csv; do
  [[ -f $log && ! -L $log && -O $log && $(stat -c %h -- "$log") == 1 ]] || rm -f -- "$log" ||
    fail "$log is no file, has other names, or is another user's: remove it"
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
# copy_point FOLDER TO: follows no link. tar's 1 means that something changed meanwhile; a tar that reads leaves the last blocks.
# With --sparse, it would lose small files that have no blocks of their own, as GPFS has them.
copy_point() {
  (($(in_run "${1%/*}" du -sb -- "./${1##*/}" | cut -f 1) <= 17179869184)) || return
  { in_run "${1%/*}" tar -cf - --hard-dereference --mode=a-s,u+rwX -- "./${1##*/}" || (($? == 1)); } |
    head -c 17179869184 | { tar -C "$2" -xf - && cat >/dev/null; }
}
# make_room PATH WORD: sets aside what has this name. "refused" lets the user's own folder stay.
make_room() {
  [[ ! -e $1 && ! -L $1 || $2 == refused && -d $1 && ! -L $1 && -O $1 ]] || set_aside "$1" "$2" 2>/dev/null
}
# store FOLDER TARGET MEASUREMENT: copies what a client left to TARGET, and removes it, or says in $REPLY why not. Who
# still has the folder open has nothing of the copy: files and folders alone, and none is setuid.
store() {
  local name=${1##*/} copy=$copies/${1##*/} status=0 other
  REPLY="another user has that name"
  { [[ -n $3 ]] || make_room "${2%/*}" refused; } && make_room "$2" earlier || return
  REPLY="no space is left, or nothing may be written there"
  in_time rm -rf -- "$copy" && in_time copy_point "$1" "$copies" || status=$?
  ((status == 0)) || df -P -k "$copies" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' ||
    REPLY="it has more than 16 GiB, or cannot be read or written"
  # A look that time has ended has seen nothing.
  other=$(in_time find "$copy" ! -type d ! -type f -print -quit) || status=$((status > 0 ? status : $?))
  ((status < 128)) || REPLY="storing it takes too long"
  [[ -z $other ]] || REPLY="it has links or devices" status=1
  ((status == 0)) && [[ -d $copy && ! -L $copy ]] && { [[ -z $3 ]] || put "$copy/measurement.txt" "$3"; } && mkdir -p "${2%/*}" || return
  mv -nT -- "$copy" "$2" && [[ ! -e $copy ]] || return
  [[ -z $3 ]] || unset "own[$name]"
  in_time in_run "${1%/*}" rm -rf -- "./$name" || true
}
# store_points [all]: what clients have put down gets its final name, within $store_seconds for all; "all": also what
# unfinished points left, once no client is at work. From one to the next, a client has the time of two.
store_seconds=60 store_until=0 silent_at=0 failures=()
store_points() {
  local left name word target
  store_until=$((SECONDS + store_seconds))
  [[ -z ${1-} ]] || hear
  # A client may make any number of names: only those of points are looked at.
  for left in "${folders[@]/#/"$run/finished/"}" "${folders[@]/#/"$run/failed/"}" ${1:+"${folders[@]/#/"$run/"}"}; do
    name=${left##*/} word=failed
    [[ -e $left && (-n ${1-} || -n ${own[$name]-} && -z ${tried[$left]-}) ]] || continue
    ((SECONDS < store_until)) ||
      { [[ -z ${1-} ]] || say "error: storing points takes too long: others stay in ${run#"$results/"}" >&2; break; }
    # It is stored, and there was no time to remove it.
    [[ -n ${own[$name]-} ]] || { in_time in_run "${left%/*}" rm -rf -- "./$name" || true; continue; }
    if [[ $left == "$run/$name" ]]; then
      ! rmdir "$left" 2>/dev/null || continue
      look_up "$name"
      [[ ${REPLIES[0]} == failed ]] || word=interrupted
    fi
    measurement_of "${own[$name]}"
    tried[$name]="its results are not there" tried[$left]=yes target=$results/$name silent_at=$((SECONDS + 2 * point_timeout + 600))
    [[ $left == "$run/finished/$name" ]] || REPLY='' target=$results/${word}_$job_id/$name
    if ! store "$left" "$target" "$REPLY"; then
      # At the end it is tried once more.
      [[ -z ${1-} ]] || say "error: $name could not be stored as $target: $REPLY; it stays in ${left#"$results/"}" >&2
      tried[$name]=$REPLY
      in_time rm -rf -- "$copies/$name" || true
    elif [[ $target != "$results/$name" ]]; then
      say "an unfinished point ($word); what it left is in $target"
      [[ $word == interrupted ]] || failures+=("$target"{,/server-*}/*.log)
    fi
  done
}
# What was measured otherwise does not count, and leaves its name to this job where it has that.
name_points
for left in "${!differs[@]}"; do say "does not count: ${left##*/}: ${differs[$left]}"; done
for left in "${!own[@]}" {failed,interrupted}_"$job_id"; do
  word=refused
  [[ -z ${own[$left]-} ]] || word=other
  make_room "$results/$left" "$word" ||
    missing "permission to replace $results/$left, which another user made: ask them to remove it"
done
stop_if_missing
{ rm -rf -- "$copies" && mkdir "$copies"; } || fail "cannot write in $results"
# An earlier run of this job may have been killed, and may have measured on other GPUs.
[[ ! -e $run/finished || $(text_of "$manifest") == *"\"fingerprint\": \"$fingerprint\""* ]] || set_aside "$run/finished" other
store_points all
for left in "$run"/{finished,failed}; do
  rmdir "$left" 2>/dev/null || [[ ! -e $left && ! -L $left ]] || set_aside "$left" refused
done
# There may be more of them than a command line holds.
clear_run() {
  find "$run" -maxdepth 1 -regex '.*/\(data\|ended\|meet\|state\|taken\|warm\)\.[^/]*' -exec rm -rf -- {} +
}
clear_run
name_points
