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
