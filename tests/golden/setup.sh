#!/usr/bin/env bash
#SBATCH --job-name=nim-setup
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=16G
#SBATCH --time=00:45:00

# Fetches the container images of the benchmark into $STAGE_PATH. An image that
# is complete is left alone, so it can be run again at any time.

# ---- Settings ---------------------------------------------------------------
readonly made_by='nim-slurm 0.1.0'
readonly recipe=llama3-70b-h100x4-fp8
# Used when STAGE_PATH is not set.
readonly default_stage_path=''
# One entry an image in each list: its file and name, what enroot imports, the processor
# it is for (empty: this node's), the free space it needs in MiB, and the
# registry that asks for an NGC key (empty: none does).
readonly image_files=(
  nvidia+tritonserver+25.01.sqsh
  nim+meta+llama3-70b-instruct+1.0.3.sqsh
)
readonly image_references=(
  nvcr.io/nvidia/tritonserver:25.01-py3-sdk
  nvcr.io/nim/meta/llama3-70b-instruct:1.0.3
)
readonly image_uris=(
  'docker://nvcr.io#nvidia/tritonserver:25.01-py3-sdk'
  'docker://nvcr.io#nim/meta/llama3-70b-instruct:1.0.3'
)
readonly image_architectures=(
  x86_64
  x86_64
)
readonly image_space=(
  12288
  16384
)
readonly image_logins=(
  nvcr.io
  nvcr.io
)

# ---- Common ground ----------------------------------------------------------
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

