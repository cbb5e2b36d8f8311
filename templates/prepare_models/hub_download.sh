# differing FOLDER: names the files whose checksums are not the hub's. hf compares none; of each large file it notes the hub's.
differing() {
  local notes=.cache/huggingface/download sums line
  cd "$1" || return
  sums=$(LC_ALL=C grep -rxE '[0-9a-f]{64}' --include='*.metadata' "$notes" | sed "s|^$notes/\(.*\)\.metadata:\(.*\)|\2  \1|" |
    while IFS= read -r line; do [[ ! -f ${line:66} ]] || printf '%s\n' "$line"; done) && [[ -n $sums ]] || return 0
  LC_ALL=C grep -vxFf <(cut -c 67- <<<"$sums" | tr '\n' '\0' | xargs -0 -n 1 -P "${SLURM_CPUS_ON_NODE:-2}" sha256sum --) <<<"$sums" | cut -c 67-
} 2>/dev/null
# download KIND TARGET PART FOLDER: brings TARGET to PART/FOLDER and proves it.
download() {
  local kind=$1 target=$2 part=$3 folder=$4 status=0 options=() pattern name old='' said=$3/words
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
  { [[ $status == 0 ]] && ! grep -aq 'Returning existing local_dir' "$said"; } ||
    fail "hf ended with $status while it fetched $target: $(why "$said" "the hub" HF_TOKEN)"
  say "comparing the files with the hub's checksums: this may take minutes"
  fetch "$said" differing "$part/$folder" || true
  while IFS= read -r name; do
    rm -f -- "$part/$folder/$name" && status=1
  done <"$said"
  rm -f -- "$said"
  ((status == 0)) || fail "the files that are named above are not as the hub has them: run this again, and these are fetched again"
  is_whole "$kind" "$part/$folder" ||
    fail "hf reported success, but what arrived in $part/$folder is not what the recipe says: ${reasons//$'\n'/; }"
  # Its notes on what it fetched.
  rm -rf -- "$part/$folder/.cache"
  put "$part/$folder/.reference" "$target" || fail "cannot write in $part"
}
