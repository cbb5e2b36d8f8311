{%- match source %}
{%- when ModelSource::Ngc(_) %}
# Downloads the model from NGC into $STAGE_PATH and proves that it arrived. Runs
# on a login node (bash prepare_models.sh) or as a job (sbatch). Run it again
# after any end: what is complete is left alone.
{%- when ModelSource::HuggingFace(_) %}
# Downloads the model from the Hugging Face hub into $STAGE_PATH and proves that it
# arrived. Runs on a login node (bash prepare_models.sh) or as a job (sbatch). Run it
# again after any end: what is complete is left alone.
{%- when ModelSource::Path(_) %}
# Proves that the model, which is there already, is complete. Changes nothing. Runs on a
# login node (bash prepare_models.sh) or as a job (sbatch).
{%- endmatch %}

# ---- Settings ---------------------------------------------------------------
{% include "lib/made_by.sh" %}
{%- include "lib/site_settings.sh" %}
{%- if weights_are_staged %}
# Used when STAGE_PATH is not set.
readonly default_stage_path={{ stage_path }}
{%- endif %}
{%- match source %}
{%- when ModelSource::Ngc(model) %}
# Folder of the weights, below STAGE_PATH.
readonly model_folder={{ weights_folder }}
# What NGC is asked for, how many bytes it has, and files that must be there.
readonly weights_target={{ model }}
{%- when ModelSource::HuggingFace(model) %}
# Folder of the weights, below STAGE_PATH.
readonly model_folder={{ weights_folder }}
# What the hub is asked for, files that are not fetched, how many bytes the others have,
# and files that must be there.
readonly repository={{ model.repository() }}
readonly revision={{ model.revision() }}
readonly weights_target=$repository@$revision
readonly excluded=(
{%- for pattern in exclude %}
  {{ pattern }}
{%- endfor %}
)
{%- when ModelSource::Path(_) %}
# Folder of the weights, how many bytes it has, and files that must be there.
readonly model={{ weights_folder }}
{%- endmatch %}
readonly weights_bytes={{ weights_bytes }}
readonly weights_files=(
{%- for file in weights_files %}
  {{ file }}
{%- endfor %}
)
{%- if let Some(engine) = engine %}
# The same for the engine, which lies in the weights' folder; the server finds
# it through the link. It has a part for each GPU.
readonly engine_target={{ engine.target }}
readonly engine_folder={{ engine.folder }}
readonly engine_link={{ engine_link }}
readonly engine_bytes={{ engine.bytes }}
readonly engine_files=(
{%- for file in engine.files %}
  {{ file }}
{%- endfor %}
)
readonly gpus={{ gpus }}
{%- endif %}

# ---- Common ground ----------------------------------------------------------
{% include "lib/base.sh" %}
{%- if weights_are_staged %}

{% include "lib/stage_path.sh" %}
{%- endif %}

{% include "lib/readable.sh" %}

{% include "lib/model_files.sh" %}
{%- if weights_are_staged %}

{% include "lib/fetched.sh" %}
{%- endif %}

# In a folder, it says that its checksums were compared before.
readonly mark=.nim-slurm-verified

readable() { numfmt --to=iec-i --suffix=B --format=%.2f "$1"; }

# ---- Proof that a folder is complete ---------------------------------------------
# Each check prints what is wrong, a line each; no line means all is well.
{%- if engine.is_some() %}

# Files of folder $1 itself, with their sizes. The engine's folder is inside the
# weights' and does not count as theirs.
list_files() {
  find -H "$1" \( -path "$1/$engine_folder" -o -path "$1/$engine_link" -o -name "$mark" -o -name .reference \) -prune -o -type f -printf '%s %P\n'
}
{%- else %}

# Files of folder $1, with their sizes. What the hub's own program keeps for itself is none of
# them, and what a link leads to is listed by its own name.
list_files() {
  find -H "$1" \( -name "$mark" -o -name .reference -o -path "$1/.cache" \) -prune -o -type f -printf '%s %P\n'
}
{%- endif %}

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
{%- if weights_are_staged %}
# check_part FOLDER: the same for what an earlier download left.
check_part() {
  [[ ! -L $1 ]] || missing "a folder in place of the link $1: remove it"
  [[ -z $(find "$1" -type d ! -writable -print -quit 2>/dev/null) ]] ||
    { missing "permission to write in $1, an unfinished download: ask $(stat -c %U -- "$1"), its owner, to finish or remove it" && return; }
  check_by_hand "$1"
}
# is_fetched KIND FOLDER: true when a download to it has succeeded. Lengths do not say so: NGC's CLI gives them first.
is_fetched() { [[ -f $2/.reference ]] && is_whole "$@"; }
{%- endif %}

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
{%- if engine.is_some() %}

check_engine() {
  local folder=$1 ranks
  check_folder "$folder" "$engine_bytes" "${engine_files[@]}"
  ranks=$(find "$folder" -maxdepth 1 -name 'rank*.engine' | wc -l)
  ((ranks == gpus)) || echo "the engine has $ranks parts, the server uses $gpus GPUs"
}
{%- endif %}

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
{%- if weights_are_staged %}
    # In a folder that is someone else's to write, they are compared each time.
    touch "$1/$mark" 2>/dev/null || true
{%- endif %}
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
{%- if weights_are_staged %}
  local target=${kind}_target
  holds "$folder" "${!target}" || { reasons="it is $REPLY, and not ${!target}" && return 1; }
{%- endif %}
  reasons=$(stray_link "$folder")
  [[ -z $reasons ]] || reasons="the link $reasons leads out of the folder, or to no file"
  # Ten reasons are enough to know.
  [[ -n $reasons ]] || reasons=$("check_$kind" "$folder" | sed -n '1,10p')
  [[ -n $reasons || -e $folder/$mark ]] || reasons=$(check_checksums "$folder")
  [[ -z $reasons ]]
}

say "$made_by, recipe $recipe"
{%- include "lib/site.sh" %}
need_commands awk find flock grep od sed tail
{%- match source %}
{%- when ModelSource::Path(_) %}

# ---- Look at it ---------------------------------------------------------------
# A cache of the hub has links to files beside the folder, which the container would not see.
check_by_hand "$model"
stop_if_missing
is_whole weights "$model" || { reasons=${reasons:-there is no such folder} && fail "the model in $model is incomplete: ${reasons//$'\n'/; }"; }
say "nothing to do: the model in $model is complete"
{%- else %}
{%- if engine.is_some() %}

{% include "prepare_models/weights_and_engine.sh" %}
{%- else %}

{% include "prepare_models/weights_alone.sh" %}
{%- endif %}
{%- endmatch %}
