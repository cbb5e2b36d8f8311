# is_image_of FILE REFERENCE: false when a setup.sh noted that it made FILE of another image: recipes choose names.
is_image_of() {
  local note=$stage_path/.$1.from
  [[ ! -f $note || -L $note || $(head -c 4096 -- "$note" | tr -d '\0') == "$2" ]] ||
    missing "$2 as $stage_path/$1: a recipe with this name put another image there; remove it, or use another stage path"
}
