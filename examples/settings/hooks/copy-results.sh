# Keeps a copy of the results where they are backed up. $code is launch.sh's exit code.
if ((code == 0 || code == 5 || code == 6)); then
  mkdir -p "$HOME/nim-results"
  cp -r --no-clobber "$results/." "$HOME/nim-results/"
fi
