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
