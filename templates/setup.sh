
# Fetches the container images of the benchmark into $STAGE_PATH. An image that
# is complete is left alone, so it can be run again at any time.

# ---- Settings ---------------------------------------------------------------
{% include "lib/made_by.sh" %}
{%- include "lib/site_settings.sh" %}
{%- if let Some(folder) = site.enroot_cache %}
# Where enroot keeps what it fetched, when ENROOT_CACHE_PATH is not set.
readonly enroot_cache={{ folder }}
{%- endif %}
{%- if let Some(folder) = site.enroot_temp %}
# Where enroot unpacks, when ENROOT_TEMP_PATH is not set.
readonly enroot_temp={{ folder }}
{%- endif %}
# Used when STAGE_PATH is not set.
readonly default_stage_path={{ stage_path }}
{%- match runtime %}
{%- when Runtime::Pyxis %}
# One entry an image in each list: its file and name, what enroot imports, the processor
{%- when Runtime::Apptainer %}
# One entry an image in each list: its file and name, what apptainer pulls, the processor
{%- when Runtime::Podman %}
# One entry an image in each list: its file and name, what podman pulls, the processor
{%- endmatch %}
# it is for (empty: this node's), the free space it needs in MiB, and the
# registry that asks for an NGC key (empty: none does).
readonly image_files=(
{%- for image in images %}
  {{ image.file }}
{%- endfor %}
)
readonly image_references=(
{%- for image in images %}
  {{ image.reference }}
{%- endfor %}
)
readonly image_uris=(
{%- for image in images %}
  {{ image.uri }}
{%- endfor %}
)
readonly image_architectures=(
{%- for image in images %}
  {{ image.architecture }}
{%- endfor %}
)
readonly image_space=(
{%- for image in images %}
  {{ image.space }}
{%- endfor %}
)
readonly image_logins=(
{%- for image in images %}
  {{ image.login }}
{%- endfor %}
)

# ---- Common ground ----------------------------------------------------------
{% include "lib/base.sh" %}

{% include "lib/stage_path.sh" %}

{% include "lib/slurm_environment.sh" %}

{% include "lib/readable.sh" %}

{% include "lib/lock.sh" %}
{%- include "lib/image.sh" %}

{% include "lib/fetched.sh" %}

say "$made_by, recipe $recipe"
{%- include "lib/site.sh" %}

# ---- Checks: before anything is fetched ---------------------------------------
[[ -n ${SLURM_JOB_ID-} ]] || missing "a Slurm job: submit this script with sbatch"
stop_if_missing
{% include "lib/use_stage_path.sh" %}

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

{%- match runtime %}
{%- when Runtime::Pyxis %}

need_commands srun enroot find flock grep od
{%- when Runtime::Apptainer %}

need_commands srun apptainer find flock grep od
# What a login shell says of pulls would lead these elsewhere.
unset {APPTAINER,SINGULARITY}_{PULLDIR,PULLFOLDER,PULL_NAME,PULL_ARCH,PULL_ARCH_VARIANT,SANDBOX,DOCKER_LOGIN}
# Before 1.2, apptainer pulls for the node's own processor, whatever it is asked for.
architectures=$(for index in "${to_import[@]}"; do echo "${image_architectures[index]}"; done)
case "$(apptainer --version 2>/dev/null) $(uname -m) $architectures" in
  *' version 1.'[01].*' x86_64 '*arm64* | *' version 1.'[01].*' aarch64 '*amd64*)
    missing "apptainer 1.2 or later on $HOSTNAME, or a node with the images' processor" ;;
esac
{%- when Runtime::Podman %}

