#!/usr/bin/env bash
#SBATCH --job-name=nim-prepare-models
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=04:00:00

# Downloads the model from NGC into $STAGE_PATH and proves that it arrived. Runs
# on a login node (bash prepare_models.sh) or as a job (sbatch). Run it again
# after any end: what is complete is left alone.

# ---- Settings ---------------------------------------------------------------
readonly made_by='nim-slurm 0.1.0'
readonly recipe=llama3-70b-h100x4-fp8
# Used when STAGE_PATH is not set.
readonly default_stage_path=''
# Folder of the weights, below STAGE_PATH.
readonly model_folder=llama3-70b-instruct_vhf
# What NGC is asked for, how many bytes it has, and files that must be there.
readonly weights_target=nim/meta/llama3-70b-instruct:hf
readonly weights_bytes=141121887928
readonly weights_files=(
  config.json generation_config.json LICENSE model.safetensors.index.json README.md
  special_tokens_map.json tokenizer_config.json tokenizer.json USE_POLICY.md
)
# The same for the engine, which lies in the weights' folder; the server finds
# it through the link. It has a part for each GPU.
readonly engine_target=nim/meta/llama3-70b-instruct:0.10.0+cbc614f5-h100x4-fp8-throughput
readonly engine_folder=llama3-70b-instruct_v0.10.0+cbc614f5-h100x4-fp8-throughput
readonly engine_link=trtllm_engine
readonly engine_bytes=73486890434
readonly engine_files=(
  checksums.blake3
  config.json
  LICENSE.txt
  metadata.json
  NOTICE.txt
  rank0.engine
  rank1.engine
  rank2.engine
  rank3.engine
  trt_llm_config.yaml
)
readonly gpus=4

# ---- Common ground ----------------------------------------------------------
# A caller's options would change redirections and patterns, and print values; of a locale that is not here, bash would warn.
set +axvfC
shopt -u failglob nullglob nocasematch nocaseglob dotglob
export -n SHELLOPTS BASHOPTS
unset LC_ALL && export PATH # one that bash made up is not exported
set -Eeuo pipefail

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }
# What others named may be in these: none of it drives a terminal.
fail() { local LC_ALL=C && say "error: ${*//[^ -~]/?}" >&2; exit 1; }
# Everything that is missing is named before the script stops: nobody should queue twice to learn of a second problem.
problems=0 run_again="run this again"
missing() { local LC_ALL=C && say "missing: ${*//[^ -~]/?}" >&2 && problems=$((problems + 1)); }
stop_if_missing() { ((problems == 0)) || { say "nothing was done; fix what is named above and $run_again" >&2 && exit 2; }; }
need_commands() {
  local name
  for name in "$@"; do command -v "$name" >/dev/null || missing "the command $name on $HOSTNAME"; done
}
# set_aside PATH WORD: frees the name without losing what it holds, which becomes PATH.WORD-N.
set_aside() {
  local number=1
  while [[ -e $1.$2-$number || -L $1.$2-$number ]]; do number=$((number + 1)); done
  mv -nT -- "$1" "$1.$2-$number" || return
  say "kept what was there as $1.$2-$number"
}

