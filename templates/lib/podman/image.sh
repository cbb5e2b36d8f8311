# True when $1 is a whole archive of an image: a tar file ends with two blocks of zeros, which a killed save has not written.
sound_image() {
  local names
  [[ -f $1 && $(tail -c 1024 "$1" | tr -d '\0' | wc -c) == 0 ]] || return 1
  names=$(tar --list --file="$1" 2>/dev/null) || return 1
  [[ $'\n'$names$'\n' == *$'\nmanifest.json\n'* ]]
}
