# True when $1 is a whole SIF file: its header says at bytes 112 and 120 where its data begins, and how long it is.
sound_image() {
  local file=$1 begin length
  [[ -f $file && $(tail -c +33 "$file" | head -c 9 | tr -d '\0') == SIF_MAGIC ]] || return 1
  read -r begin length < <(od --endian=little -A n -t u8 -j 112 -N 16 "$file") || return 1
  ((begin > 0 && $(stat -L -c %s "$file") >= begin + length))
}
