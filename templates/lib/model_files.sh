# shards_of FOLDER: the shards that the folder's index names, a line each.
shards_of() {
  local index=$1/model.safetensors.index.json
  [[ ! -s $index ]] || head -c 67108864 -- "$index" | LC_ALL=C grep -ao '"[ !#-.0-~]*\.safetensors"' | tr -d '"' | LC_ALL=C sort -u
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
