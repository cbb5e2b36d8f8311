# Points in progress: all of results that the client's container sees. It may put anything there, so only regular files
# are opened, and what launch.sh needs for itself lies elsewhere.
readonly run=$results/.run_$job_id
mkdir -p -m 700 "$run" || fail "cannot write in $results"
[[ ! -L $run && -O $run ]] || fail "$run is a link, or another user's: remove it"
# Steps add to logs of an earlier run of this job, and not to what somebody put in their place.
for log in "$logs"/{server,benchmarking}_"$job_id".*out; do
  [[ -f $log && ! -L $log ]] || rm -f -- "$log" || fail "$log is no file: remove it"
done

# bring_out FOLDER TARGET: true when a point's folder holds nothing but files and folders, none of them a program that
# runs as the user whoever starts it, and now lies where no container sees it.
bring_out() {
  local strange
  if [[ -L $1 || -L ${1%/*} ]] ||
    ! strange=$(timeout 60 find "$1" ! -type d \( ! -type f -o -perm /6000 \) -print -quit 2>&1) || [[ -n $strange ]]; then
    say "error: what the client left of ${1##*/} stays in ${run##*/}: it has links, devices or setuid files, or too many files" >&2
    return 1
  fi
  mkdir -p "${2%/*}" && mv -nT -- "$1" "$2" && [[ ! -e $1 ]] || return 1
  # A client that is quick puts something else in its place before it is moved. From here on it cannot.
  if [[ -L $2 || ! -d $2 ]]; then
    rm -f -- "$2"
    say "error: the client exchanged ${1##*/} while it was stored" >&2
    return 1
  fi
}
# store_points [all]: what clients have put down gets its final name, and what was measured is written down there. What
# an unfinished point left is no result, but it is data; "all" is for when no client is at work any more.
store_points() {
  local left name word aside place=$results/.stored_$job_id
  for left in "$run"/{finished,failed}/* ${1:+"$place"/* "$run"/*}; do
    name=${left##*/} word=failed
    [[ -e $left && -n ${own[$name]-} ]] || continue
    if [[ $left == "$run/$name" ]]; then
      ! rmdir "$left" 2>/dev/null || continue
      look_up "$name"
      [[ ${REPLIES[0]} == failed ]] || word=interrupted
    fi
    measurement_of "${own[$name]}"
    own[$name]='' aside=$results/${word}_$job_id/$name
    if [[ $left == "$run/finished/$name" || $left == "$place/$name" ]]; then
      # A client may still be in the folder, so nothing is written there. The final name comes last. Who was killed before left it in $place.
      if { [[ $left == "$place/$name" ]] || bring_out "$left" "$place/$name"; } &&
        put "$place/.$name" "$REPLY" && mv -T -- "$place/.$name" "$place/$name/measurement.txt" &&
        mv -nT -- "$place/$name" "$results/$name" && [[ ! -e $place/$name ]]; then
        stored+=("$results/$name")
      else
        say "error: $name could not be stored as $results/$name" >&2
      fi
    else
      [[ ! -L ${aside%/*} ]] || set_aside "${aside%/*}" refused
      [[ ! -e $aside ]] || set_aside "$aside" earlier
      ! bring_out "$left" "$aside" || { stored+=("$aside") && say "an unfinished point ($word); what it left is in $aside"; }
    fi
  done
  rmdir "$place" 2>/dev/null || true
}
# What was measured otherwise does not count, and leaves its name to this job where it has that.
name_points
for left in "${!differs[@]}"; do
  [[ ${differs[$left]} != same ]] || continue
  say "does not count: ${left##*/}: ${differs[$left]}"
  [[ -z ${own[${left##*/}]-} ]] || { set_aside "$left" other && differs[$left]=; }
done
# An earlier run of this job may have been killed, and may have measured on other GPUs.
for left in "$run/finished" "$results/.stored_$job_id"; do
  [[ ! -L $left ]] || set_aside "$left" refused
  [[ ! -e $left || $(text_of "$manifest") == *"\"fingerprint\": \"$fingerprint\""* ]] || set_aside "$left" other
done
store_points all
for left in "$run"/{finished,failed}; do
  rmdir "$left" 2>/dev/null || [[ ! -e $left && ! -L $left ]] || set_aside "$left" refused
done
rm -rf -- "$run"/{ended,meet,state,taken}.*
name_points