need_commands srun podman base64 find flock grep tar
{%- endmatch %}
[[ -w $stage_path ]] || missing "permission to write in $stage_path on $look"
available=$(free_space "$stage_path")
((available >= space_needed)) ||
  missing "free space in $stage_path: $available MiB are free, the images need about $space_needed MiB"
{%- if site.enroot_cache.is_some() %}
export ENROOT_CACHE_PATH=${ENROOT_CACHE_PATH:-$enroot_cache}
{ mkdir -p "$ENROOT_CACHE_PATH" && [[ -w $ENROOT_CACHE_PATH ]]; } ||
  missing "permission to write in $ENROOT_CACHE_PATH for enroot's cache: export ENROOT_CACHE_PATH=..., a folder of your own"
{%- endif %}
{%- if site.enroot_temp.is_some() %}
export ENROOT_TEMP_PATH=${ENROOT_TEMP_PATH:-$enroot_temp}
{ mkdir -p "$ENROOT_TEMP_PATH" && [[ -w $ENROOT_TEMP_PATH ]]; } ||
  missing "permission to write in $ENROOT_TEMP_PATH for enroot's temporary files: export ENROOT_TEMP_PATH=..., or ask its owner for chmod 1777"
{%- endif %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
{% include "lib/pyxis/logins.sh" %}
{%- when Runtime::Apptainer %}
{% include "lib/apptainer/logins.sh" %}
{%- when Runtime::Podman %}
{% include "lib/podman/logins.sh" %}
{%- endmatch %}
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
key_needed=
{%- endmatch %}
for registry in "${logins_needed[@]}"; do
  has_login "$registry" && continue
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
  key_needed=yes
{%- endmatch %}
  [[ -n ${NGC_API_KEY-} ]] || {
{%- match runtime %}
{%- when Runtime::Pyxis %}
    missing "a login for $registry: export NGC_API_KEY=..., or add a line for $registry to $credentials"
{%- when Runtime::Apptainer %}
    missing "a login for $registry: export NGC_API_KEY=..., or run: apptainer registry login --username '\$oauthtoken' docker://$registry (before 1.3: apptainer remote login)"
{%- when Runtime::Podman %}
    missing "a login for $registry: export NGC_API_KEY=..., or run: podman login --authfile $(printf %q "${credentials[1]-${credentials[0]}}") --username '\$oauthtoken' $registry"
{%- endmatch %}
    break
  }
done
stop_if_missing

# ---- Import -------------------------------------------------------------------
# mktemp makes a folder that is the user's alone.
private=$(mktemp -d) || fail "cannot make a temporary folder"
readonly private
{%- if !site.has_hooks() %}
trap 'rm -rf "$private"' EXIT
{%- else %}
trap 'code=$?; rm -rf "$private"; at_the_end "$code"' EXIT
{%- endif %}
stopped=
# Slurm ends the import steps itself; what is left to do is to wait for them.
trap 'stopped=yes' TERM INT
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/key.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/key.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/key.sh" %}
{%- endmatch %}

{% include "lib/secret_names.sh" %}
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
{% include "lib/job_has_ended.sh" %}

label() {
  local line LC_ALL=C
  while IFS= read -r line || [[ -n $line ]]; do
    printf '  %s | %s\n' "$1" "${line//[^ -~]/?}"
  done
}
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/reason.sh" %}
{%- else %}

{% include "lib/pull_reason.sh" %}
{%- endmatch %}

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
{%- match runtime %}
{%- when Runtime::Pyxis %}
  use_key_for "$1"
  # enroot's words go to the log, each with its image, and to a file that is asked for the reason.
{%- when Runtime::Apptainer %}
  use_key_for "$1"
  # apptainer's words go to the log, each with its image, and to a file that is asked for the reason.
{%- when Runtime::Podman %}
  # podman's words go to the log, each with its image, and to a file that is asked for the reason.
{%- endmatch %}
  if ! srun --job-name="import-$1" --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --cpu-bind=none --mpi=none \
{%- match runtime %}
{%- when Runtime::Pyxis %}
    --export=ALL --kill-on-bad-exit=1 \
    bash -s -- "$part" "$uri" "$architecture" 2>&1 < <(declare -f save_image && echo 'save_image "$@"') |
{%- when Runtime::Apptainer %}
    --export=ALL --input=none --kill-on-bad-exit=1 \
    apptainer pull --disable-cache ${architecture:+--arch "$architecture"} "$part" "$uri" 2>&1 |
{%- when Runtime::Podman %}
    --export=ALL --kill-on-bad-exit=1 \
    bash -s -- "$part" "$uri" "$architecture" "$(login_file_for "$1")" 2>&1 < <(declare -f save_image && echo 'save_image "$@"') |
{%- endmatch %}
    tee "$private/words-$1" | label "$name"; then
    rm -f -- "$part"
    say "error: $name could not be imported from $uri: $(reason_of_failure "$1")" >&2
    return 1
  fi
{%- match runtime %}
{%- when Runtime::Pyxis %}
  # enroot calls it a warning.
  if grep -Fq "architecture doesn't match" "$private/words-$1"; then
{%- when Runtime::Apptainer %}
  # What its header says of that at byte 45 is 02 for amd64, and 04 for arm64.
  if [[ "$(tail -c +46 "$part" | head -c 2 | tr -d '\0') $processor" =~ ^0(2 arm64|4 amd64)$ ]]; then
{%- when Runtime::Podman %}
  # podman calls it a warning, or says nothing.
  if grep -Ex 'architecture=[a-z0-9]+' "$private/words-$1" | grep -Fqxv "architecture=$processor"; then
{%- endmatch %}
    rm -f -- "$part"
    say "error: $uri is for another processor than $processor: correct architecture or image in the recipe and render this script again" >&2
    return 1
  fi
  if ! sound_image "$part"; then
    rm -f -- "$part"
{%- match runtime %}
{%- when Runtime::Pyxis %}
    say "error: enroot reported success, but what it wrote for $name is not a whole squashfs file: is the disk full?" >&2
{%- when Runtime::Apptainer %}
    say "error: apptainer reported success, but what it wrote for $name is not a whole SIF file: is the disk full?" >&2
{%- when Runtime::Podman %}
    say "error: podman reported success, but what it wrote for $name is not a whole archive: is the disk full?" >&2
{%- endmatch %}
    return 1
  fi
  # The name appears only now, when the file is complete. Where another setup was
  # faster, its file stays.
  { ! sound_image "$file" || holds "$file" "$reference" "$processor"; } || set_aside "$file" other ||
    { rm -f -- "$part" && fail "cannot move $file away: is it another user's?"; }
  mv -nT -- "$part" "$file" || sound_image "$file" || fail "cannot rename $part to $file"
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
  # The last such line is the step's own.
  local digest
  digest=$(grep -Ex 'digest=sha256:[0-9a-f]{64}' "$private/words-$1" | tail -n 1) || true
  [[ -z $digest || $reference == *@* ]] || reference+=@${digest#*=}
{%- endmatch %}
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
{% include "lib/preempted.sh" %}
if ((failed > 0)) && [[ -z $stopped ]] && is_preempted "$SLURM_JOB_ID"; then
  say "Slurm preempts this job: it waits for that, so that Slurm can start it again"
  stay stopped
fi
[[ -z $stopped ]] || fail "stopped by a signal before all images were there: submit this script again"
((failed == 0)) ||
  fail "$failed of ${#to_import[@]} images failed; when that is fixed, submit this script again: what is ready is not fetched twice"
say "done: all images are in $stage_path"
