# A caller's options would change redirections and patterns, and print values; of a locale that is not here, bash would warn.
set +axvfC
shopt -u failglob nullglob nocasematch nocaseglob dotglob
export -n SHELLOPTS BASHOPTS
unset LC_ALL && export PATH # one that bash made up is not exported
set -Eeuo pipefail

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }
# What others named may be in these: none of it drives a terminal.
fail() { local LC_ALL=C && say "error: ${*//[^ -~]/?}" >&2; exit 1; }
# Everything that is missing is named before the script stops: nobody should queue twice to learn of a second problem.
problems=0 run_again="run this again"
missing() { local LC_ALL=C && say "missing: ${*//[^ -~]/?}" >&2 && problems=$((problems + 1)); }
stop_if_missing() { ((problems == 0)) || { say "nothing was done; fix what is named above and $run_again" >&2 && exit 2; }; }
need_commands() {
  local name
  for name in "$@"; do command -v "$name" >/dev/null || missing "the command $name on $HOSTNAME"; done
}
# set_aside PATH WORD: frees the name without losing what it holds, which becomes PATH.WORD-N.
set_aside() {
  local number=1
  while [[ -e $1.$2-$number || -L $1.$2-$number ]]; do number=$((number + 1)); done
  mv -nT -- "$1" "$1.$2-$number" || return
  say "kept what was there as $1.$2-$number"
}
