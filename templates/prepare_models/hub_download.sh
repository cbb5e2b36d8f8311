# download KIND TARGET PART FOLDER: brings TARGET to PART/FOLDER and proves it.
download() {
  local kind=$1 target=$2 part=$3 folder=$4 status=0 options=() pattern old='' said=$3/words offline
  # Before 1.0, one --exclude has all patterns behind it; since then each has its own.
  [[ $(hf version 2>/dev/null </dev/null) != *'version: 0.'* ]] || old=yes
  for pattern in "${excluded[@]}"; do
    [[ -n $old && ${#options[@]} -gt 0 ]] || options+=(--exclude)
    options+=("$pattern")
  done
  mkdir -p "$part"
  say "downloading the $kind, $target"
  # A shell that is told to stay off the hub would have it look at local copies only.
  rm -f -- "$said"
  HF_HUB_OFFLINE=0 fetch "$said" hf download "$repository" --revision "$revision" --local-dir "$part/$folder" "${options[@]}" ||
    status=$?
  # It may succeed with what is there when it cannot ask the hub.
  offline=$(LC_ALL=C grep -am 1 'Returning existing local_dir' "$said") || true
  rm -f -- "$said"
  [[ $status == 0 && -z $offline ]] ||
    fail "hf ended with $status while it fetched $target: its own words are above. A model with a gate" \
      "needs HF_TOKEN, of someone whom its owner lets in; 137 may be a lack of memory; after anything else, run this again"
  is_whole "$kind" "$part/$folder" ||
    fail "hf reported success, but what arrived in $part/$folder is not what the recipe says: ${reasons//$'\n'/; }"
  # Its notes on what it fetched.
  rm -rf -- "$part/$folder/.cache"
  put "$part/$folder/.reference" "$target" || fail "cannot write in $part"
}
