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
