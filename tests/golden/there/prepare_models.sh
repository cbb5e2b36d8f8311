#!/usr/bin/env bash
#SBATCH --job-name=vllm-prepare-models
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=04:00:00

# Proves that the model, which is there already, is whole. Changes nothing. Runs on a
# login node (bash prepare_models.sh) or as a job (sbatch).

# ---- Settings ---------------------------------------------------------------

readonly made_by='nim-slurm 0.1.0'
readonly recipe=llama3-3-70b-h100x4-vllm
# Folder of the weights, how many bytes it has, and files that must be there.
readonly model=/lustre/models/llama-3.3
readonly weights_bytes=141000000000
readonly weights_files=(
  config.json generation_config.json model.safetensors.index.json special_tokens_map.json
  tokenizer_config.json tokenizer.json
)

# ---- Common ground ----------------------------------------------------------

# Options that a caller exported: a trace would print every value into the log, others would change what redirections
# and patterns do, and all of them would reach the tools that are shell scripts themselves.
set +axvfC
shopt -u failglob nullglob nocasematch nocaseglob dotglob
export -n SHELLOPTS BASHOPTS
set -Eeuo pipefail

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }
fail() {
  say "error: $*" >&2
  exit 1
}

# Everything that is missing is named at once: nobody should queue twice to learn of a second problem.
problems=()
missing() { problems+=("$*"); }
stop_if_missing() {
  local problem
  ((${#problems[@]} > 0)) || return 0
  for problem in "${problems[@]}"; do
    say "missing: $problem" >&2
  done
  say "nothing was done; mend what is named above and run this again" >&2
  exit 2
}
need_commands() {
  local name
  for name in "$@"; do
    command -v "$name" >/dev/null || missing "the command $name on $HOSTNAME"
  done
}

# Frees the name $1 without losing what it holds: it becomes NAME.WORD-N.
set_aside() {
  local path=$1 word=$2 number=1
  while [[ -e $path.$word-$number || -L $path.$word-$number ]]; do
    number=$((number + 1))
  done
  mv -nT -- "$path" "$path.$word-$number"
  say "kept what was there as $path.$word-$number"
}

# shards_of FOLDER: the shards that the folder's index names, a line each.
shards_of() {
  local index=$1/model.safetensors.index.json
  [[ ! -s $index ]] || LC_ALL=C grep -ao '"[^"/]*\.safetensors"' "$index" | tr -d '"' | LC_ALL=C sort -u
}
# missing_files FOLDER FILE...: in REPLIES, what a whole model has and this folder lacks, or has without content: the
# files that are named, and the shards.
missing_files() {
  local folder=$1 file
  shift
  REPLIES=()
  while IFS= read -r file; do
    [[ -z $file || -f $folder/$file && -s $folder/$file ]] || REPLIES+=("$file")
  done < <(printf '%s\n' "$@" && shards_of "$folder")
}

# In a folder, it says that its checksums were compared before.
readonly mark=.nim-slurm-verified

readable() { numfmt --to=iec-i --suffix=B --format=%.2f "$1"; }

# ---- Proof that a folder is whole ---------------------------------------------
# Each check prints what is wrong, a line each; no line means all is well.

# Files of folder $1, with their sizes: what they lead to, where they are links. What the
# hub's own program keeps for itself is none of them.
list_files() {
  find -L "$1" \( -name "$mark" -o -path "$1/.cache" \) -prune -o -type f -printf '%s %P\n'
}

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
  local folder=$1 expected=$2 file
  shift 2
  arrived "$folder"
  # NGC's own totals are rounded, so a hundredth may be missing.
  ((REPLY * 100 >= expected * 99)) ||
    echo "$(readable "$REPLY") arrived, $(readable "$expected") were expected"
  missing_files "$folder" "$@"
  for file in "${REPLIES[@]}"; do
    if [[ ! -f $folder/$file ]]; then
      echo "$file is missing"
    else
      echo "$file is empty"
    fi
  done
}

check_weights() {
  local folder=$1 index=$1/model.safetensors.index.json shard length size promised sum=0 unreadable=0
  check_folder "$folder" "$weights_bytes" "${weights_files[@]}"
  [[ -s $index ]] || return 0
  while read -r shard; do
    [[ -s $folder/$shard ]] || continue
    size=$(stat -L -c %s "$folder/$shard")
    sum=$((sum + size))
    if ! length=$(safetensors_length "$folder/$shard"); then
      unreadable=$((unreadable + 1))
    elif ((size != length)); then
      echo "$shard has $size bytes, its header promises $length"
    fi
  done < <(shards_of "$folder")
  promised=$(sed -n 's/.*"total_size": *\([0-9]*\).*/\1/p' "$index" | head -n 1)
  ((sum >= ${promised:-0})) || echo "the shards have $sum bytes, model.safetensors.index.json promises $promised"
  ((unreadable == 0)) || say "warning: $unreadable shards have no safetensors header, so only their sizes were checked" >&2
}

# What reads every byte; done once after a download.
check_checksums() {
  [[ -s $1/checksums.blake3 ]] || return 0
  if ! command -v b3sum >/dev/null; then
    say "warning: no b3sum on $HOSTNAME, so checksums.blake3 was not checked" >&2
    return 0
  fi
  say "comparing checksums.blake3" >&2
  local answer
  if answer=$(cd "$1" && b3sum --check --quiet checksums.blake3 2>&1); then
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
  # Ten reasons are enough to know.
  reasons=$("check_$kind" "$folder" | sed -n '1,10p')
  [[ -n $reasons || -e $folder/$mark ]] || reasons=$(check_checksums "$folder")
  [[ -z $reasons ]] || return 1
}

say "$made_by, recipe $recipe"

# ---- Look at it ---------------------------------------------------------------

is_whole weights "$model" || fail "the model in $model is not whole: ${reasons:-there is no such folder}"
# A cache of the hub has links to files beside the folder, which the container would not see.
folder=$(realpath "$model")
while read -r file; do
  [[ $(realpath "$model/$file") == "$folder"/* ]] ||
    fail "$model/$file is a link that leads out of the folder, where the server's container does not follow: copy the model"
done < <(list_files "$model" | cut -d ' ' -f 2-)
say "nothing to do: the model in $model is whole"
