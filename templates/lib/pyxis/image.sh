# True when $1 is a whole squashfs file. The superblock is written last and says at byte 40 how long the file must be:
# that shows what a killed import cut off.
sound_image() {
  local length
  [[ -f $1 && $(head -c 4 "$1" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$1") && (($(stat -L -c %s "$1") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$1" >/dev/null 2>&1
}
