# text_of FILE [SECONDS]: the text of a file that others may have made, within bounds. A link and a FIFO have none.
text_of() { [[ ! -f $1 || -L $1 ]] || timeout "${2:-60}" dd if="$1" iflag=nofollow,nonblock bs=1M count=4 2>/dev/null || true; }
# put FILE TEXT: whole or not at all, by a new file whose name nobody can foresee; bash says nothing of a full disk.
put() {
  local part=$1.part-$RANDOM$RANDOM
  { (set -C && printf '%s\n' "$2" >"$part") 2>/dev/null && mv -T -- "$part" "$1"; } || { rm -f -- "$part"; return 1; }
}
# holds PATH REFERENCE [PROCESSOR]: false when something else was fetched to it. In REPLY, what that was, where its record still holds.
holds() {
  local record=$1/.reference bytes='' processor=''
  [[ -d $1 ]] || record=$1.reference
  read -r REPLY bytes processor < <(text_of "$record") || true
  [[ $REPLY =~ ^[[:alnum:]._:/@+-]+$ && (-d $1 || $bytes == "$(stat -L -c %s -- "$1" 2>/dev/null)") ]] || REPLY=
  [[ -z $REPLY || ! $processor =~ ^[a-z0-9]+$ || $processor == "${3:-"$processor"}" ]] || REPLY+=" for $processor"
  [[ -z $REPLY || $REPLY@ == "$2@"* && $REPLY != *' '* ]]
}
