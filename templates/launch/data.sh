# Each data set as it is now, for this job alone: its client reads the copy, so that a file that changes meanwhile changes no
# point, and none of another content counts.
readonly data_sets_folder=$results/.run_$job_id/data
own_folder "$data_sets_folder"
rm -rf -- "${data_sets_folder:?}"/* || fail "cannot write in $results"
readonly most_data=$((1 << 30))
# is_others FOLDER: true of one of the system, a hidden one of the user's, and one that jobs leave files in: a recipe may name
# any file, and its client sees all of it.
is_others() {
  local place folder
  [[ ! $1/ =~ ^/+((boot|dev|etc|proc|run|sys|var/(mail|spool))?/|(tmp|var|var/tmp)/$) ]] || return 0
  for place in "${HOME:-/}" "$stage_path"{,/logs,/results,/nim_cache,/hf_cache}; do
    folder=$1
    until [[ -z $folder || $folder -ef $place ]]; do folder=${folder%/*}; done
    [[ -z $folder || ! $place =~ ^"$stage_path"/ && ${1#"$folder"} != */.* ]] || return 0
  done
  return 1
}
# Of each: its form, its checksum and the file.
data_taken=()
for number in "${!data_sets[@]}"; do
  file=${data_sets[number]#* * } sum=
  folder=$(cd -P -- "${file%/*}/" 2>/dev/null && env pwd -P) || folder=
  if [[ -n $folder ]] && is_others "$folder"; then
    missing "a folder of data for the data set $file: $folder is one of the system, a hidden one, or one that jobs leave files in"
  elif [[ -L $file ]]; then
    missing "the data set $file on $HOSTNAME as a file: it is a link; write the path that it leads to in the recipe"
  elif [[ ! -f $file ]]; then
    missing "the data set $file on $HOSTNAME: there is no such file"
  elif [[ ! -r $file ]]; then
    missing "permission to read the data set $file on $HOSTNAME: ask $(stat -c %U -- "$file"), its owner, for chmod a+r"
  else
    # Who can write there may put something else in its place at any time: neither a pipe nor its size is waited for.
    (cd -- "$folder" && [[ $(env pwd -P) == "$folder" ]] && exec timeout 600 dd if="./${file##*/}" iflag=nofollow,nonblock,fullblock,count_bytes bs=1M count=$((most_data + 1)) \
      of="$data_sets_folder/$number" status=none) 2>/dev/null ||
      fail "cannot copy the data set $file to $data_sets_folder: is space left?"
    [[ -s $data_sets_folder/$number ]] || missing "prompts in the data set $file: it is empty"
    (($(stat -c %s "$data_sets_folder/$number") <= most_data)) ||
      missing "a data set of at most 1 GiB: $file has more; write a part of it into a file of its own"
    sum=$(sha256sum <"$data_sets_folder/$number")
    if [[ ${data_sets[number]} == mooncake* ]]; then
      # Each line of a trace is a request.
      count=$(LC_ALL=C grep -ac '[^[:space:]]' "$data_sets_folder/$number") || true
      points=("${points[@]//@$number /$count }")
    fi
  fi
  data_taken+=("${data_sets[number]%% *} ${sum%% *} $file")
done
readonly data_taken data_forms="${data_taken[*]%% /*}"
# For the manifest.
list_data() { json "${data_taken[@]}"; }
((problems == 0)) || { rm -rf -- "$data_sets_folder" && rmdir "${data_sets_folder%/*}" 2>/dev/null; } || true
stop_if_missing
client_mounts+=("$data_sets_folder:$data_sets_folder:ro")
data_in_client() {
  cat <<'CLIENT'

{% include "launch/data_in_client.sh" %}
CLIENT
}
client_parts+=(data_in_client)
