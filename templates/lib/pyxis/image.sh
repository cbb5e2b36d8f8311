# True when $1 is a whole squashfs file. The superblock is written last and says at byte 40 how long the file must be:
# that shows what a killed import cut off.
sound_image() {
  local file=$1 length
  [[ -f $file && $(head -c 4 "$file" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$file") || return 1
  (($(stat -L -c %s "$file") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$file" >/dev/null 2>&1
}
