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