stage_path=${STAGE_PATH:-$default_stage_path}
readonly stage_path=${stage_path%"${stage_path##*[!/]}"}
# A container mount, srun's name of a log file or find's pattern would misread other characters.
usable='^/[^][:space:][:cntrl:],:$`"\{}%*?[]+$'
[[ $stage_path =~ $usable && $stage_path/ != */../* ]] ||
  missing "STAGE_PATH, the folder for images, models and results (export STAGE_PATH=/lustre/project/...): an absolute" \
    "path without .., white space or one of , : \$ \` \" \\ { } % * ? [ ]; it is \"$stage_path\""

# check_readable PATH: what is there and may not be read is neither absent nor damaged: it is
# named, with the chmod that helps. True when nothing is in the way.
check_readable() {
  local path name folder='' hidden='' LC_ALL=C
  path=$(realpath -m -- "$1")
  # A folder that may not be searched hides whether there is anything.
  while IFS= read -r -d / name; do
    folder+=$name/
    [[ -x $folder || ! -d $folder ]] || hidden=${hidden:-$folder}
  done <<<"$path/"
  if [[ -n $hidden ]]; then
    missing "permission to search $hidden: ask $(stat -c %U -- "$hidden"), its owner, for chmod a+x $(printf %q "$hidden")"
    return 1
  fi
  hidden=$(find "$path" ! -type l \( ! -readable -o -type d ! -executable \) -print -quit 2>/dev/null) || true
  [[ -n $hidden ]] || return 0
  missing "permission to read $path: ask $(stat -c %U -- "$hidden"), its owner, for chmod -R a+rX $(printf %q "$path")"
  return 1
}

shards_of() {
  local index=$1/model.safetensors.index.json
  [[ ! -s $index ]] || head -c 67108864 -- "$index" | LC_ALL=C grep -ao '"[ !#-.0-~]*\.safetensors"' | tr -d '"' | LC_ALL=C sort -u
}
# missing_files FOLDER FILE...: in REPLIES, which of these files and of the shards are not there, or are empty.
missing_files() {
  local file && REPLIES=()
  while IFS= read -r file; do
    [[ -z $file || -f $1/$file && -s $1/$file ]] || REPLIES+=("$file")
  done < <(printf '%s\n' "${@:2}" && shards_of "$1")
}

# text_of FILE [SECONDS]: the text of a file that others may have made, within bounds. A link and a FIFO have none.
text_of() { [[ ! -f $1 || -L $1 ]] || timeout "${2:-60}" dd if="$1" iflag=nofollow,nonblock bs=1M count=4 2>/dev/null || true; }
# put FILE TEXT: whole or not at all, by a new file whose name nobody can foresee; bash says nothing of a full disk.
put() {
  local part=$1.part-$RANDOM$RANDOM
  { (set -C && printf '%s\n' "$2" >"$part") 2>/dev/null && mv -T -- "$part" "$1"; } || { rm -f -- "$part"; return 1; }
}
# holds PATH REFERENCE [PROCESSOR]: false when something else was fetched to it. In REPLY, what that was, where its record still holds.
holds() {
  local record=$1/.reference bytes='' processor=''
  [[ -d $1 ]] || record=$1.reference
  read -r REPLY bytes processor < <(text_of "$record") || true
  [[ $REPLY =~ ^[[:alnum:]._:/@+-]+$ && (-d $1 || $bytes == "$(stat -L -c %s -- "$1" 2>/dev/null)") ]] || REPLY=
  [[ -z $REPLY || ! $processor =~ ^[a-z0-9]+$ || $processor == "${3:-"$processor"}" ]] || REPLY+=" for $processor"
  [[ -z $REPLY || $REPLY@ == "$2@"* && $REPLY != *' '* ]]
}

# In a folder, it says that its checksums were compared before.
readonly mark=.nim-slurm-verified

readable() { numfmt --to=iec-i --suffix=B --format=%.2f "$1"; }

# ---- Proof that a folder is complete ---------------------------------------------
# Each check prints what is wrong, a line each; no line means all is well.

# Files of folder $1 itself, with their sizes. The engine's folder is inside the
# weights' and does not count as theirs.
list_files() {
  find -H "$1" \( -path "$1/$engine_folder" -o -path "$1/$engine_link" -o -name "$mark" -o -name .reference \) -prune -o -type f -printf '%s %P\n'
}

# A link in folder $1 that leads out of it, where the server's container does not follow, or
# to what is neither file nor folder.
stray_link() {
  local folder link LC_ALL=C
  folder=$(realpath -m -- "$1")
  while IFS= read -r -d '' link; do
    [[ $(realpath -m -- "$1/$link") == "$folder"/* && (-f $1/$link || -d $1/$link || ! -e $1/$link) ]] || {
      printf '%q' "$link"
      return
    }
  done < <(find -H "$1" -type l -printf '%P\0' 2>/dev/null)
}
# check_by_hand FOLDER: names what must be fixed there before anything is read or fetched.
check_by_hand() {
  local link
  check_readable "$1" || return 0
  link=$(stray_link "$1")
  [[ -z $link ]] || missing "a file in place of $1/$link, a link that leads out of that folder or to no file"
}
# check_part FOLDER: the same for what an earlier download left.
check_part() {
  [[ ! -L $1 ]] || missing "a folder in place of the link $1: remove it"
  [[ -z $(find "$1" -type d ! -writable -print -quit 2>/dev/null) ]] ||
    { missing "permission to write in $1, an unfinished download: ask $(stat -c %U -- "$1"), its owner, to finish or remove it" && return; }
  check_by_hand "$1"
}
# is_fetched KIND FOLDER: true when a download to it has succeeded. Lengths do not say so: NGC's CLI gives them first.
is_fetched() { [[ -f $2/.reference ]] && is_whole "$@"; }

# The length in bytes that the header of safetensors file $1 promises: eight
# bytes that hold the header's length, the header, the last tensor's end.
safetensors_length() {
  local header end
  header=$(od --endian=little -A n -t u8 -N 8 "$1") || return 1
  ((header > 0 && header < 100000000)) || return 1
  end=$(head -c "$((8 + header))" "$1" | tail -c +9 | grep -o '"data_offsets": *\[[0-9, ]*\]' |
    sed 's/.*,//; s/[^0-9]//g' | sort -n | tail -n 1) || return 1
  [[ $end ]] && echo "$((8 + header + end))"
}

# arrived FOLDER: in REPLY, how many bytes its files have.
arrived() { REPLY=$(list_files "$1" | awk '{ sum += $1 } END { printf "%.0f", sum }'); }

# Folder $1 against $2 bytes, the files that follow, and the shards that its index names.
check_folder() {
  local folder=$1 expected=$2 file word
  shift 2
  arrived "$folder"
  # NGC's own totals are rounded, so a hundredth may be missing.
  ((REPLY * 100 >= expected * 99)) ||
    echo "$(readable "$REPLY") arrived, $(readable "$expected") were expected"
  missing_files "$folder" "$@"
  for file in "${REPLIES[@]}"; do
    [[ -f $folder/$file ]] && word=empty || word=missing
    echo "$file is $word"
  done
}

# The same of the weights, and each shard's length.
check_weights() {
  local folder=$1 shard length size
  check_folder "$folder" "$weights_bytes" "${weights_files[@]}"
  while read -r shard; do
    [[ $shard == *.safetensors && -f $folder/$shard && -s $folder/$shard ]] || continue
    size=$(stat -L -c %s "$folder/$shard")
    if ! length=$(safetensors_length "$folder/$shard"); then
      echo "$shard has no safetensors header"
    elif ((size != length)); then
      echo "$shard has $size bytes, its header promises $length"
    fi
  done < <(printf '%s\n' "${weights_files[@]}" && shards_of "$folder")
}

check_engine() {
  local folder=$1 ranks
  check_folder "$folder" "$engine_bytes" "${engine_files[@]}"
  ranks=$(find "$folder" -maxdepth 1 -name 'rank*.engine' | wc -l)
  ((ranks == gpus)) || echo "the engine has $ranks parts, the server uses $gpus GPUs"
}

# What reads every byte; done once after a download.
check_checksums() {
  [[ -s $1/checksums.blake3 ]] || return 0
  (($(stat -L -c %s -- "$1/checksums.blake3") <= 16777216)) ||
    { say "warning: checksums.blake3 has more than 16 MiB, so it was not checked" >&2 && return; }
  if ! command -v b3sum >/dev/null; then
    say "warning: no b3sum on $HOSTNAME, so checksums.blake3 was not checked" >&2
    return 0
  fi
  local answer line file LC_ALL=C
  # It may name files of this folder only.
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ ! $line =~ ^[0-9a-f]{64}"  "([^[:cntrl:]]+)$ ]]; then
      say "warning: checksums.blake3 is not as b3sum writes it, so it was not checked" >&2
      return
    fi
    file=${BASH_REMATCH[1]}
    if [[ ! -f $1/$file || $file == /* || /$file/ == */../* ]]; then
      printf 'checksums.blake3 names %q, which is no file of the folder\n' "$file"
      return
    fi
  done <"$1/checksums.blake3"
  say "comparing checksums.blake3" >&2
  if answer=$(cd "$1" && b3sum --check --quiet checksums.blake3 2>&1 </dev/null | tr -c ' -~\n' '?'); then
    # In a folder that is someone else's to write, they are compared each time.
    touch "$1/$mark" 2>/dev/null || true
    return
  fi
  # An answer without a verdict is about the list's form, not about the files.
  grep 'FAILED' <<<"$answer" | sed 's/^/checksum of /' ||
    say "warning: b3sum cannot read checksums.blake3: $answer" >&2
}

# is_whole KIND FOLDER: true when it is; else the reasons are in $reasons.
reasons=
is_whole() {
  local kind=$1 folder=$2
  reasons=
  [[ -d $folder ]] || return 1
  local target=${kind}_target
  holds "$folder" "${!target}" || { reasons="it is $REPLY, and not ${!target}" && return 1; }
  reasons=$(stray_link "$folder")
  [[ -z $reasons ]] || reasons="the link $reasons leads out of the folder, or to no file"
  # Ten reasons are enough to know.
  [[ -n $reasons ]] || reasons=$("check_$kind" "$folder" | sed -n '1,10p')
  [[ -n $reasons || -e $folder/$mark ]] || reasons=$(check_checksums "$folder")
  [[ -z $reasons ]]
}

say "$made_by, recipe $recipe"
need_commands awk find flock grep od sed tail

# ---- Checks: before anything is fetched ---------------------------------------

stop_if_missing
# Where to look when this node cannot use the stage path; mkdir itself says why it failed.
look="${SLURMD_NODENAME-$HOSTNAME}. Is its file system mounted there, and may you write to it? To see it, type: "
[[ -z ${SLURMD_NODENAME-} || -z ${SLURM_JOB_PARTITION-} ]] || look+="srun ${SLURM_JOB_ACCOUNT:+--account=$SLURM_JOB_ACCOUNT }--partition=$SLURM_JOB_PARTITION --nodelist=$SLURMD_NODENAME "
look+="namei -l $(printf %q "$stage_path"). Or export STAGE_PATH=/lustre/..., a folder that all nodes share, and run this script again"
readonly look
mkdir -p "$stage_path" || fail "cannot make the folder $stage_path on $look"
readonly model=$stage_path/$model_folder
readonly weights_part=$stage_path/.$model_folder.part
readonly engine_part=$stage_path/.$engine_folder.part

is_linked() { [[ -L $model/$engine_link && $(readlink "$model/$engine_link") == "$engine_folder" ]]; }

check_by_hand "$model"
stop_if_missing
# A model that is complete needs no lock, and may be someone else's to write.
if is_whole weights "$model" && is_whole engine "$model/$engine_folder" && is_linked; then
  say "nothing to do: the model in $model is complete"
  exit 0
fi

[[ -w $stage_path ]] || missing "permission to write in $stage_path on $look"
stop_if_missing
# open_lock FILE: opens it, as $REPLY. Others may write to its folder: only the user's own file is opened, which others
# cannot open, and hold; and it is made only where there is nothing. A FIFO would hold this script up.
open_lock() {
  [[ -e $1 || -L $1 ]] || (umask 077 && set -C && : >"$1") 2>/dev/null || true
  [[ -f $1 && ! -L $1 && -O $1 && -w $1 ]] && exec {REPLY}<>"$1"
}

# Two at once share the work: the second one waits, and then finds it done.
open_lock "$stage_path/.$model_folder.lock" || fail "cannot lock $stage_path/.$model_folder.lock: another user's" \
  "prepare_models.sh may be at work. Run this again when it has ended; where none runs, remove that file first"
lock=$REPLY
if ! flock --nonblock "$lock"; then
  say "waiting for another prepare_models.sh on $stage_path, or for its file system, which may know no locks"
  status=0
  flock --timeout=43200 --conflict-exit-code=75 "$lock" || status=$?
  ((status != 75)) || fail "another prepare_models.sh had $stage_path/.$model_folder.lock for 12 hours: where none runs, remove it"
  if ((status != 0)); then
    say "warning: no locks there; go on without"
    # Then what changes is another run's; only a job that Slurm started again knows it to be its own.
    [[ -n ${SLURM_RESTART_COUNT-} ||
      -z $(find "$weights_part" ${engine_part:+"$engine_part"} -mmin -10 -print -quit 2>/dev/null) ]] ||
      fail "$stage_path/.$model_folder.part changed within the last 10 minutes: another prepare_models.sh may be at work." \
        "Run this again when it has ended; where none runs, in 10 minutes"
  fi
fi
check_by_hand "$model"
check_part "$weights_part"
check_part "$engine_part"
[[ ! -L $model ]] || missing "a folder in place of $model, a link to a model that is not complete (others may use it): remove the link"
stop_if_missing

# The published recipe moved the engine itself to the link's name.
adopt_engine() {
  if [[ -d $model/$engine_link && ! -L $model/$engine_link && ! -e $model/$engine_folder ]] &&
    is_whole engine "$model/$engine_link"; then
    mv -nT -- "$model/$engine_link" "$model/$engine_folder"
  fi
}
adopt_engine

space_needed=0 to_do=()
if is_whole weights "$model"; then
  say "the weights are complete"
else
  [[ -z $reasons ]] || say "the weights in $model are incomplete:"$'\n'"$reasons"
  to_do+=(weights)
  is_fetched weights "$weights_part/$model_folder" || space_needed=$((space_needed + weights_bytes))
fi
if is_whole engine "$model/$engine_folder"; then
  say "the engine is complete"
else
  [[ -z $reasons ]] || say "the engine in $model/$engine_folder is incomplete:"$'\n'"$reasons"
  to_do+=(engine)
  is_fetched engine "$engine_part/$engine_folder" || space_needed=$((space_needed + engine_bytes))
fi
[[ ! -e $model || -w $model || ${to_do[*]} == *weights* ]] ||
  missing "permission to write in $model: ask its owner, $(stat -c %U -- "$model"), for chmod g+w"

if ((space_needed > 0)); then
  need_commands ngc
  key=${NGC_CLI_API_KEY:-${NGC_API_KEY-}}
  ngc_config=${NGC_CLI_HOME:-${HOME-}}/.ngc/config
  [[ -n $key ]] || grep -q '^ *apikey *= *[^ ]' "$ngc_config" 2>/dev/null ||
    missing "an NGC key: export NGC_API_KEY=..., or run: ngc config set"
  # What killed downloads left is not trusted, and its space is needed.
  for part in "$weights_part" "$engine_part"; do
    if [[ -e $part ]] && ! is_fetched weights "$part/$model_folder" && ! is_fetched engine "$part/$engine_folder"; then
      say "removing $part, left by a download that did not end"
      rm -rf -- "$part"
    fi
  done
  available=$(df --output=avail --block-size=1 "$stage_path" | tail -n 1 | tr -d ' ')
  ((available >= space_needed)) ||
    missing "free space in $stage_path: $(readable "$available") are free, the download needs $(readable "$space_needed")"
fi
stop_if_missing

# ---- Download -----------------------------------------------------------------

download_pid=
stop() {
  trap - TERM INT HUP
  [[ -z $download_pid ]] || kill -TERM "$download_pid" 2>/dev/null || true
  fail "stopped by a signal: run this again, what is complete is kept"
}
trap stop TERM INT HUP
# why FILE PLACE KEY: what these words on a download that ended with $status mean, as far as that is known, and what helps.
why() {
  if grep -aEqi 'no space left|quota exceeded' "$1"; then
    echo "there is no space left in $stage_path, or no quota: make room there, then run this again"
  elif ((status == 137)); then
    echo "it was killed, maybe for lack of memory: run this again with more (mem in [slurm.prepare_models])"
  elif grep -aEqi 'proxyerror|tunnel connection failed|proxy authentication' "$1"; then
    echo "the proxy in https_proxy refuses: ask the site, or run this again without it"
  elif grep -aEqi '(repository|revision|model).* not found|could not be found' "$1"; then
    echo "$2 has no such model or revision, or shows it only to some, who have $3: correct it in the recipe and render this script again"
  elif grep -aEqi 'unauthorized|forbidden|gated repo|access denied|(missing|invalid) (api ?key|user token)' "$1"; then
    echo "$2 wants $3: one that is valid, of someone who was let in to this model on its page; then run this again"
  elif grep -aEqi 'too many requests|error 429' "$1"; then
    echo "$2 takes no more requests for now: wait, then run this again"
  elif grep -aEqi 'returning existing local_dir|connection refused|timed out|name resolution|name or service|unreachable|internet connection' "$1"; then
    echo "$2 cannot be reached from $HOSTNAME: run this again where it can, such as on a login node, or export https_proxy=..."
  else
    echo "its own words are above; run this again"
  fi
}
# fetch FILE COMMAND...: in what it says are names that others chose: none drives the terminal. FILE gets a copy.
fetch() {
  local status=0 words cleaner
  exec {words}> >(tee -- "$1" | LC_ALL=C tr -c ' -~\t\r\n' '?')
  cleaner=$!
  "${@:2}" </dev/null >&"$words" 2>&1 {words}>&- &
  download_pid=$!
  exec {words}>&-
  wait "$download_pid" || status=$?
  download_pid=
  wait "$cleaner" || true
  return "$status"
}

# Older releases of the CLI read the key from this variable only.
ngc_with_key() {
  [[ -z $key ]] || export NGC_CLI_API_KEY=$key
  exec ngc "$@"
}
# download KIND TARGET PART FOLDER: brings TARGET to PART/FOLDER and proves it.
download() {
  local kind=$1 target=$2 part=$3 folder=$4 status=0 expected=${1}_bytes
  if is_fetched "$kind" "$part/$folder"; then
    say "the $kind of an earlier download are complete"
    return
  fi
  mkdir -p "$part"
  say "downloading the $kind, $target"
  fetch "$part/words" ngc_with_key registry model download-version "$target" --dest "$part" || status=$?
  ((status == 0)) || fail "ngc ended with $status while it fetched $target: $(why "$part/words" NGC "an NGC key")"
  rm -f -- "$part/words"
  [[ -d $part/$folder ]] || fail "ngc reported success, but there is no folder $part/$folder"
  ! is_whole "$kind" "$part/$folder" || { put "$part/$folder/.reference" "$target" && return; } || fail "cannot write in $part"
  say "error: ngc reported success, but what arrived in $part/$folder is incomplete:"$'\n'"$reasons" >&2
  arrived "$part/$folder"
  ((REPLY * 100 >= ${!expected} * 99)) ||
    say "an old NGC CLI claims success after a few KB; this one says \"$(ngc --version 2>&1 </dev/null | head -n 1)\":" \
      "install the latest from https://org.ngc.nvidia.com/setup/installers/cli" >&2
  fail "the $kind did not arrive: run this again"
}

for kind in "${to_do[@]}"; do
  if [[ $kind == weights ]]; then
    download weights "$weights_target" "$weights_part" "$model_folder"
    if [[ -e $model || -L $model ]]; then
      # The engine in the old folder is kept with the new weights.
      [[ ! -d $model/$engine_folder ]] || mv -nT -- "$model/$engine_folder" "$weights_part/$model_folder/$engine_folder"
      set_aside "$model" incomplete
      say "remove that folder once it is not needed: it takes as much space as the model"
    fi
    mv -nT -- "$weights_part/$model_folder" "$model"
    rmdir "$weights_part"
  else
    download engine "$engine_target" "$engine_part" "$engine_folder"
    [[ ! -e $model/$engine_folder ]] || set_aside "$model/$engine_folder" incomplete
    mv -nT -- "$engine_part/$engine_folder" "$model/$engine_folder"
    rmdir "$engine_part"
  fi
done

if ! is_linked; then
  [[ ! -e $model/$engine_link && ! -L $model/$engine_link ]] || set_aside "$model/$engine_link" other
  ln -s -- "$engine_folder" "$model/$engine_link"
fi
say "done: the model in $model is complete"
