# True when $1 is a whole squashfs file: its superblock, which is written last, says at byte 40 how long it must be.
sound_image() {
  local length
  [[ -f $1 && $(head -c 4 "$1" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$1") && (($(stat -L -c %s "$1") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$1" >/dev/null 2>&1
}
