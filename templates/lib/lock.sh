# open_lock FILE: opens it, as $REPLY. Others may write to its folder: only a regular file is
# opened, since a FIFO would hold this script up, and it is made only where there is nothing.
open_lock() {
  [[ -e $1 || -L $1 ]] || (umask 022 && set -C && : >"$1") 2>/dev/null || true
  [[ -f $1 && ! -L $1 ]] || return 1
  # Some file systems lock only what may be written.
  if [[ -w $1 ]]; then
    exec {REPLY}<>"$1"
  else
    exec {REPLY}<"$1"
  fi
}
