# open_lock FILE: opens it, as $REPLY. Others may write to its folder: only the user's own file is opened, which others
# cannot open, and hold; and it is made only where there is nothing. A FIFO would hold this script up.
open_lock() {
  [[ -e $1 || -L $1 ]] || (umask 077 && set -C && : >"$1") 2>/dev/null || true
  [[ -f $1 && ! -L $1 && -O $1 && -w $1 ]] && exec {REPLY}<>"$1"
}