stage_path=${STAGE_PATH:-$default_stage_path}
readonly stage_path=${stage_path%"${stage_path##*[!/]}"}
# A container mount, srun's name of a log file or find's pattern would misread other characters.
usable='^/[^][:space:][:cntrl:],:$`"\{}%*?[]+$'
[[ $stage_path =~ $usable && $stage_path/ != */../* ]] ||
  missing "STAGE_PATH, the folder for images, models and results (export STAGE_PATH=/lustre/project/...): an absolute" \
    "path without .., white space or one of , : \$ \` \" \\ { } % * ? [ ]; it is \"$stage_path\""

# Slurm's commands take options from their environment: what a login shell or an outer job left there goes, what tells of
# this job and its cluster stays, and so do the site's ENROOT_*. With a token (SLURM_JWT), srun would start no step.
for name in $(compgen -e | grep -E '^(SLURM|SRUN|SBATCH|SCANCEL|SQUEUE|SCONTROL|PYXIS)_'); do
  case ${name#SLURM_} in
    CONF | CLUSTER_NAME | JOB* | ARRAY_* | SUBMIT_* | RESTART_COUNT | NODELIST | NNODES | TASKS_* | *_ON_NODE | PMIX* | DEBUG) ;;
    *) unset "$name" ;;
  esac
done

# check_readable PATH: what is there and may not be read is neither absent nor damaged: it is
# named, with the chmod that helps. True when nothing is in the way.
check_readable() {
  local path name folder='' hidden='' LC_ALL=C
  path=$(realpath -m -- "$1")
  # A folder that may not be searched hides whether there is anything.
  while IFS= read -r -d / name; do
    folder+=$name/
    [[ -x $folder || ! -d $folder ]] || hidden=${hidden:-$folder}
  done <<<"$path/"
  if [[ -n $hidden ]]; then
    missing "permission to search $hidden: ask $(stat -c %U -- "$hidden"), its owner, for chmod a+x $(printf %q "$hidden")"
    return 1
  fi
  hidden=$(find "$path" ! -type l \( ! -readable -o -type d ! -executable \) -print -quit 2>/dev/null) || true
  [[ -n $hidden ]] || return 0
  missing "permission to read $path: ask $(stat -c %U -- "$hidden"), its owner, for chmod -R a+rX $(printf %q "$path")"
  return 1
}

# open_lock FILE: opens it, as $REPLY. Others may write to its folder: only the user's own file is opened, which others
# cannot open, and hold; and it is made only where there is nothing. A FIFO would hold this script up.
open_lock() {
  [[ -e $1 || -L $1 ]] || (umask 077 && set -C && : >"$1") 2>/dev/null || true
  [[ -f $1 && ! -L $1 && -O $1 && -w $1 ]] && exec {REPLY}<>"$1"
}

# True when $1 is a whole squashfs file: its superblock, which is written last, says at byte 40 how long it must be.
sound_image() {
  local length
  [[ -f $1 && $(head -c 4 "$1" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$1") && (($(stat -L -c %s "$1") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$1" >/dev/null 2>&1
}

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

say "$made_by, recipe $recipe"

# ---- Checks: before anything is fetched ---------------------------------------
[[ -n ${SLURM_JOB_ID-} ]] || missing "a Slurm job: submit this script with sbatch"
stop_if_missing
# Where to look when this node cannot use the stage path; mkdir itself says why it failed.
look="${SLURMD_NODENAME-$HOSTNAME}. Is its file system mounted there, and may you write to it? To see it, type: "
[[ -z ${SLURMD_NODENAME-} || -z ${SLURM_JOB_PARTITION-} ]] || look+="srun ${SLURM_JOB_ACCOUNT:+--account=$SLURM_JOB_ACCOUNT }--partition=$SLURM_JOB_PARTITION --nodelist=$SLURMD_NODENAME "
look+="namei -l $(printf %q "$stage_path"). Or export STAGE_PATH=/lustre/..., a folder that all nodes share, and run this script again"
readonly look
mkdir -p "$stage_path" || fail "cannot make the folder $stage_path on $look"

# processor_of INDEX: in REPLY, the processor that this image is for, in one word for each.
processor_of() { REPLY=${image_architectures[$1]:-$(uname -m)} REPLY=${REPLY/x86_64/amd64} REPLY=${REPLY/aarch64/arm64}; }
# is_there INDEX: as a whole image, and as the one that the recipe names.
is_there() {
  processor_of "$1"
  sound_image "$stage_path/${image_files[$1]}" && holds "$stage_path/${image_files[$1]}" "${image_references[$1]}" "$REPLY"
}
to_import=() space_needed=0 logins_needed=()
for index in "${!image_files[@]}"; do
  check_readable "$stage_path/${image_files[index]}" || continue
  if is_there "$index"; then
    say "${image_files[index]} is there already"
    continue
  fi
  to_import+=("$index")
  space_needed=$((space_needed + image_space[index]))
  [[ -z ${image_logins[index]} ]] || logins_needed+=("${image_logins[index]}")
done
if ((${#to_import[@]} + problems == 0)); then
  say "nothing to do: all images are in $stage_path"
  exit 0
fi

# MiB free in the file system of folder $1, which need not be there yet.
free_space() {
  local folder=$1
  until [[ -d ${folder:-/} || $folder != */* ]]; do folder=${folder%/*}; done
  df --output=avail --block-size=1M "${folder:-/}" 2>/dev/null | tail -n 1 | tr -d ' ' || true
}
# add_place SETTING FOLDER: a folder in which the images are unpacked, or kept, too, and what moves it.
declare -A places=()
add_place() {
  local available
  places[$1]=$2
  available=$(free_space "$2")
  ((${available:-0} >= space_needed)) ||
    say "warning: images are unpacked in $2, too, where ${available:-0} MiB are free and about $space_needed MiB may be used;" \
      "if that fails, set $1 to a larger folder"
}
no_space_left() {
  local setting
  printf 'there is no space left, or no quota: %s MiB are free in %s' "$(free_space "$stage_path")" "$stage_path"
  for setting in "${!places[@]}"; do
    printf '; %s MiB in %s (to move it, set %s)' "$(free_space "${places[$setting]}")" "${places[$setting]}" "$setting"
  done
}

need_commands srun enroot find flock grep od
[[ -w $stage_path ]] || missing "permission to write in $stage_path on $look"
available=$(free_space "$stage_path")
((available >= space_needed)) ||
  missing "free space in $stage_path: $available MiB are free, the images need about $space_needed MiB"
# enroot_place VARIABLE DEFAULT: in REPLY, as enroot finds it: the environment's, else the site's first, whose words bash reads.
enroot_place() {
  local words
  REPLY=$(sed -n "s/^[[:blank:]]*$1[[:blank:]=]\{1,\}/echo /p" /etc/enroot/enroot.conf{,.d/*.conf} 2>/dev/null |
    while IFS= read -r words; do bash -u <<<"$words" || true; done 2>/dev/null | grep -m 1 .) || true
  REPLY=${!1:-${REPLY:-$2}}
}
enroot_place ENROOT_TEMP_PATH "${TMPDIR:-/tmp}" && add_place ENROOT_TEMP_PATH "$REPLY"
enroot_place ENROOT_CACHE_PATH "${XDG_CACHE_HOME:-${HOME-}/.cache}/enroot" && add_place ENROOT_CACHE_PATH "$REPLY"

# The user's own enroot login serves where it covers the registry; else the key.
enroot_place ENROOT_CONFIG_PATH "${XDG_CONFIG_HOME:-${HOME-}/.config}/enroot"
credentials=$REPLY/.credentials
# It takes lines that begin with machine, with login in the third place.
has_login() { grep -Eqs "^machine[[:space:]]+${1//./\\.}[[:space:]]+login[[:space:]]+[^[:space:]]+[[:space:]]+[^[:space:]]" "$credentials"; }
key_needed=
for registry in "${logins_needed[@]}"; do
  has_login "$registry" && continue
  key_needed=yes
  [[ -n ${NGC_API_KEY-} ]] || {
    missing "a login for $registry: export NGC_API_KEY=..., or add a line for $registry to $credentials"
    break
  }
done
stop_if_missing

# ---- Import -------------------------------------------------------------------
# mktemp makes a folder that is the user's alone.
private=$(mktemp -d) || fail "cannot make a temporary folder"
readonly private
trap 'rm -rf "$private"' EXIT
stopped=
# Slurm ends the import steps itself; what is left to do is to wait for them.
trap 'stopped=yes' TERM INT

if [[ -n $key_needed ]]; then
  # enroot reads logins from one file. This one names the variable that holds
  # the key, not the key, and goes with the job.
  install -m 600 /dev/null "$private/.credentials"
  {
    # First, since enroot asks for the first user of a machine.
    # shellcheck disable=SC2016 # enroot expands the variable, not this shell
    printf 'machine %s login $oauthtoken password $NGC_API_KEY\n' "${logins_needed[@]}" authn.nvidia.com
    [[ ! -r $credentials ]] || cat "$credentials"
  } >"$private/.credentials"
  export ENROOT_CONFIG_PATH=$private
fi
# use_key_for IMAGE: its import gets the variables that the user's own logins name, and the
# key where it is for this image's registry.
use_key_for() {
  local name login=${image_logins[$1]}
  while read -r name; do
    export "${name?}"
  done < <(grep -Eos '[$][{]?[A-Za-z_][A-Za-z0-9_]*' "$credentials" | tr -d '{$')
  [[ -z $login ]] || has_login "$login" || export NGC_API_KEY
}

# save_image FILE URI ARCHITECTURE: runs in a step. enroot 4 tells the digest of what a tag
# names by now; then that is imported, and printed.
# shellcheck disable=SC2317 # the step calls it
save_image() {
  local digest='' options=()
  [[ -z $3 ]] || options=(--arch "$3")
  [[ $2 == *@* ]] || digest=$(enroot digest "${options[@]}" -- "$2" 2>/dev/null </dev/null) || true
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || digest=
  enroot import "${options[@]}" --output "$1" -- "$2${digest:+@$digest}" </dev/null || return
  [[ -z $digest ]] || echo "digest=$digest"
}

# is_secret NAME: true for a variable that is called like a secret. (A locale may have capital letters of its own.)
is_secret() { local LC_ALL=C && [[ .${1^^} =~ TOKEN(_|$)|SECRET|PASS(W|PHRASE)|[^Y]PASS$|_PWD$|CRED(ENTIAL|S$)|([^P]KEYS?|JWT)(_?V?[0-9]+)?$|_PAT$|CONNECTION_STRING|AUTH_CONFIG$ ]]; }
# Steps get no secret of the user's but those that they are given. This shell keeps them.
while read -r name; do
  ! is_secret "$name" || export -n "${name?}"
done < <(compgen -e)

# Removes what killed imports of file $1 left: a part names its job. Of other users' jobs, Slurm may tell nothing.
remove_leftovers() {
  local part job LC_ALL=C
  for part in "$stage_path/.$1".*.part; do
    [[ -O $part && -f $part || -L $part ]] || continue
    job=${part%.part}
    job=${job##*.}
    [[ $job =~ ^[0-9]+$ ]] || continue
    if [[ $job != "$SLURM_JOB_ID" ]] && ! job_has_ended "$job"; then
      continue
    fi
    say "removing ${part//[^ -~]/?}, left by an import that was killed"
    rm -f -- "$part"
  done
}
# An answer that is not clear counts as no.
job_has_ended() {
  local answer
  if answer=$(squeue --noheader --jobs="$1" --format=%i 2>&1); then
    [[ -z $answer ]]
  else
    [[ $answer == *"Invalid job id"* ]]
  fi
}

label() {
  local line LC_ALL=C
  while IFS= read -r line || [[ -n $line ]]; do
    printf '  %s | %s\n' "$1" "${line//[^ -~]/?}"
  done
}

# What enroot's words on image $1 mean, as far as that is known.
reason_of_failure() {
  local words=$private/words-$1 login=${image_logins[$1]}
  if grep -Eqi 'no space left|quota exceeded|write failed|wrote only [0-9]+ of' "$words"; then
    no_space_left
  elif grep -Eq '40[13] ?(Unauthorized|Forbidden)|error code: 40[13]' "$words" ||
    # What is last of enroot 4 where a registry with HTTP's plain logins refuses.
    grep -v '^srun: ' "$words" | tail -n 1 | grep -Eq 'Authenticating with user|Using credentials'; then
    if [[ -z $login ]] || has_login "$login"; then
      printf 'the registry does not take the login in %s, or there is none for it' "$credentials"
      [[ -z $login ]] || has_login authn.nvidia.com || printf '; %s wants one for authn.nvidia.com, too' "$login"
    else
      printf '%s does not take the key in NGC_API_KEY: it is wrong, has ended, or may not pull this image' "$login"
    fi
  elif grep -Eq '429 ?Too|error code: 429' "$words"; then
    printf 'the registry takes no more pulls for now: wait, or add a login for it to %s' "$credentials"
  elif grep -Eq '404 ?Not Found|error code: 404|Could not parse digest information' "$words"; then
    printf 'the registry has no such image%s: correct it in the recipe and render this script again' \
      "${image_architectures[$1]:+ for ${image_architectures[$1]}}"
  else
    printf "enroot's own words are above"
  fi
}

import_image() {
  local name=${image_files[$1]} reference=${image_references[$1]} uri=${image_uris[$1]} architecture=${image_architectures[$1]}
  local file=$stage_path/$name part=$stage_path/.$name.$SLURM_JOB_ID.part processor
  # Two setups share the work: the second one waits here and then finds the
  # file. Without a lock, or after an hour, both import, each to its own part.
  { open_lock "$stage_path/.$name.lock" && { flock --nonblock "$REPLY" 2>/dev/null ||
    { say "waiting for another setup.sh that may be at work on $name" && flock --timeout=3600 "$REPLY"; }; }; } ||
    say "warning: no lock on $stage_path/.$name.lock; go on without"
  check_readable "$file" || stop_if_missing
  processor_of "$1"
  processor=$REPLY
  if is_there "$1"; then
    say "$name came from another setup"
    rm -f -- "$stage_path/.$name.lock"
    return
  fi
  remove_leftovers "$name"
  if sound_image "$file"; then
    say "$name is $REPLY; it stays until $reference for $processor is here"
    # In an open folder, only its owner may move it.
    [[ ! -k $stage_path || -O $stage_path || -O $file ]] ||
      { say "error: $name is another user's, and cannot be replaced in $stage_path: ask them to remove it" >&2 && return 1; }
  elif [[ -e $file || -L $file ]]; then
    say "$name is damaged"
    set_aside "$file" damaged
  fi
  # What has its name is no file of this job's: nothing is written through a link.
  rm -rf -- "$part"
  say "importing $name from $uri"
  use_key_for "$1"
  # enroot's words go to the log, each with its image, and to a file that is asked for the reason.
  if ! srun --job-name="import-$1" --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --cpu-bind=none --mpi=none \
    --export=ALL --kill-on-bad-exit=1 \
    bash -s -- "$part" "$uri" "$architecture" 2>&1 < <(declare -f save_image && echo 'save_image "$@"') |
    tee "$private/words-$1" | label "$name"; then
    rm -f -- "$part"
    say "error: $name could not be imported from $uri: $(reason_of_failure "$1")" >&2
    return 1
  fi
  # enroot calls it a warning.
  if grep -Fq "architecture doesn't match" "$private/words-$1"; then
    rm -f -- "$part"
    say "error: $uri is for another processor than $processor: correct architecture or image in the recipe and render this script again" >&2
    return 1
  fi
  if ! sound_image "$part"; then
    rm -f -- "$part"
    say "error: enroot reported success, but what it wrote for $name is not a whole squashfs file: is the disk full?" >&2
    return 1
  fi
  # The name appears only now, when the file is complete. Where another setup was
  # faster, its file stays.
  { ! sound_image "$file" || holds "$file" "$reference" "$processor"; } || set_aside "$file" other ||
    { rm -f -- "$part" && fail "cannot move $file away: is it another user's?"; }
  mv -nT -- "$part" "$file" || sound_image "$file" || fail "cannot rename $part to $file"
  # The last such line is the step's own.
  local digest
  digest=$(grep -Ex 'digest=sha256:[0-9a-f]{64}' "$private/words-$1" | tail -n 1) || true
  [[ -z $digest || $reference == *@* ]] || reference+=@${digest#*=}
  # What it is stands beside it, with its length, which shows whether it is this very file, and its processor.
  [[ -e $part ]] || put "$file.reference" "$reference $(stat -c %s "$file") $processor" || fail "cannot write $file.reference"
  rm -f -- "$part" "$stage_path/.$name.lock"
  say "$name is ready"
}

imports=() failed=0
for index in "${to_import[@]}"; do
  import_image "$index" &
  imports+=($!)
done
for import in "${imports[@]}"; do
  status=0
  wait "$import" || status=$?
  # A signal ends wait early; the import itself is still to be waited for.
  while kill -0 "$import" 2>/dev/null; do
    status=0
    wait "$import" || status=$?
  done
  ((status == 0)) || failed=$((failed + 1))
done

# When Slurm ends the job, its steps may end a moment before its word comes here;
# and it may end the sleep, too.
((failed == 0)) || sleep 0.5 || true
# In a grace period (GraceTime), Slurm ends the steps first, and restarts a job later only if its script is there at the end.
# is_preempted JOB: true when such a period began at most 5 minutes ago. stay VARIABLE: until a signal's handler sets it.
is_preempted() {
  local at
  at=$(squeue --noheader --jobs="$1" --Format=preempttime 2>/dev/null | date -f - +%s 2>/dev/null) &&
    (($(printf '%(%s)T' -1) - at < 300))
}
stay() { local end=$((SECONDS + 3600)) && while [[ -z ${!1} ]] && ((SECONDS < end)); do sleep 1 || true; done; }
if ((failed > 0)) && [[ -z $stopped ]] && is_preempted "$SLURM_JOB_ID"; then
  say "Slurm preempts this job: it waits for that, so that Slurm can start it again"
  stay stopped
fi
[[ -z $stopped ]] || fail "stopped by a signal before all images were there: submit this script again"
((failed == 0)) ||
  fail "$failed of ${#to_import[@]} images failed; when that is fixed, submit this script again: what is ready is not fetched twice"
say "done: all images are in $stage_path"
