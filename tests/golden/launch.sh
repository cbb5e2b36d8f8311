#!/usr/bin/env bash
#SBATCH --job-name=nim-launch
#SBATCH --nodes=1
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@30
#SBATCH --open-mode=append
# Starts inference servers, each on its GPUs and with a benchmark client beside it, waits until they answer, and measures
# every point of the sweep. It writes below the stage path: logs, results, and the caches nim_cache and hf_cache.
# Exit code: 0 all points are measured and valid; 2 something needed is missing; 3 the server ended or stopped answering;
# 4 the server was not ready in time; 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.

# ---- Settings ---------------------------------------------------------------
# shellcheck disable=SC2016,SC2064,SC2089,SC2090,SC2174,SC2317 # quotes are meant as they are; traps and steps call functions
readonly made_by='nim-slurm 0.1.0'
readonly recipe=llama3-70b-h100x4-fp8
readonly default_stage_path=''
# The server: image; model folder (in STAGE_PATH, or its whole path), link to an engine in it; files but for weights' shards.
readonly server_image=nim+meta+llama3-70b-instruct+1.0.3.sqsh
readonly server_reference=nvcr.io/nim/meta/llama3-70b-instruct:1.0.3
readonly model_folder=llama3-70b-instruct_vhf
readonly weights_target=nim/meta/llama3-70b-instruct:hf
readonly engine_target=nim/meta/llama3-70b-instruct:0.10.0+cbc614f5-h100x4-fp8-throughput
readonly engine_link=trtllm_engine
model_files=(
  config.json generation_config.json LICENSE model.safetensors.index.json README.md
  special_tokens_map.json tokenizer_config.json tokenizer.json USE_POLICY.md
  trtllm_engine/rank0.engine trtllm_engine/rank1.engine trtllm_engine/rank2.engine
  trtllm_engine/rank3.engine
)
# Nodes of a server; servers side by side (split: a point is for one; together: each has a part of it); GPUs of a node.
readonly nodes=1
readonly replicas=1
readonly replica_use=split
readonly parts=0
readonly gpus_of_a_node=4
readonly gpus=$((nodes * gpus_of_a_node / replicas))
readonly mpi=pmix
# Words in braces stand for facts of the run.
server_command=(
  mpirun -n 1 --allow-run-as-root --oversubscribe --bind-to none python3
  -m vllm_nvext.entrypoints.openai.api_server --tensor-parallel-size '{gpus}' --quantization fp8
  --served-model-name '{served_model_name}'
)
server_environment=(
  'HF_HOME={cache_path}/huggingface' 'NIM_CACHE_PATH={cache_path}' 'NIM_MODEL_NAME={model_path}/'
  'NIM_SERVER_PORT={port}'
)
# Secrets that the server gets, and those that are taken from it.
readonly server_secrets=()
readonly secrets=(NGC_API_KEY NGC_CLI_API_KEY HF_TOKEN HUGGING_FACE_HUB_TOKEN)
# Where the (first) server answers; seconds until it must be ready, between signs of life during a point, and to end.
readonly port=8000
readonly health_path=/v1/health/ready
readonly served_model_name=meta/llama3-70b-instruct
readonly ready_timeout=1800
readonly probe_interval=60
readonly stop_timeout=30
# What its prefix cache may do: off and flush (emptied before each point) allow hits for 1 % of the prompts' tokens.
readonly prefix_cache=off
# The client: image; tokenizer (a folder in it, or a name on Hugging Face; empty: the model's own); what measures a point.
readonly client_image=nvidia+tritonserver+25.01.sqsh
readonly client_reference=nvcr.io/nvidia/tritonserver:25.01-py3-sdk
readonly tokenizer=''
readonly tool_name=GenAI-Perf
readonly client_command=(
  genai-perf profile --model meta/llama3-70b-instruct --service-kind openai --endpoint-type chat
  --streaming --url '{url}' --tokenizer '{tokenizer}' --synthetic-input-tokens-mean '{input_tokens}'
  --synthetic-input-tokens-stddev 0 --output-tokens-mean '{output_tokens}'
  --extra-inputs 'max_tokens:{output_tokens}' --extra-inputs 'min_tokens:{output_tokens}'
  --extra-inputs ignore_eos:true --concurrency '{concurrency}' --artifact-dir '{folder}'
  --random-seed '{seed}' --num-prompts '{prompts}' --profile-export-file profile_export.json --
  --request-count '{requests}' --max-threads '{concurrency}'
)
# What each of its requests says beside model and messages, here for four tokens; the server is asked in this way, too.
readonly request_fields='"stream": true, "max_tokens": 4, "min_tokens": 4, "ignore_eos": true'
# The sweep, in order: use case, input tokens, output tokens, load, requests, number and seed of prompts, repeat.
result_name=llama-3-70b-instruct
points=(
  'chat 128 128 100 500 500 1661665437 1'
  'summarization 4096 512 100 500 500 1848282548 1'
  'chat 128 128 50 250 250 1514973609 1'
  'summarization 4096 512 50 250 250 2014488356 1'
  'chat 128 128 25 125 125 1524103049 1'
  'summarization 4096 512 25 125 125 2146419780 1'
  'chat 128 128 1 20 20 1582286884 1'
  'summarization 4096 512 1 20 20 169410275 1'
)
# For how many seconds before the time is up no point may be measured, and how many one may take; mounts of both containers.
readonly reserve=40
readonly point_timeout=900
readonly extra_mounts=()

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

# True when $1 is a whole squashfs file: its superblock, which is written last, says at byte 40 how long it must be.
sound_image() {
  local length
  [[ -f $1 && $(head -c 4 "$1" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$1") && (($(stat -L -c %s "$1") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$1" >/dev/null 2>&1
}

check_runtime() {
  [[ $(srun --help 2>&1) == *--container-env* ]] ||
    missing "srun's option --container-env on $HOSTNAME: is the pyxis plugin there, release 0.15 or later?"
}
# set_container ROLE IMAGE NAMES MOUNT...: in REPLIES, srun's options for this image. Variables in NAMES win over its own.
set_container() {
  local IFS=, mounts
  # What is mounted on a folder would hide what is mounted in it.
  mapfile -t mounts < <(printf '%s\n' "${@:4}" | LC_ALL=C sort --stable --field-separator=: --key=2,2)
  # By these, enroot mounts the driver, or none. An image may not say it, and a login shell may say something else.
  [[ $1 == server ]] && NVIDIA_VISIBLE_DEVICES=all || NVIDIA_VISIBLE_DEVICES=void
  export NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
  REPLIES=(
    --no-container-entrypoint --no-container-mount-home --container-writable --container-image="$stage_path/$2"
    --container-env="${3// /,},NVIDIA_VISIBLE_DEVICES,NVIDIA_DRIVER_CAPABILITIES" --container-mounts="${mounts[*]}" --
  )
}

shards_of() {
  local index=$1/model.safetensors.index.json
  [[ ! -s $index ]] || head -c 67108864 -- "$index" | LC_ALL=C grep -ao '"[ !#-.0-~]*\.safetensors"' | tr -d '"' | LC_ALL=C sort -u
}
# missing_files FOLDER FILE...: in REPLIES, which of these files and of the shards are not there, or are empty.
missing_files() {
  local file && REPLIES=()
  while IFS= read -r file; do
    [[ -z $file || -f $1/$file && -s $1/$file ]] || REPLIES+=("$file")
  done < <(printf '%s\n' "${@:2}" && shards_of "$1")
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

# ---- Checks: before any GPU is used -------------------------------------------
[[ -n ${SLURM_JOB_ID-} && -n ${SLURMD_NODENAME-} ]] || missing "a Slurm job: submit this script with sbatch"
need_commands srun scancel squeue scontrol awk find grep od sed sha256sum tar
stop_if_missing

model_path=$model_folder
[[ $model_folder == /* ]] || model_path=$stage_path/$model_folder
readonly model_path tokenizer_path=${tokenizer:-$model_path} logs=$stage_path/logs results=$stage_path/results
# Slurm is asked: variables may be an outer job's. A task has two numbers: its own may be the array's, which means all.
for pause in 0 2 8; do
  sleep "$pause"
  ! read -r _ job_id task restarts script < <(squeue -h -j "$SLURM_JOB_ID" -O jobid,arrayjobid,arraytaskid,restartcnt,command:4096 \
    2>/dev/null | awk -v id="$SLURM_JOB_ID" '$1 == id { sub(/[(]null[)] *$/, ""); print }') || break
done
[[ $task =~ ^[0-9]+$ ]] && job_id+=-$task repetition=-$task || job_id=$SLURM_JOB_ID repetition=''
readonly slurm_id=${job_id/-/_} array_option=${repetition:+"--array=$task "}
[[ $restarts =~ ^[0-9]+$ ]] || restarts=${SLURM_RESTART_COUNT:-0}
[[ ${script:-/} == /* ]] || script=${SLURM_SUBMIT_DIR-.}/$script
[[ -z $array_option ]] || run_again="submit this task again: ${RESUME_JOB_ID:+RESUME_JOB_ID=$(printf %q "$RESUME_JOB_ID") }sbatch $array_option$(printf %q "$script")"
# What blocks below add: facts and options of a server's step; mounts of clients, parts of their program; what turns measured.
declare -A facts=()
of_nodes=() client_mounts=() client_parts=() measured_before=0 of_turn=''

check_runtime
# A recipe may name any folder, and its images see all of it. In /run (/var/run), programs of the user and of Slurm listen.
real=$(cd -P -- "$model_path" 2>/dev/null && pwd) || real=$(realpath -m -- "$model_path")
[[ ! $real/ =~ ^/+((boot|dev|etc|proc|run|sys|var/(mail|spool))?/|(tmp|var|var/tmp)/$) ]] ||
  missing "a folder that is a model's: $model_path is $real, a folder of the system"
! grep -qF " ${real%/}/" /proc/self/mounts || missing "a folder with the model alone: something is mounted in $model_path"
for name in "${HOME:-/}" "$stage_path"{,/logs,/results,/nim_cache,/hf_cache}; do
  # Names prove nothing: a file system may be mounted in two places, and each of these may be a link.
  place=$(cd -P -- "$name" 2>/dev/null && pwd) || continue
  rest=$place below='' folder=$real
  until [[ -z $rest || $real$below -ef $place ]]; do below=/${rest##*/}$below rest=${rest%/*}; done
  [[ ! $real$below -ef $place ]] ||
    { missing "a folder with the model alone: all of $place lies in $model_path" && break; }
  until [[ -z $folder || $folder -ef $place ]]; do folder=${folder%/*}; done
  [[ -z $folder || ! $name =~ ^"$stage_path"/(logs|results|nim_cache|hf_cache)$ ]] ||
    missing "a folder with the model alone: $model_path is what jobs leave in $place"
  [[ -z $folder || ${real#"$folder"} != */.* ]] || missing "a folder with the model alone: $model_path is a hidden one of $place"
done
missing_files "$model_path" "${model_files[@]}"
# What a command line does not hold is no model's: a longer name is missing anyway.
mapfile -t -O "${#model_files[@]}" model_files < <(shards_of "$model_path" | grep -v '.\{256\}')
((${#model_files[@]} < 2000)) ||
  { missing "the complete model in $model_path: its index names 2,000 shards or more" && stop_if_missing; }
# What may not be read is neither absent nor damaged.
hidden=$(LC_ALL=C find -H "$stage_path"/{"$server_image","$client_image"} "$model_path" "${model_files[@]/#/"$model_path"/}" \
  -maxdepth 0 \( ! -readable -o -type d ! -executable \) 2>&1 | tr -c ' -~\n' '?' |
  grep -v 'No such file' | head -n 3) || true
[[ -z $hidden ]] || missing "permission to read ${hidden//$'\n'/, }: ask its owner for chmod -R a+rX"
for image in "$server_image" "$client_image"; do
  [[ $hidden == *"$image"* ]] || sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done
[[ $hidden == *"$model_path"* ]] || ((${#REPLIES[@]} == 0)) ||
  missing "the complete model in $model_path: ${#REPLIES[@]} files are missing, as ${REPLIES[0]}; run prepare_models.sh or, of a model by path, copy them there"
[[ -n $tokenizer$hidden || ${#REPLIES[@]} != 0 || $(find -H "$model_path" -maxdepth 1 -printf '%P\n') =~ tok|vocab|tekken|spm|bpe|dict\.|\.model ]] ||
  missing "a tokenizer's file in $model_path, and the client counts tokens: name a tokenizer in the recipe, under [client]"
# Links that lead out of it, as those of a hub's cache, lead nowhere in a container that has no other mounts.
stray=$(realpath -m -- "${model_files[@]/#/"$real"/}" | LC_ALL=C awk -v folder="$real/" 'index($0, folder) != 1 && !n++')
[[ -z $stray || ${#extra_mounts[@]} != 0 ]] ||
  missing "the files of the model in $model_path: a link leads to $stray. Copy it, as with cp -rL, or mount that, too"
# A plugin may be listed, and its library not be there.
[[ $mpi == none ]] || answer=$(timeout 300 srun --ntasks-per-node=1 --overlap --mem=0 --gres=none --mpi="$mpi" true 2>&1) ||
  missing "srun's MPI plugin $mpi on $SLURM_JOB_NODELIST: set it to none, or to another (--mpi, or [srun] in the settings). ${answer//$'\n'/; }"
! declare -F check_needs >/dev/null || check_needs

# check_fetched ROLE PATH REFERENCE SCRIPT: what lies there is what the recipe names, as far as somebody wrote it down.
declare -A fetched=([weights]=$weights_target)
check_fetched() {
  holds "$2" "$3" || missing "$3 in $2: $REPLY was fetched there. Run $4, which keeps that one aside"
  fetched[$1]=$REPLY
}
check_fetched server "$stage_path/$server_image" "$server_reference" setup.sh
check_fetched client "$stage_path/$client_image" "$client_reference" setup.sh
[[ $model_folder == /* ]] || check_fetched weights "$model_path" "$weights_target" prepare_models.sh
[[ -z $engine_target ]] || check_fetched engine "$model_path/$engine_link" "$engine_target" prepare_models.sh

[[ ${SLURM_JOB_NUM_NODES-$nodes} == "$nodes" ]] || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
IFS=, read -r -a given <<<"${SLURM_JOB_GPUS-}"
gpus_here=${SLURM_GPUS_ON_NODE:-${#given[@]}} gpu_options=(--gres="gpu:$gpus_of_a_node")
# A share of a GPU (shard, mps) is all that a step can have.
[[ -z ${SLURM_SHARDS_ON_NODE-}${CUDA_MPS_ACTIVE_THREAD_PERCENTAGE-} ]] || gpu_options=()
if [[ -z ${SLURM_GPUS_ON_NODE-}${SLURM_JOB_GPUS-} ]]; then
  # No GPU is Slurm's to give: the servers take the first ones of the node.
  gpus_here=$gpus_of_a_node gpu_options=()
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1))) && export CUDA_VISIBLE_DEVICES
  ! command -v nvidia-smi >/dev/null || gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
fi
((gpus_here >= gpus_of_a_node)) ||
  missing "GPUs on $HOSTNAME: $gpus_of_a_node are used, this job has $gpus_here: ask for --gpus-per-node=$gpus_of_a_node"

# Points of jobs that are named (4711, 4711-3, 4711_3), of all tasks of an array (a repetition: of its own), and what they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-${default_resume_job_id-}}"
for id in "${resumed[@]}"; do
  id=${id/_/-} found=${#runs[@]} manifests=0 over=COMPLETING
  [[ -z $id || $id == *-* || -z $repetition || -e $results/run_$id.json ]] || id+=$repetition
  [[ -n $id && $id != "$job_id" ]] || continue
  for left in "$results/run_$id"{,-*}.json; do
    # Others may write here, and a name may have anything in it.
    [[ -f $left && $left =~ /run_([0-9]+(-[0-9]+)?)\.json$ ]] || continue
    ((manifests++ < 1000)) || { say "of job $id, only the first 1,000 manifests count" && break; }
    text=$(text_of "$left")
    IFS=, read -r -a earlier < <(sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' <<<"$text" | tr -cd '0-9,-' | head -c 4000) || true
    runs+=("${BASH_REMATCH[1]}" "${earlier[@]}")
    # Its script works. Else Slurm may still be at its epilog.
    [[ $text != *'"exit_code": null'* ]] || over=none
  done
  if (($(squeue --noheader --jobs="${id/-/_}" --format=%T 2>/dev/null | grep -cvx "$over") > 0)); then
    missing "the end of job $id, which RESUME_JOB_ID names: it is still in the queue"
  elif ((${#runs[@]} == found)); then
    { [[ $id == *-* && -n $(compgen -G "$results/run_${id%-*}-*.json") ]] && say "job $id has left nothing that counts"; } ||
      missing "results of job $id, which RESUME_JOB_ID names: $results/run_$id.json"
  fi
done
# Each of them once: points are looked for in all.
mapfile -t runs < <(printf '%s\n' "${runs[@]}" | awk '!seen[$0]++' | head -n 2000)
readonly runs job_id restarts model_files all_logs="$logs/*_$job_id.*out"

for ((number = port; number < port + replicas; number++)); do
  ! grep -q ":$(printf %04X "$number") [0-9A-F:]* 0A " /proc/net/tcp{,6} 2>/dev/null ||
    missing "port $number on $HOSTNAME: another program listens there"
done
stop_if_missing
# Caches may have code: what another user's server left is not loaded, nor that of another image, model or command.
digest() { printf '%s\0' "$@" | sha256sum | head -c 32; }
cache_path=$stage_path/nim_cache/$UID/$(digest "$server_image" \
  "$server_reference" "$weights_target" "$engine_target" "${server_environment[@]}" -- "${server_command[@]}")
# Clients of one image run the same code, but for that of a tokenizer.
hub_cache=$stage_path/hf_cache/$UID/$(digest "$client_reference")
[[ ${client_command[*]} != *trust-remote-code* ]] || hub_cache+=-$(digest "$tokenizer" "${client_command[@]}")
readonly cache_path hub_cache
mkdir -p "$logs" "$results" || fail "cannot make folders in $stage_path"
# own_folder FOLDER/NAME: both are the user's alone. A container may open NAME, with setuid programs: FOLDER stays closed.
own_folder() {
  for REPLY in "${1%/*}" "$1"; do
    mkdir -p -m 700 "$REPLY" || fail "cannot write in ${REPLY%/*}"
    { [[ ! -L $REPLY && -O $REPLY ]] && chmod 700 "$REPLY"; } || fail "$REPLY is a link, or another user's: remove it"
  done
}
own_folder "$cache_path"

# Without a driver, it says so where its answer would be.
answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) || answer=
IFS=, read -r gpu_model driver <<<"$answer"
printf -v started '%(%FT%T%z)T' -1
readonly driver=${driver# } gpu_model started manifest=$results/run_$job_id.json

# sum_of FILE...: a checksum of their lengths, beginnings and ends: to read all of a model would take minutes.
sum_of() { { stat -L -c %s -- "$@" && head -qc 65536 -- "$@" && tail -qc 65536 -- "$@"; } | sha256sum | cut -c -16; }
sums=$(cd "$stage_path" && sum_of "$server_image" && sum_of "$client_image" && cd "$model_path" && sum_of "${model_files[@]}") ||
  fail "cannot read the images, or the model in $model_path"
read -r server_sum client_sum model_sum <<<"${sums//$'\n'/ }"
# What defines a measurement beside its point: a point counts only where its measurement.txt says the same.
definition=$(
  printf '%s=%s\n' server_image "${fetched[server]:-unknown} $server_sum" \
    client_image "${fetched[client]:-unknown} $client_sum" \
    model "${fetched[weights]:-unknown} ${fetched[engine]-} $model_sum" \
    tokenizer "$tokenizer" gpu_model "$gpu_model" gpus "$gpus" nodes "$nodes" replicas "$replicas $replica_use" \
    cpus "${SLURM_JOB_CPUS_PER_NODE-}" prefix_cache "$prefix_cache" ${data_forms:+data "$data_forms"}
  printf 'server_command=%q\n' "${server_command[@]}"
  printf 'server_environment=%q\n' "${server_environment[@]}"
  printf 'client_command=%q\n' "${client_command[@]}"
  printf 'of_the_site=%q\n' "${lines_in_server-}" "${lines_in_client-}" "${extra_mounts[@]}"
)
fingerprint=$(sha256sum <<<"$definition")
readonly definition fingerprint=${fingerprint%% *}
# measurement_of POINT: in REPLY, all that defines it. Which of a data set's prompts it has matters to a cache alone.
measurement_of() {
  local requests prompts seed number words=''
  read -r _ _ _ _ requests prompts seed _ number _ <<<"$1"
  [[ -z $number ]] || { own_command "$number" && printf -v words 'own_command=%q\n' "${REPLIES[@]}"; }
  [[ $words != *'{data\}'* || $prefix_cache == on ]] || seed=any
  printf -v REPLY '%s\n%s\n%s\n%s\n%s' "requests=$requests" "prompts=$prompts" "seed=$seed" "$definition" "${words}fingerprint=$fingerprint"
}

# By the folder of a point that does not count, in what it is another measurement.
declare -A differs=()
# counts FOLDER POINT: true when it is a result of the same measurement. An empty folder is none.
counts() {
  local here there LC_ALL=C
  [[ -d $1 && ! -L $1 ]] || return 1
  measurement_of "$2"
  # But for the last line, the fingerprint; and GPUs of which nvidia-smi said nothing are not other ones.
  here=${REPLY%$'\n'*} here=${here:0:65536} there=$(text_of "$1/measurement.txt" | head -n -1 | head -c 65536)
  [[ $here$'\n'$there != *$'\n'gpu_model=$'\n'* ]] ||
    here=$(sed '/^gpu_model=/d' <<<"$here") there=$(sed '/^gpu_model=/d' <<<"$there")
  [[ $there != "$here" ]] || return 0
  REPLY="there: $(grep -avxFe "$here" <<<"$there") here: $(grep -avxFe "$there" <<<"$here")"
  [[ -n $there ]] || REPLY="nothing in it says what was measured: it is empty, or of an older version"
  REPLY=${REPLY:0:2000}
  differs[$1]=${REPLY//[^ -~]/ } && return 1
}

# Of the points in their order: folder, and whether it is finished. By folder: the others, and why it could not be stored.
folders=() are_finished=()
declare -A own=() tried=()
name_points() {
  local point use_case isl osl concurrency repeat stem id
  folders=() are_finished=() own=() tried=()
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency _ _ _ repeat _ <<<"$point"
    stem=${result_name}_${gpus}_${concurrency}_${use_case}_${isl}_${osl}_r$repeat stem=${stem%_r1}
    for id in "${runs[@]}" ''; do
      ! counts "$results/${stem}_$id" "$point" || break
    done
    folders+=("${stem}_${id:-$job_id}") are_finished+=("${id:+yes}")
    [[ -n $id ]] || own[${stem}_$job_id]=$point
  done
}

# hear: in $said, by its folder, the last row of each point that clients wrote.
declare -A said=()
hear() {
  local folder row
  while IFS='|' read -r folder row; do said[$folder]=$row; done < <(text_of "$run/points" 5 | LC_ALL=C awk -F '|' '
    NR == FNR { last[$1] = $1 "|"; next }
    $1 in last { last[$1] = substr($0, 1, 2000) }
    END { for (folder in last) print last[folder] }' <(printf '%s\n' "${folders[@]}") -)
}
# look_up FOLDER: in REPLIES, what the client said: state, seconds, detail, and the four numbers at the end of a manifest's row.
look_up() {
  local state seconds figures detail number='(null|0|[1-9][0-9]{0,14})' LC_ALL=C
  IFS='|' read -r state seconds figures detail <<<"${said[$1]-}"
  # The client's image may have written anything: a point is finished when its folder is there.
  [[ -v own[$1] ]] || state=${state:-finished}
  [[ ! -v own[$1] || $state != finished ]] || state=failed detail=${tried[$1]-its results are not there}
  [[ $state =~ ^(finished|failed|interrupted|left\ out|not\ run)$ ]] || state='not run'
  [[ $seconds =~ ^(0|[1-9][0-9]{0,8})$ ]] || seconds=
  [[ $figures =~ ^$number\ $number\ $number\ $number$ ]] || figures='null null null null'
  REPLIES=("$state" "$seconds" "${detail//[^ -~]/?}" "$figures")
}

# All of results that the client's container sees. It may put anything there: only files are opened, and copies lie elsewhere.
readonly run=$results/.run_$job_id/client copies=$results/.run_$job_id/copies
own_folder "$run"
# Steps add to logs of an earlier run of this job, and not to what somebody put in their place.
for log in "$logs"/{server,benchmarking}_"$job_id".*out "$results/telemetry_$job_id".*.csv; do
  [[ -f $log && ! -L $log && -O $log && $(stat -c %h -- "$log") == 1 ]] || rm -f -- "$log" ||
    fail "$log is no file, has other names, or is another user's: remove it"
done

# in_run FOLDER COMMAND...: runs it in this folder below $run, and in none that a client has put a link to there.
in_run() {
  (cd -- "$1" && [[ $(env pwd -P) == "$(cd -- "$results" && env pwd -P)${1#"$results"}" ]] || exit 2
    "${@:2}") 2>/dev/null
}
# in_time COMMAND...: ends it, and all that it started, at $store_until. A signal's handler does not wait for it.
in_time() {
  set -m
  "$@" &
  set +m
  while kill -0 $!; do
    ((SECONDS < store_until)) || kill -KILL -- "-$!"
    sleep 0.1 || true
  done
  wait $!
} 2>/dev/null
# copy_point FOLDER TO: follows no link. tar's 1 means that something changed meanwhile; a tar that reads leaves the last blocks.
# With --sparse, it would lose small files that have no blocks of their own, as GPFS has them.
copy_point() {
  (($(in_run "${1%/*}" du -sb -- "./${1##*/}" | cut -f 1) <= 17179869184)) || return
  { in_run "${1%/*}" tar -cf - --hard-dereference --mode=a-s,u+rwX -- "./${1##*/}" || (($? == 1)); } |
    head -c 17179869184 | { tar -C "$2" -xf - && cat >/dev/null; }
}
# make_room PATH WORD: sets aside what has this name. "refused" lets the user's own folder stay.
make_room() {
  [[ ! -e $1 && ! -L $1 || $2 == refused && -d $1 && ! -L $1 && -O $1 ]] || set_aside "$1" "$2" 2>/dev/null
}
# store FOLDER TARGET MEASUREMENT: copies what a client left to TARGET, and removes it, or says in $REPLY why not. Who
# still has the folder open has nothing of the copy: files and folders alone, and none is setuid.
store() {
  local name=${1##*/} copy=$copies/${1##*/} status=0 other
  REPLY="another user has that name"
  { [[ -n $3 ]] || make_room "${2%/*}" refused; } && make_room "$2" earlier || return
  REPLY="no space is left, or nothing may be written there"
  in_time rm -rf -- "$copy" && in_time copy_point "$1" "$copies" || status=$?
  ((status == 0)) || df -P -k "$copies" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' ||
    REPLY="it has more than 16 GiB, or cannot be read or written"
  # A look that time has ended has seen nothing.
  other=$(in_time find "$copy" ! -type d ! -type f -print -quit) || status=$((status > 0 ? status : $?))
  ((status < 128)) || REPLY="storing it takes too long"
  [[ -z $other ]] || REPLY="it has links or devices" status=1
  ((status == 0)) && [[ -d $copy && ! -L $copy ]] && { [[ -z $3 ]] || put "$copy/measurement.txt" "$3"; } && mkdir -p "${2%/*}" || return
  mv -nT -- "$copy" "$2" && [[ ! -e $copy ]] || return
  [[ -z $3 ]] || unset "own[$name]"
  in_time in_run "${1%/*}" rm -rf -- "./$name" || true
}
# store_points [all]: what clients have put down gets its final name, within $store_seconds for all; "all": also what
# unfinished points left, once no client is at work. From one to the next, a client has the time of two.
store_seconds=60 store_until=0 silent_at=0 failures=()
store_points() {
  local left name word target
  store_until=$((SECONDS + store_seconds))
  [[ -z ${1-} ]] || hear
  # A client may make any number of names: only those of points are looked at.
  for left in "${folders[@]/#/"$run/finished/"}" "${folders[@]/#/"$run/failed/"}" ${1:+"${folders[@]/#/"$run/"}"}; do
    name=${left##*/} word=failed
    [[ -e $left && (-n ${1-} || -n ${own[$name]-} && -z ${tried[$left]-}) ]] || continue
    ((SECONDS < store_until)) ||
      { [[ -z ${1-} ]] || say "error: storing points takes too long: others stay in ${run#"$results/"}" >&2; break; }
    # It is stored, and there was no time to remove it.
    [[ -n ${own[$name]-} ]] || { in_time in_run "${left%/*}" rm -rf -- "./$name" || true; continue; }
    if [[ $left == "$run/$name" ]]; then
      ! rmdir "$left" 2>/dev/null || continue
      look_up "$name"
      [[ ${REPLIES[0]} == failed ]] || word=interrupted
    fi
    measurement_of "${own[$name]}"
    tried[$name]="its results are not there" tried[$left]=yes target=$results/$name silent_at=$((SECONDS + 2 * point_timeout + 600))
    [[ $left == "$run/finished/$name" ]] || REPLY='' target=$results/${word}_$job_id/$name
    if ! store "$left" "$target" "$REPLY"; then
      # At the end it is tried once more.
      [[ -z ${1-} ]] || say "error: $name could not be stored as $target: $REPLY; it stays in ${left#"$results/"}" >&2
      tried[$name]=$REPLY
      in_time rm -rf -- "$copies/$name" || true
    elif [[ $target != "$results/$name" ]]; then
      say "an unfinished point ($word); what it left is in $target"
      [[ $word == interrupted ]] || failures+=("$target"{,/server-*}/*.log)
    fi
  done
}
# What was measured otherwise does not count, and leaves its name to this job where it has that.
name_points
for left in "${!differs[@]}"; do say "does not count: ${left##*/}: ${differs[$left]}"; done
for left in "${!own[@]}" {failed,interrupted}_"$job_id"; do
  word=refused
  [[ -z ${own[$left]-} ]] || word=other
  make_room "$results/$left" "$word" ||
    missing "permission to replace $results/$left, which another user made: ask them to remove it"
done
stop_if_missing
{ rm -rf -- "$copies" && mkdir "$copies"; } || fail "cannot write in $results"
# An earlier run of this job may have been killed, and may have measured on other GPUs.
[[ ! -e $run/finished || $(text_of "$manifest") == *"\"fingerprint\": \"$fingerprint\""* ]] || set_aside "$run/finished" other
store_points all
for left in "$run"/{finished,failed}; do
  rmdir "$left" 2>/dev/null || [[ ! -e $left && ! -L $left ]] || set_aside "$left" refused
done
# There may be more of them than a command line holds.
clear_run() {
  find "$run" -maxdepth 1 -regex '.*/\(data\|ended\|meet\|state\|taken\|warm\)\.[^/]*' -exec rm -rf -- {} +
}
clear_run
name_points

# ---- The manifest: what ran, where, and how it ended ----------------------------
# json TEXT...: strings of JSON, with commas between them. json_or_null TEXT: of what may not be known.
json() {
  local texts=("${@//\\/\\\\}") list=''
  texts=("${texts[@]//\"/\\\"}")
  (($# == 0)) || printf -v list ', "%s"' "${texts[@]//[[:cntrl:]]/ }"
  printf %s "${list:2}"
}
json_or_null() { if [[ -n $1 ]]; then json "$1"; else printf null; fi; }
json_image() {
  local name=${fetched[$1]} digest=${fetched[$1]#"${fetched[$1]%%@*}"}
  printf '{"file": %s, "reference": %s, "bytes": %d, "digest": %s}' "$(json "$2")" "$(json_or_null "$name")" \
    "$(stat -L -c %s "$stage_path/$2")" "$(json_or_null "${digest#@}")"
}

# Each run of a job has its own: a requeued job keeps what its earlier runs wrote.
[[ ! -e $manifest ]] || set_aside "$manifest" earlier || fail "$manifest is another user's: remove it"
# How the job ends: exit code (null while it runs), cause in a fixed word and a sentence, what to do, and which server's.
code=null cause=running reason=running to_do='' blamed=0 ready_seconds='' in_flight_percent='' cause_lines=() advice=()
print_manifest() {
  local number use_case isl osl concurrency requests prompts seed repeat separator='' end=null rate='null, "request_rate": '
  [[ $code == null ]] || printf -v end '"%(%FT%T%z)T"' -1
  printf '{\n  "schema": 1'
  printf ',\n  "%s": %s' recipe "$(json "$recipe")" crate_version "$(json "${made_by#* }")" \
    job_id "$(json "$job_id")" restart "$restarts" node "$(json "$SLURM_JOB_NODELIST")" \
    resumes "[$(json "${runs[@]:1}")]" fingerprint "$(json "$fingerprint")" \
    gpus "$gpus" gpu_model "$(json_or_null "$gpu_model")" driver "$(json_or_null "$driver")" \
    replicas "$replicas" replica_use "$(json "$replica_use")" prefix_cache "$(json "$prefix_cache")" \
    images "{\"server\": $(json_image server "$server_image"), \"client\": $(json_image client "$client_image")}" \
    weights "$(json_or_null "${fetched[weights]}")" engine "$(json_or_null "${fetched[engine]-}")" \
    tokenizer "$(json "$tokenizer_path")" server_command "[$(json "${server_command[@]}")]" \
    server_environment "[$(json "${server_environment[@]}")]" client_command "[$(json "${client_command[@]}")]" \
    start "$(json "$started")" end "$end" ready_seconds "${ready_seconds:-null}" \
    in_flight_percent "${in_flight_percent:-null}" ${data_forms:+data_sets "[$(list_data)]"} \
    exit_code "$code" exit_cause "$(json "$cause")" exit_reason "$(json "$reason")" exit_replica "$blamed" \
    cause_lines "[$(json "${cause_lines[@]}")]" advice "[$(json "${advice[@]}")]" \
    ${search_goal+search "$search_goal"}
  hear
  ! declare -F only_probes >/dev/null || only_probes
  printf ',\n  "points": ['
  for number in "${!points[@]}"; do
    read -r use_case isl osl concurrency requests prompts seed repeat _ <<<"${points[number]/ data / null }"
    look_up "${folders[number]}" && concurrency=${concurrency/schedule/null} osl=${osl/data/null}
    # shellcheck disable=SC2086 # four numbers
    printf '%s\n    {"folder": %s, "use_case": %s, "input_sequence_length": %s, "output_sequence_length": %s, "concurrency": %s, "requests": %s, "prompts": %d, "seed": %d, "repeat": %d, "status": %s, "seconds": %s, "detail": %s, "warmup_requests": %s, "prefix_cache_queries": %s, "prefix_cache_hits": %s, "server": %s}' \
      "$separator" "$(json "${folders[number]}")" "$(json "$use_case")" "${isl%s*}" "${osl%s*}" "${concurrency/#rate/"$rate"}" "${requests/*-*/null}" "$prompts" "$seed" "$repeat" \
      "$(json "${REPLIES[0]}")" "${REPLIES[1]:-null}" "$(json "${REPLIES[2]}")" ${REPLIES[3]}
    separator=,
  done
  printf '\n  ]\n}\n'
}
write_manifest() { local text; text=$(print_manifest) && put "$manifest" "$text"; }

# ---- The steps: a server's and its client's ---------------------------------------
# They share a node, its processors and its memory; nothing is left to the site's defaults.
readonly step=(srun --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --cpu-bind=none --export=ALL
  --kill-on-bad-exit=1 --wait=0 --open-mode=append)
# The steps inherit it. A request in flight takes about three files, and where they are too few, GenAI-Perf hangs.
[[ ! $(ulimit -Sn) =~ ^[0-9]{1,5}$ ]] || ulimit -Sn 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
# Servers ask themselves whether they are ready: SGLang 0.4 at 0.0.0.0.
for name in no_proxy NO_PROXY; do export "$name=127.0.0.1,localhost,0.0.0.0${!name:+,${!name}}"; done
# is_secret NAME: true for a variable that is called like a secret. (A locale may have capital letters of its own.)
is_secret() { local LC_ALL=C && [[ .${1^^} =~ TOKEN(_|$)|SECRET|PASS(W|PHRASE)|[^Y]PASS$|_PWD$|CRED(ENTIAL|S$)|([^P]KEYS?|JWT)(_?V?[0-9]+)?$|_PAT$|CONNECTION_STRING|AUTH_CONFIG$ ]]; }
# keep_secrets NAME...: takes all secrets but these from the environment, addresses with a password, and what modules load.
keep_secrets() {
  local name
  unset LD_PRELOAD PYTHONHOME PYTHONPATH
  for name in $(compgen -e); do
    [[ " $* " == *" $name "* ]] || ! { is_secret "$name" || [[ " ${secrets[*]} ${server_secrets[*]} " == *" $name "* ||
      ${!name} == *://*@* || ${name^^} == *_PROXY && ${!name} == *@* ]]; } || unset "$name"
  done
}
# fill WORD...: in REPLIES, the words with $facts in place of their names in braces. The client uses it, too.
fill() {
  local name && REPLIES=("$@")
  for name in "${!facts[@]}"; do
    REPLIES=("${REPLIES[@]//"{$name}"/"${facts[$name]}"}")
  done
}
# log_of STEP NUMBER: the log of a server or a client; the first one's has no number.
log_of() { (($2 == 0)) && echo "$logs/$1_$job_id.out" || echo "$logs/$1_$job_id.$2.out"; }

# server_step NUMBER, client_step NUMBER: becomes the step of this server, or of its client, in a process of its own.
server_step() {
  local replica=$1 own_gpus=$((gpus_of_a_node / replicas)) words names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
  facts+=([model_path]=$model_path [cache_path]=$cache_path [stage_path]=$stage_path [served_model_name]=$served_model_name
    [gpus]=$own_gpus [total_gpus]=$gpus [nodes]=$nodes [replica]=$replica [port]=$((port + replica)))
  fill "${server_environment[@]}" "${server_command[@]}"
  words=("${REPLIES[@]}")
  keep_secrets "${server_secrets[@]}"
  set_container server "$server_image" "${names[*]}" "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}"
  # The server's variables are set in its container: out here, srun and the container's runtime would read them, too.
  exec "${step[@]}" --job-name="server.$replica" --output="$(log_of server "$replica")" --input=all --mpi="$mpi" \
    "${gpu_options[@]}" "${of_nodes[@]}" "${REPLIES[@]}" \
    bash -s -- "$nodes" "$replicas" "$replica" "$own_gpus" "${words[@]}" < <(printf '%s\n' '{' "${server_lines[@]}" '}')
}
# A server's task, with the words NODES SERVERS NUMBER COUNT (its GPUs of each node) NAME=VALUE... COMMAND...
server_lines=('exec env "${@:5}" </dev/null')

gpu_samples() {
  local words=("$results/telemetry_$job_id.$1" "$replicas" "$1" "$((gpus_of_a_node / replicas))")
  keep_secrets
  ((nodes == 1)) || samples_of_nodes "${words[@]}"
  sample_gpus "${words[@]}"
}
# sample_gpus FILE SERVERS NUMBER COUNT: each second a row for each GPU of server NUMBER, in UTC; of 256 MiB at most.
sample_gpus() {
  local ids query=timestamp,uuid,power.draw,utilization.gpu,memory.used,clocks.sm,clocks_event_reasons.active IFS=,
  read -r -a ids <<<"${CUDA_VISIBLE_DEVICES-}"
  ((${#ids[@]} != $2 * $4)) || ids=("${ids[@]:$3*$4:$4}")
  exec >>"$1.${SLURM_NODEID:-0}.csv" 2>/dev/null
  ulimit -f 262144 || true
  nvidia-smi --query-gpu="$query" --format=csv >/dev/null || query=${query/event/throttle}
  printf '\n#%s,%(%s)T\n' "$SLURMD_NODENAME" -1
  TZ=UTC0 exec nvidia-smi --query-gpu="$query" ${ids[0]+--id="${ids[*]}"} --format=csv,nounits --loop=1
}

client_step() {
  local replica=$1 names=(PYTHONUNBUFFERED COLUMNS HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
  # The tool's tables are for a terminal: at once, and wide enough for numbers.
  export PYTHONUNBUFFERED=1 COLUMNS=120 HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
  [[ -n $tokenizer ]] || client_mounts+=("$model_path:$model_path:ro")
  REPLIES=()
  ! declare -F use_hub >/dev/null || use_hub
  names+=("${REPLIES[@]}")
  keep_secrets "${REPLIES[@]}"
  set_container client "$client_image" "${names[*]}" "$run:$run" "${client_mounts[@]}" "${extra_mounts[@]}"
  # --gres=none: the GPUs are the server's.
  exec "${step[@]}" --job-name="client.$replica" --output="$(log_of benchmarking "$replica")" --mpi=none --gres=none \
    "${REPLIES[@]}" bash -s < <(client_program "$replica")
}
# client_program NUMBER: the client's program, which its step reads on standard input: first the values that it needs.
client_program() {
  local replica=$1 part
  declare -p results run job_id folders are_finished replica replicas parts port health_path served_model_name \
    ready_timeout server_started probe_interval tokenizer_path point_timeout tool_name client_command request_fields points \
    reserve prefix_cache "${!lines_in_client@}" "${!aiperf_gate@}" "${!own_commands@}" \
    "${!search_@}" "${!data_sets@}"
  declare -f say fill own_command || true
  cat <<'CLIENT'
set -Eeuo pipefail

readonly url=127.0.0.1:$((port + replica)) tool=${client_command[0]}
readonly result_table=profile_export_${tool//-/_}.csv
# In a point's folder, what this server's client leaves of it.
own_part=
# With the hub said to be offline, AIPerf takes no folder for a tokenizer.
[[ $tool != aiperf || $tokenizer_path != /* ]] || unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
# The user's home is not in the container, and tools want to write to theirs. It may be another by the end.
own_home=$(mktemp -d)
export HOME=$own_home TMPDIR=$own_home
# keep NAME LINE...: this client's file of that name has these lines, whole or not at all.
keep() { { printf '%s\n' "${@:2}" >"$run/$1.$replica.part" && mv -T -- "$run/$1.$replica"{.part,}; } 2>/dev/null || true; }
# end_group PID: kills it with all of its group. The wait takes bash's own word about that out of the log.
end_group() { { kill -KILL -- "-$1" "$1" && wait "$1"; } 2>/dev/null || true; }
next_pid='' next_folder='' next_gate='' next_number=0
drop_next() {
  [[ -n $next_pid ]] || return 0
  end_group "$next_pid"
  rm -rf -- "$next_gate" "${run:?}/$next_folder$own_part" || true
  next_pid=
}
# The last act is to say how it ended: the step ends later, when its container is removed.
cause=client_failed
trap 'status=$?; trap "" TERM INT; drop_next; keep ended "$cause $status"; rm -rf -- "$own_home" || true' EXIT
end_with() {
  cause=$1
  (($# == 1)) || say "error: ${*:2}" >&2
  [[ $1 == finished ]] && exit 0 || exit 1
}
# report KEY=VALUE...: how far this client is; ms in flight / s from ready to the last result / points that were short.
in_flight=0 ready_at=0 result_at=0 too_short=0
report() { keep state "$@" "in_flight=$in_flight/$((result_at - ready_at))/$too_short"; }
# A few blocks are often left: a file that does not fit is not begun, and df rounds up.
stop_if_full() { ! df -P -k "$run" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' || end_with no_space "no space is left in $results"; }
# put_down WORD FOLDER: launch.sh brings out what lies there.
put_down() { mkdir -p "$run/$1" && mv -nT -- "$run/$2" "$run/$1/$2" && [[ ! -e $run/$2 ]]; }

# record FOLDER STATE SECONDS DETAIL [FIGURES]: a row for the manifest, of this server.
record() {
  printf '%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "${5:+$5 $replica}" "${4//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}

# meet PLACE WORDS: in REPLY, the word of all clients that measure together, once they have come to this place.
meet() { REPLY=$2; }

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in $answer.
answer='' refused=0 ready_seconds='' suspended=0
readonly error_event=$'(^|\n)event: *error|"error": *[{"]|"object": *"error"'
# is_own: true when what listens there is the user's. (65534 has no number in the container's namespace of users.)
is_own() {
  local owner
  answer="no program listens on port $((port + replica))"
  while read -r owner; do
    [[ $owner == "$EUID" || $owner != 65534 && $(cat /proc/self/uid_map) != *4294967295* ]] && answer='' && continue
    answer="another user's program listens on port $((port + replica))" && return 1
  done < <(awk -v port="$(printf '%04X' "$((port + replica))")" '{ split($2, at, ":") }
    $4 == "0A" && at[2] == port && at[1] ~ /^0+(FFFF0+)?$|0100007F$/ { print $8 }' /proc/net/tcp{,6} 2>/dev/null)
  [[ -z $answer ]]
}
is_healthy() {
  is_own || return 1
  answer=$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "http://$url$health_path") || true
  [[ $answer == 200 ]] || { [[ $answer != 40[13] ]] || refused=$answer; answer="$health_path answers $answer" && return 1; }
}
lists_model() {
  answer=$(curl --silent --max-time 5 --write-out '\n%{http_code}' "http://$url/v1/models" | head -c 1048576) || true
  [[ $answer == *"\"$served_model_name\""* ]] && return
  [[ $answer != *$'\n'40[13] ]] || refused=${answer##*$'\n'}
  local LC_ALL=C said=${answer:0:200} && answer="/v1/models does not name $served_model_name: ${said//[^ -~]/ }" && return 1
}
# chat TOKENS OPTION...: asks for so many tokens as the tool would, with the prompt on standard input.
chat() {
  {
    printf '{"model": "%s", "messages": [{"role": "user", "content": "' "$served_model_name"
    tr -d "\n"
    printf '"}], %s}' "${request_fields//: 4/: $1}"
  } | curl --silent --header 'Content-Type: application/json' --data @- "${@:2}" "http://$url/v1/chat/completions"
}
# completes SECONDS: one small completion, streamed. $refused is the HTTP status when it does not take such requests, or 0.
completes() {
  local status && refused=0
  answer=$(chat 4 --max-time "$1" --write-out '\n%{http_code}' <<<'Say hello.' | head -c 1048576) ||
    { answer="a small completion had no whole answer within $1 s" && return 1; }
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [[ $status == 200 && $answer == *data:*'"choices"'* && ! $answer =~ $error_event ]] && return
  answer=${answer:0:300} answer="a small completion failed with HTTP $status: ${answer//[[:cntrl:]]/ }"
  [[ ! $status =~ ^(40[01345]|422|501)$ ]] || refused=$status
  return 1
}

# nap SECONDS: in $suspended, for how long this job did not run, since Slurm suspended it. A busy node is late by less.
nap() {
  local from=$SECONDS
  sleep "$1" & wait $! || true
  ((SECONDS - from < 5 + ${1%.*})) || suspended=$((suspended + SECONDS - from))
}
wait_until_ready() {
  # A server that is not quite up may refuse once.
  local waited reported=0 refusals=0 pauses=(0.5 5)
  report state=loading
  until refused=0 && is_healthy && lists_model && completes 60 && is_own; do
    refusals=$((refused > 0 ? refusals + 1 : 0))
    ((refusals < 2)) ||
      end_with refused "the server does not take requests as $tool_name sends them: to /v1/chat/completions, without a key, beside" \
        "model and messages with $request_fields. $answer. If it wants a key, leave that out; if it does not take a field, write" \
        "ignore_eos = false or min_tokens = false under [client] in the recipe, or take it out of its options; then render launch.sh again"
    waited=$(($(printf '%(%s)T' -1) - server_started - suspended))
    ((waited < ready_timeout)) || end_with not_ready "the server was not ready within $ready_timeout s; $answer"
    if ((waited >= reported + 30)); then
      reported=$waited
      say "the server has been loading for $waited s: $answer"
      report state=loading waited_seconds="$waited" answer="${answer//[[:cntrl:]]/ }"
    fi
    nap "${pauses[refusals]}"
  done
  ready_seconds=$(($(printf '%(%s)T' -1) - server_started - suspended)) ready_at=$SECONDS result_at=$SECONDS
  [[ -e $gates/known ]] || drop_next
  say "the server is ready after $ready_seconds s"
  report state=ready ready_seconds=$ready_seconds
}

# ---- One point --------------------------------------------------------------------
# Why a point failed, and how, in a fixed word, if no request was completed; for how many milliseconds requests ran.
reason='' kind='' busy=0

# may_have_completed FOLDER: true unless no request was. GenAI-Perf writes nothing of any when one failed: then nobody knows.
may_have_completed() {
  [[ $tool == aiperf || $(find "$1" -name profile_export.json) ]] || { [[ $(find "$1" -name '*inputs.json') ]] && return; }
  [[ $(find "$1" -name 'profile_export.json*' -exec grep -El '"response_timestamps": *\[ *[0-9]|"request_latency"' {} +) ]]
}
# check_result FOLDER OUTPUT_TOKENS (128s20: with a spread) REQUESTS (1-500: so many are right): sets $busy, or a $reason.
check_result() {
  local folder=$1 table=$1/$result_table requests=$1/profile_export.jsonl usage='"usage_completion_tokens":' found answered cut thoughts usages untold
  # Some releases write into a folder of their own inside the one given. Those of phases are not of the whole run.
  found=$(find "$folder" -name phases -prune -o -name "$result_table" -type f -print)
  [[ -n $found && $found != *$'\n'* ]] || { reason="$tool_name left no $result_table, or several" && return 1; }
  [[ $found == "$table" ]] || { find "${found%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$folder" -- {} + && rmdir "${found%/*}"; }
  # AIPerf exits with 0, too, when requests failed, and when it was stopped.
  reason="${result_table%.csv}.json does not say that the run was not cancelled"
  [[ $tool != aiperf ]] || grep -Eq '"was_cancelled": *false' "${table%.csv}.json" || return 1
  # Of GenAI-Perf: answers with a text, broken off (an error, or no end), and with reasoning; quotes in texts are escaped twice.
  read -r answered cut thoughts < <({ cat -- "$folder/profile_export.json" 2>/dev/null || true; } | awk 'BEGIN { RS = "\"timestamp\":" }
    sub(/.*"response_outputs":/, "") {
      texts += text = /\\"content\\": *\\"([^\\]|\\\\)/; thoughts += /[^\\]\\"reasoning(_content)?\\": *\\"([^\\]|\\\\)/
      cut += error = !/[^\\]"text_output":/ && /[^\\]\\"(error\\": *([{]|\\"[^\\])|object\\": *\\"error\\")/
      if (/data: \[DONE]|[^\\]\\"finish_reason\\": *\\"[^\\]/) ended++; else open += text && !error
    } END { print texts + 0, cut + (ended > open ? open : 0), thoughts + 0 }')
  # Of AIPerf: those with the usage that a server tells at the end, and those without.
  usages=$(grep -sc "$usage" "$requests") untold=$(grep -s '"request_latency":' "$requests" | grep -vc "$usage") || true
  reason=$(awk -v exact="$([[ $request_fields == *min_tokens*ignore_eos* ]] && echo yes)" -v name="$result_table" -v osl="$2" -v requests="$3" -v most="${3#*-}" \
    -v answered="$answered" -v usages="$usages" -v untold="$untold" -v cut="$cut" -v thoughts="$thoughts" -v tool="$tool_name" '
    {
      label = tolower($0); sub(/ *[(,].*/, "", label); sub(/\r$/, "")
      # Numbers of 1,000 and more are quoted and have commas; N/A, inf and nan are none.
      while (match($0, /"[^"]*"/)) { text = substr($0, RSTART + 1, RLENGTH - 2); gsub(/,/, "", text); sub(/"[^"]*"/, text) }
      split($0, cell, ",")
      if (!(label in of)) { of[label] = cell[2] ~ /^[0-9]+(\.[0-9]+)?$/ ? cell[2] : "no"; least[label] = cell[3] }
    }
    END {
      # GenAI-Perf before 25.01 counts no requests; before 24.07 it has another name for the output.
      counted = "request count" in of ? of["request count"] : answered
      counter = "request count" in of ? name " counts" : "profile_export.json has"
      failed = of["error request count"]; rate = of["request throughput"] + 0; output = of["output sequence length"] of["num output token"]
      # How far the output is off, beyond what is allowed. (busybox may have no roots and powers.)
      off = (output - osl > 0 ? output - osl : osl - output) - 0.2 * osl
      split(osl, part, "s"); osl += 0
      # By the server, where it told of each; the text of a whole answer may have far fewer.
      by_server = usages > 0 && usages == counted + 0
      shortest = least[by_server ? "usage completion tokens" : "output sequence length"]
      if (cut > 0) print "answers that the server broke off, by an error or without an end: " cut
      else if (usages > 0 && untold > 0) print "answers that the server broke off, which told the usage of all others: " untold
      else if (thoughts > 0)
        print "answers with reasoning_content, which " tool " does not count: " thoughts "; take AIPerf as the client, or turn thinking off"
      else if (counted + 0 < requests + 0 || counted + 0 > most || failed !~ /^[0.]*$/)
        print counter " " counted " requests, " requests " were asked for" (failed ? "; requests that failed: " failed : "") \
          (requests != most && counted + 0 > most ? ", so prompts came again: write prompts = " 2 * counted " there" : "")
      else if (off > 0 && off * off * counted > 9 * part[2] * part[2])
        print name " gives " (output == "" ? "no" : output) " tokens as the average output, " osl " were asked for"
      else if (exact && part[2] == "" && shortest ~ /^[0-9]/ && shortest < (by_server ? 0.8 : 0.2) * osl)
        print "an answer has " shortest " tokens, " osl " were asked for: it was cut off, or the server ignores ignore_eos"
      else if (of["output token throughput"] + 0 <= 0)
        print name " says that no tokens were generated"
      else # a rate has two decimals, and may be 0.00
        printf "%d", 1000 * ("benchmark duration" in of ? of["benchmark duration"] : rate > 0 ? counted / rate : 0)
    }' "$table")
  [[ $reason =~ ^[0-9]+$ ]] || { reason=${reason:-"$result_table cannot be checked"} && return 1; }
  busy=$reason reason=''
}

# ---- The warm-up, and the server's prefix cache -------------------------------------
# warm_up INPUT_TOKENS OUTPUT_TOKENS REQUESTS SEED: one wave of requests like the point's, whose prompts are common words.
warm_up() {
  local number requests=() answered=0
  for ((number = 1; number <= $3; number++)); do
    awk -v tokens="$1" -v state=$(($4 + number)) 'BEGIN {
      count = split("time year people way day man thing woman life child world school state family group hand part", word, " ")
      while (tokens-- > 0) printf "%s ", word[(state = state * 16807 % 2147483647) % count + 1]
    }' | chat "${2%s*}" --fail --max-time "$point_timeout" --output /dev/null &
    requests+=($!)
  done
  for number in "${requests[@]}"; do ! wait "$number" || answered=$((answered + 1)); done
  say "$( ((answered == $3)) || echo 'error: ')warm-up: $answered of $3 requests were answered"
  keep warm "$answered"
}
# ask_counters: what the server counts. tokens_made: of all answers, where it counts them.
# cache_use BEFORE AFTER: in REPLY, tokens that its prefix cache was asked for, and had.
ask_counters() {
  { curl --silent --fail --max-time 5 "http://$url/metrics" || curl --silent --max-time 5 "http://$url/v1/metrics"; } | head -c 16777216 || true
}
tokens_made() { ask_counters | awk '/^([a-z]+:)?generation_tokens(_total)?[{ ]/ { made += $NF } END { printf "%.0f", made }'; }
cache_use() {
  REPLY=$(awk '
    sub(/_total([{].*[}])? /, " ") { rise[$1] += NR == FNR ? -$2 : $2; if (NR == FNR) before[$1] }
    END {
      # vLLM has had two names for the same, and both at once. A server that restarted counts from 0.
      split("vllm:prefix_cache_queries vllm:prefix_cache_hits vllm:gpu_prefix_cache_queries vllm:gpu_prefix_cache_hits" \
        " sglang:prompt_tokens sglang:cached_tokens", name, " ")
      for (i = 1; i in name && !(name[i] in before); i += 2);
      if (!(i in name)) exit
      asked = rise[name[i]]; found = rise[name[i + 1]]
      # vLLM asks again for a request that waits for memory, and finds what is its own once it lost its place.
      if (rise["vllm:num_preemptions"] > 0 || rise["vllm:prompt_tokens"] && asked > 1.05 * (rise["vllm:prompt_tokens"] + found)) exit
      if (asked >= 0 && asked < 1e15 && found >= 0 && found < 1e15) printf "%.0f %.0f", asked, found
    }' <(cat <<<"$1") <(cat <<<"$2"))
  REPLY=${REPLY:-null null}
}
# check_cache "LOOKED_UP FOUND": true unless more came out of the cache than the recipe allows, else with a $reason.
check_cache() {
  [[ $prefix_cache != on && $1 != null* ]] && ((100 * ${1#* } > ${1% *})) || return 0
  reason="${1#* } of ${1% *} prompt tokens came out of the prefix cache, with prefix_cache = \"$prefix_cache\" in the recipe" && return 1
}

# ---- The gate -----------------------------------------------------------------------
# A tool starts and evaluates for seconds, in which the GPUs would have nothing to do. So the next point's starts ahead and
# waits at its gate, a folder, until "open" is there. When its requests have ended, it says in "over" for how many ms they
# ran, and evaluates beside the next point. A tool never seen at its gate ("known") is started in its turn.

readonly gates=$own_home/gates
mkdir "$gates"
# GenAI-Perf waits where it runs this,
cat >"$gates/perf_analyzer" <<'GATE'
#!/usr/bin/env bash
: >"${NIM_SLURM_GATE%/*}/known"
# Some of its prompts begin alike, so each gets four letters of its own in place of its first three words, which are as
# many tokens; those of a data set stay. All releases write a value a line, and JSON has no space within an escape sequence.
for word; do [[ ${before-} != --input-data ]] || inputs=$word; before=$word; done
awk -v left="$NIM_SLURM_PROMPTS" -v seed="$NIM_SLURM_SEED" -v letters="$(printf %s {a..z} {A..Z})" '{
    own = "\"content\": \""
    for (n = seed + left; length(own) < 20; n = int(n / 52)) own = own substr(letters, n % 52 + 1, 1) " "
    if (left != "") left -= sub(/^ *"content": "( *[^ ]* [^ ]* [^ ]* )?/, own)
    print
  }
  END { exit left != "" && left != 0 }' <"${inputs-}" >"$inputs.part" && mv -- "$inputs"{.part,} || {
  echo "error: not each of $NIM_SLURM_PROMPTS prompts in ${inputs-no file} got a beginning of its own; is space left?" >&2
  rm -f -- "${inputs-}"{,.part}
  exit 1
}
until [[ -e $NIM_SLURM_GATE/open ]]; do [[ -d $NIM_SLURM_GATE ]] && sleep 0.1 || exit; done
PATH=${PATH/"${NIM_SLURM_GATE%/*}:"/} began=$SECONDS
perf_analyzer "$@" || exit
echo $((1000 * (SECONDS - began))) >"$NIM_SLURM_GATE/over" || true
GATE
chmod +x "$gates/perf_analyzer"
# and AIPerf where it starts its load.
[[ -z ${aiperf_gate-} ]] || printf '%s' "$aiperf_gate" >"$gates/sitecustomize.py"
declare -A facts=() words_of=()
# start_tool FOLDER WORD...: the tool of the point with this row of words, which waits unless it is the present one.
start_tool() {
  local part=$run/$1$own_part gate output
  # Of a point that was begun before, what is left is no part of this result.
  { gate=$(mktemp -d "$gates/XXXXXX") && rm -rf -- "$part" && mkdir -p "$part"; } || { stop_if_full && exit 1; }
  next_folder=$1 next_gate=$gate
  [[ $current != "$1" ]] || open_gate
  facts=([url]=$url [tokenizer]=$tokenizer_path [folder]=$part [input_tokens]=$3 [output_tokens]=$4 [concurrency]=$5
    [rate]=${5#rate} [requests]=$6 [prompts]=$7 [seed]=$8 [data]=$part/data)
  REPLIES=("${client_command[@]}")
  [[ -z ${10-} ]] || own_command "${10}" "$7" "$8"
  fill "${REPLIES[@]}"
  # What it prints waits with it, and outlives Slurm's word to stop as it does.
  exec {output}> >(
    trap '' TERM
    until [[ -e $gate/open ]]; do [[ -d $gate ]] && sleep 0.1 || exit 0; done
    exec tee "$gate/log"
  )
  # A process group of its own, so that nothing that it started outlives it.
  set -m
  {
    # Slurm's word to stop comes to all processes at once: a tool that has measured still evaluates.
    trap '' TERM
    NIM_SLURM_GATE=$gate NIM_SLURM_PROMPTS=${facts[prompts]} NIM_SLURM_SEED=$8 PATH=$gates:$PATH \
      PYTHONPATH=$gates${PYTHONPATH:+:$PYTHONPATH} exec "${REPLIES[@]}"
  } </dev/null >&"$output" 2>&1 {output}>&- &
  next_pid=$!
  set +m
  exec {output}>&-
}
open_gate() { : >"$next_gate/open" || { stop_if_full && exit 1; }; }
# take NUMBER [ahead]: true when this point is for this client. start_next: the tool of the next one that is not finished.
take() { true; }
start_next() {
  [[ -z $next_pid$broken ]] || return 0
  while ((next_number < ${#points[@]})) && [[ ${folders[next_number]} != "$current" ]]; do
    if [[ -z ${are_finished[next_number]} ]] && take $((next_number + 1)) ahead; then
      # shellcheck disable=SC2086 # its words
      start_tool "${folders[next_number]}" ${points[next_number]}
      return
    fi
    next_number=$((next_number + 1))
  done
}

# ---- One point, from its warm-up to its result ----------------------------------------
# Ends when the server has twice in a row shown no sign of life: that it made tokens, or else that it answers. A small
# completion would wait behind all others where they are too many.
watch_server() {
  local failures=0 made before
  made=$(tokens_made)
  while ((failures < 2)) && sleep "$probe_interval"; do
    before=$made made=$(tokens_made)
    is_healthy && { ((made > before)) || completes "$probe_interval"; } && failures=0 || failures=$((failures + 1))
  done
  ((failures < 2)) || say "error: the server stopped answering: $answer" >&2
}

tool_pid='' watcher='' began=0 current='' gate='' limit='' late='' stopping=
# Of points whose tools evaluate, the oldest first, the 12 words each that settle needs.
measured=() failed=0 kinds=() broken=
# runs PID [LIMIT]: true while it does; one that does at LIMIT, in $SECONDS, is killed with its group.
runs() {
  [[ -z ${2-} ]] || ((SECONDS < $2)) || { late+=" $1 " && end_group "$1"; }
  kill -0 "$1"
} 2>/dev/null
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stopping=signal
  [[ -z $watcher ]] || kill -KILL -- "-$watcher" 2>/dev/null || true
  # It leaves no results in any case. The warm-up has no group, and ends with the step.
  [[ -z $tool_pid ]] || end_group "$tool_pid"
  # All requests of these have their answers; launch.sh waits for them for so long as there is time.
  ((parts > 0)) || finish
  end_with client_stopped
}

# How long a point will take: start and end as the longest so far, requests by their work (tokens that one stream generates)
# as in the use case's last point. Where the load says for how long requests are sent, WORK is that time, as ms below 0.
fixed=0
declare -A busy_of=() work_of=()
# learn USE_CASE WORK SECONDS BUSY: what a point took.
learn() {
  local use_case busy=$(($2 < 0 ? -$2 : $4)) # a rate has two decimals, so that of long requests is rough
  ((busy > 0 && busy <= 1000 * $3)) || busy=$((1000 * $3))
  fixed=$((fixed > $3 - busy / 1000 ? fixed : $3 - busy / 1000))
  (($2 < 0)) || for use_case in "$1" _; do busy_of[$use_case]=$busy work_of[$use_case]=$2; done
}
# estimate USE_CASE WORK: in REPLY, the seconds; 0 when nothing is known.
estimate() {
  local like=$1
  [[ -n ${busy_of[$like]-} ]] || like=_
  REPLY=$((${#busy_of[@]} == 0 ? 0 : 5 + fixed + ${busy_of[$like]:-0} * $2 / ${work_of[$like]:-1} / 1000))
  (($2 >= 0)) || REPLY=$((5 + fixed - $2 / 1000))
}

# is_over: the tool works, and has all its answers. Who measures together waits for the result.
is_over() { ((parts == 0)) && [[ -n $gate && -s $gate/over ]] && may_have_completed "$run/$current"; }
# watch: until the tool has ended, or its requests have; ends this client when the server stops answering meanwhile.
watch() {
  set -m
  watch_server &
  watcher=$!
  set +m
  while runs "$tool_pid" "$limit" && ! is_over; do
    settle
    if ! runs "$watcher"; then
      # When Slurm ends the step, its signal may come to these two a moment before it comes here.
      sleep 0.5 || true
      end_group "$tool_pid"
      record "$current" failed $((SECONDS - began)) "the server stopped answering"
      stopping=yes
      finish
      end_with no_answer
    fi
    [[ ! -e $gates/known ]] || start_next
    nap 0.2
  done
  end_group "$watcher"
}

# measure FOLDER WAVE WORK POINT...: WAVE requests warm the server up; of a rate, so many as come in a second.
measure() {
  local folder=$1 before warm warm_time problem='' pid
  began=$SECONDS current=$folder gate='' limit='' suspended=0
  # Should this job end before it is measured.
  record "$folder" interrupted '' ''
  warm_up "${5/data/${words_of[$4]-}}" "$6" "$2" "${10}" &
  tool_pid=$!
  watch
  warm_time=$((SECONDS - began)) tool_pid=
  meet "$folder.begin" ready
  if ((warm_time >= point_timeout)); then
    problem="the warm-up took $warm_time s, and the point may take $point_timeout"
  elif [[ $prefix_cache == flush ]] && ! empty_cache; then
    problem=$reason
  else
    before=$(ask_counters)
    if [[ $next_folder == "$folder" ]] && runs "$next_pid"; then open_gate; else drop_next && start_tool "$1" "${@:4}"; fi
    tool_pid=$next_pid gate=$next_gate limit=$((SECONDS + point_timeout)) next_pid='' next_number=$((next_number + 1))
    watch
  fi
  warm=$(<"$run/warm.$replica") || stop_if_full
  [[ -n $problem ]] || is_own || problem=$answer
  ((suspended == 0)) || problem="the job was suspended for about $suspended s meanwhile"
  REPLY='null null' pid=$tool_pid
  [[ -n $problem ]] || cache_use "$before" "$(ask_counters)"
  # Both at once, also for a signal.
  measured+=("$folder" "$4" "$6" "$8" "$3" "$began" "$warm_time" "${warm:-0} $REPLY" "$problem" "$gate" "$pid" "$limit") \
    tool_pid='' current=''
  finish 12
  if runs "$pid"; then
    renice -n 19 -g "$pid" >/dev/null 2>&1 || true
    ((suspended > 0)) || learn "$4" "$3" $((SECONDS - began)) $(($(<"$gate/over") + 1000 * warm_time))
  fi
  settle
}
# finish [WORDS]: until all points are settled, or no more are left than have so many words in $measured.
finish() {
  while ((${#measured[@]} > ${1-0})); do settle; sleep 0.2 || true; done
}
# settle: what the oldest point is, once its tool has ended.
settle() {
  ((${#measured[@]} > 0)) && ! runs "${measured[@]:10:2}" || return 0
  set -- "${measured[@]}"
  local folder=$1 part=$run/$1$own_part figures=$8 gate=${10} pid=${11} status=0 seconds state=finished detail=''
  kind='' busy=0 reason=$9
  mkdir -p "$part" || stop_if_full
  if [[ -n $pid ]]; then
    wait "$pid" || status=$?
    [[ $late != *" $pid "* ]] || status=124
    ((status == 0)) || sleep 0.5 || true
    kill -KILL -- "-$pid" 2>/dev/null || true
    # The signal came to the tool, too: that is no failure.
    [[ $status == 0 || $stopping != signal ]] || { measured=("${measured[@]:12}") && return; }
    case $status in
      0)
        [[ -n $reason || $tool == aiperf || -e $gates/known ]] ||
          reason="$tool_name did not take perf_analyzer from PATH, so prompts may repeat"
        [[ -z $reason ]] && check_result "$part" "$3" "$4" && check_cache "${figures#* }" || kind="no valid result"
        ;;
      124 | 137) kind=timeout reason=${reason:-"$tool_name did not end within $point_timeout s, or was killed"} ;;
      *) kind="exit status $status" reason="$tool_name exited with status $status" ;;
    esac
  fi
  seconds=$((SECONDS - $6))
  # With a request completed, the tool works, whatever went wrong then.
  [[ -z $kind ]] || ! may_have_completed "$part" || kind=
  [[ -z $reason || -z $gate || ! -e $gate/log ]] || mv -- "$gate/log" "$part/$tool.log" || stop_if_full
  # The point is what all servers that measure it make of it, and the first one's client its keeper.
  meet "$folder.end" "$kind|$figures|$reason"
  IFS='|' read -r kind figures reason <<<"$REPLY"
  # A signal here would lose the point. launch.sh ends what does not hear it.
  trap '' TERM INT
  measured=("${measured[@]:12}")
  if ((parts == 0 || replica == 0)); then
    ((parts > 0 || replicas == 1)) || detail="on server $replica"
    [[ -n $reason ]] || put_down finished "$folder" || reason="it is valid, and could not be stored as $results/$folder"
    [[ -z $reason ]] || state=failed detail=$reason
    record "$folder" $state $seconds "$detail" "$figures"
    [[ $state == finished ]] || { stop_if_full && put_down failed "$folder"; } || stop_if_full
  fi
  [[ $stopping == signal ]] || trap on_signal TERM INT
  kinds+=("$kind")
  if [[ -z $reason ]]; then
    learn "$2" "$5" $seconds $((busy > 0 ? busy + 1000 * $7 : 0))
    in_flight=$((in_flight + busy)) result_at=$SECONDS
    ((parts > 0 && replica > 0 || busy == 0 || busy >= 10000)) || too_short=$((too_short + 1))
    say "finished: $folder, $seconds s" && return
  fi
  say "error: $folder failed: $reason" >&2
  # While another point is measured, its watcher asks.
  [[ -n $stopping$current${measured[*]} ]] || completes 30 || end_with no_answer "the server stopped answering: $answer"
  failed=$((failed + 1))
  # A tool that cannot work would fail at each point.
  if [[ ${#kinds[@]} == 2 && -n $kind && $kind == "${kinds[0]}" ]]; then
    broken="the first two points failed in the same way ($kind), and no request was completed"
    say "error: $broken; the others are not measured" >&2
  fi
}

# choose COUNT: in REPLY, the place of the point that follows so many; false at the end.
choose() { REPLY=$1 && (($1 < ${#points[@]})); }
main() {
  local point row use_case load wave work folder needed time_up time_left number=0 left=0 absent='' command
  # A hook may have used these names.
  measured=() failed=0 kinds=() broken=''
  # No proxy is between it and the server: perf_analyzer misreads no_proxy. The hub is asked by that of https.
  export https_proxy="${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY-}}}}" && unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in "$tool" curl awk find df; do command -v "$command" >/dev/null || absent+=", $command"; done
  [[ $tokenizer_path != /* || -e $tokenizer_path ]] || absent+=", the tokenizer $tokenizer_path (in its image, or under a mount)"
  [[ -z $absent ]] || end_with client_lacks "missing in the client's container: ${absent:2} (PATH there is $PATH)"
  start_next
  wait_until_ready
  while choose "$number"; do
    point=${points[REPLY]} folder=${folders[REPLY]} number=$((REPLY + 1))
    read -r -a row <<<"$point"
    use_case=${row[0]} load="concurrency ${row[3]}" wave=${row[3]}
    case $wave in
      rate*) load="${wave#rate} requests/s" wave=${wave#rate} wave=$((${wave/.*/+1})) ;;
      schedule) load='as its trace says' wave=1 ;;
    esac
    [[ -z ${are_finished[number - 1]} ]] || { say "point $number of ${#points[@]} is finished already: $folder" && continue; }
    # One round more is the warm-up.
    work=$((${row[9]-0} > 0 ? -1000 * row[9] : ((${row[4]#*-} + wave - 1) / wave + 1) * ${row[2]%s*}))
    take "$number" || continue
    [[ -z $broken ]] || { record "$folder" 'not run' '' "$broken" && continue; }
    time_up=$(cat "$run/state.until" 2>/dev/null) || true
    if [[ -n $time_up ]]; then
      estimate "$use_case" "$work"
      # One judges for all; else some might wait for one that leaves the point out.
      meet "$folder.time" "$REPLY $((time_up - reserve - $(printf '%(%s)T' -1)))"
      needed=${REPLY% *} time_left=$((${REPLY#* } > 0 ? ${REPLY#* } : 0))
      if ((time_left == 0 || needed > time_left)); then
        say "point $number of ${#points[@]} is left out: it would take about $needed s, and $time_left s are left"
        record "$folder" 'left out' "$needed" "it would take about $needed s, and $time_left s were left"
        left=$((left + 1))
        continue
      fi
    fi
    say "point $number of ${#points[@]}: $use_case ${row[1]}/${row[2]%s0}, $load, ${row[4]} requests"
    report state=measuring ready_seconds="$ready_seconds" point="$number $point"
    next_number=$((number - 1))
    measure "$folder" "$wave" "$work" "${row[@]}"
  done
  finish
  report state=ready ready_seconds="$ready_seconds"
  say "done with ${#points[@]} points: $failed failed, $left are left for another job"
  ((left == 0)) || [[ -n $broken ]] || end_with no_time_left
  ((failed == 0)) || end_with points_failed
  end_with finished
}
CLIENT
  for part in "${client_parts[@]}"; do "$part"; done
  # Bash reads this program from its standard input, and nothing that it starts may read on.
  printf '%s\n' 'main </dev/null' exit
}

running() { kill -0 "$1" 2>/dev/null; }
# By the process of a client's step, the file that its last act leaves: the step ends later, without its container.
declare -A last_act=()
at_work() { local REPLIES && running "$1" && ! last_words "${last_act[$1]-}"; }
# last_words FILE: in REPLIES, the cause of a client's end and its exit code; false unless it left such words there.
last_words() {
  [[ -s $1 ]] && read -r -n 40 -a REPLIES < <(text_of "$1" 5) && [[ ${REPLIES[*]} =~ ^[a-z_]+\ (0|[1-9][0-9]{0,2})$ ]]
}
# ends_within SECONDS PID...: waits until none of these is at work; for so long, in bash's whole seconds.
ends_within() {
  local end=$((SECONDS + $1 + ($1 > 0))) pid
  for pid in "${@:2}"; do
    while at_work "$pid"; do ((SECONDS < end)) && sleep 0.1 || return 1; done
  done
}
# step_ids PATTERN: of the steps with such names, as server.0. (squeue hides a hidden partition's, and self-managed ones.)
step_ids() { scontrol --all --oneliner show step "$slurm_id" 2>/dev/null | sed -n "s/^StepId=\([^ ]*\) .* Name=$1 Network=.*/\1/p"; }
# signal_steps KIND: TERM to srun itself would be a KILL for the step.
signal_steps() { step_ids "$1\.[0-9]*" | xargs -r scancel --signal=TERM 2>/dev/null; }
# only_removes KIND NUMBER: of this step only the container is left. A task would be listed with a number in column 4.
only_removes() {
  local id listed
  id=$(step_ids "$1\.$2")
  [[ -n $id ]] && listed=$(scontrol listpids "$SLURM_JOB_ID.${id##*.}" "$SLURMD_NODENAME" 2>/dev/null) &&
    ! grep -Eq '^ *-?[0-9]+ +([0-9]+ +){2}[0-9]' <<<"$listed"
}
# stop_steps KIND SECONDS PID...: gently, and then not.
stop_steps() {
  local pids=("${@:3}") number end=$((SECONDS + $2))
  ! ends_within 0 "${pids[@]}" || return 0
  signal_steps "$1"
  until ends_within 1 "${pids[@]}"; do
    for number in "${!pids[@]}"; do
      { at_work "${pids[number]}" && ! only_removes "$1" "$number"; } || unset "pids[number]"
    done
    ((SECONDS >= end && ${#pids[@]} > 0)) || continue
    say "the $1 step did not end by itself within $2 s"
    kill -TERM "${pids[@]}" 2>/dev/null
    # The wait takes bash's own word about the kill out of the log.
    ends_within 5 "${pids[@]}" || { kill -KILL "${pids[@]}" && wait "${pids[@]}"; } 2>/dev/null
    return
  done
}
# client_end NUMBER: in REPLIES, the cause of the end of a client that is no more at work, and its exit code.
client_end() {
  local status=0
  ! last_words "$run/ended.$1" || return 0
  # What it said may be gone, and it may run on.
  running "${clients[$1]}" || wait "${clients[$1]}" || status=$?
  REPLIES=(client_failed "$status")
}
goes_on() { ((SECONDS < silent_at)) && at_work "${clients[0]-}" && at_work "${servers[0]}"; }
# In a grace period (GraceTime), Slurm ends the steps first, and restarts a job later only if its script is there at the end.
# is_preempted JOB: true when such a period began at most 5 minutes ago. stay VARIABLE: until a signal's handler sets it.
is_preempted() {
  local at
  at=$(squeue --noheader --jobs="$1" --Format=preempttime 2>/dev/null | date -f - +%s 2>/dev/null) &&
    (($(printf '%(%s)T' -1) - at < 300))
}
stay() { local end=$((SECONDS + 3600)) && while [[ -z ${!1} ]] && ((SECONDS < end)); do sleep 1 || true; done; }

# Lines as people may read them: without progress bars, colours, control characters, and the old folder of a failed point.
plain() { LC_ALL=C sed $'s/\r*$//; s/.*\r//; s/\e\\[[0-9;?]*[A-Za-z]//g; s/\t/ /g; s/[^ -~]//g; s|/\\.run_\\([0-9-]*\\)/client/|/failed_\\1/|g'; }
# show_cause LOG: lines that look like the cause, then the last ones. A server's words are hostile: memory is bounded.
show_cause() {
  local -x LC_ALL=C shown=8
  # What names a cause; what may be one; what follows from one; and what is no failure, or the inside of a traceback.
  local cause='(^|[] .)])[A-Za-z_]*(Error|Exception|OutOfResources)(:|$)| Value error, |[Oo]ut [Oo]f [Mm]emory|OutOfMemory|oom.kill|OOM.[Kk]ill|CUDA (driver|error|failure)|CUDA_ERROR|[Cc]uda (error|failure)|NCCL (error|WARN)|ddress already in use|[Nn]o space left|[Qq]uota exceeded|[Ss]egmentation fault|Bus error|Illegal instruction|core dumped|(^|[ :])Killed|terminate called|[Aa]ssertion.*failed|what[(][)]: |Error Code [0-9]|nvidia-container-cli|enroot-[a-z]+: failed|exited unexpectedly|crashed with exit code'
  local maybe='(^|[] :[])(ERROR|FATAL|CRITICAL|E[]]|[Ee]rror:|[Ff]atal:)|"level": "(ERROR|CRITICAL|FATAL)|^[EF][0-9]{4} |: (error|failed) | unable to locate |^([Ee]rror|[Ff]ailed|[Cc]annot|[Cc]ould not|[Uu]nable|Aborted)|[Pp]ermission denied|No such file|command not found|cannot open shared'
  local follows='[Ee]ngine core init|[Ee]ngine process failed|EngineDead|initialization failed due to|failed to start|died unexpected|sigquit from|SIGQUIT received|[Ww]orker (returned error|died)|MPI_A[Bb]|root cause|Exited with|task [0-9,-]+: Killed|Terminated|KeyboardInterrupt|SystemExit|Cancelled|CANCELLED|BrokenPipe|ConnectionReset|EOFError|handler failed|leaked |[0-9] validation error'
  local harmless='^[0-9]*:(.{0,60}[^A-Za-z_])?(INFO|DEBUG|NOTICE|TRACE|[[][IVD][]])([] :"]|$)|^[0-9]*:I[0-9]{4} |Traceback [(]|  File "|dump_input|^[0-9]*:(.{0,80}[])])?    +[^ ]'
  [[ -f $1 && ! -L $1 ]] || return 0
  echo "what may be the cause, in ${1//[^ -~]/?}:"
  # The first lines of the first kind that there is. What differs in numbers only is one.
  timeout 60 cut -b -4000 -- "$1" | plain | grep -nE "$cause|$maybe|$follows" | grep -vE "$harmless" | head -n 50000 |
    timeout 60 awk -F : -v earlier="${earlier_lines[$1]:-0}" -v cause="$cause" -v follows="$follows" '
    $1 + 0 > earlier + 0 {
      line = substr($0, length($1) + 2, 400)
      kind = line ~ follows ? 3 : line ~ cause && line !~ /WARNING/ ? 1 : 2
      key = substr(line, 1, 200)
      gsub(/[0-9]+/, "0", key)
      if (!seen[key]++ && ++count[kind] <= 8) found[kind] = found[kind] "  | line " $1 ": " line "\n"
    }
    END {
      for (kind = 1; kind < 3 && !found[kind]; ) kind++
      printf "%s", found[kind] ? found[kind] : "  | no line looks like it\n"
      exit !found[kind]
    }' || shown=20
  echo "  the last lines of it:"
  { tail -c 65536 -- "$1" | tr '\r' '\n' | plain | grep . | tail -n "$shown" | cut -b -400 | sed 's/^/  | /'; } || true
}
# look_into LOG...: sets $cause_lines. There may be any number of logs, of any length.
look_into() {
  local log
  SECONDS=0
  mapfile -t cause_lines < <(for log; do ((SECONDS > 60)) || show_cause "$log"; done | head -n 400)
}

# ---- The run ----------------------------------------------------------------------
stopped_by='' preempted=''
# A handler of one command: bash can lose its place when a second signal comes while a handler works.
for name in TERM INT USR1 USR2; do trap "[[ -n \$stopped_by ]] || stopped_by=$name store_until=\$((SECONDS + 3))" "$name"; done

# look_at_end: when the time is up, in seconds since 1970; empty without limit. Clients read it in a file, since it may change.
look_at_end() { REPLY=$(squeue -h -j "$slurm_id" -o %e 2>/dev/null) && put "$run/state.until" "$(date -d "${REPLY:-none}" +%s 2>/dev/null)"; }
time_up=$(look_at_end && cat "$run/state.until") || time_up=''

write_manifest || fail "cannot write $manifest"
printf -v server_started '%(%s)T' -1
# Of a step's log, how many lines an earlier run of this job left there.
declare -A earlier_lines=()
for log in $all_logs; do [[ ! -f $log || ! -O $log ]] || earlier_lines[$log]=$(timeout 10 wc -l <"$log") || true; done
# A job that is resumed may have nothing left to measure.
[[ -n ${search_goal-} || ${#own[@]} != 0 ]] || to_start=0
servers=() clients=() samplers=() unnamed=0 to_start=${to_start-$replicas} to_measure=${#own[@]}
for ((number = 0; number < to_start; number++)); do
  server_step "$number" 2>>"$(log_of server "$number")" &
  servers+=($!)
  client_step "$number" 2>>"$(log_of benchmarking "$number")" &
  clients+=($!) last_act[$!]=$run/ended.$number
  [[ -z $gpu_model ]] || ! declare -F gpu_samples >/dev/null || { gpu_samples "$number" & samplers+=($!); }
done
say "job $job_id on $SLURMD_NODENAME: started; servers, each with a client: $to_start; ${searches-points: ${#points[@]}, to measure: $to_measure}"
say "follow them: tail -f $(printf %q "$logs")/*_$job_id.*out | cat -v"

silent_at=$((SECONDS + ready_timeout + 2 * point_timeout + 600)) look_at=$((SECONDS + 60))
while round=$SECONDS && goes_on && [[ -z $stopped_by ]]; do
  # bash can lose a command's end to a signal's handler: that is no reason to end.
  store_points || true
  sleep 0.3 || true
  ((SECONDS < look_at)) || { look_at_end & look_at=$((SECONDS + 60)); }
  # A round takes no minutes, but Slurm may suspend the job.
  ((SECONDS - round < 150)) || silent_at=$((silent_at + SECONDS - round))
done

# ---- The end ------------------------------------------------------------------------
# From here on all is done that can be: when Slurm ends the job, it also ends whatever this script is just running.
set +e
server=${servers[blamed]-} server_log=$(log_of server "$blamed") client_log=$(log_of benchmarking "$blamed")
REPLIES=(finished 0)
((${#clients[@]} == 0)) || { REPLIES=(client_silent 0) && at_work "${clients[blamed]}"; } || client_end "$blamed"
cause=${REPLIES[0]} client_status=${REPLIES[1]}
# Without its server the client fails in many ways; the cause is the server, whose step may still remove its container.
case $cause in
  finished | client_stopped | no_time_left) ;;
  no_answer) ends_within 10 "$server" || only_removes server "$blamed" && cause=server_ended ;;
  *) running "$server" || cause=server_ended ;;
esac
# When Slurm ends the job, its steps may end a moment before its word comes here, and when it preempts the job, long before.
[[ $cause == finished || -n $stopped_by ]] || sleep 0.5
[[ $cause == finished || $stopped_by == TERM ]] || ! is_preempted "$slurm_id" || preempted=preemption stopped_by=''
[[ -z $stopped_by$preempted ]] || { say "stopping: ${preempted:-signal $stopped_by}" && signal_steps client; cause=signal; }
how_it_ended() { (($1 > 128 && $1 < 193)) && echo "was killed by signal $(($1 - 128))" || echo "exited with status $1"; }
# explain CAUSE: sets $cause, and what goes with it: $code, $reason and $to_do.
explain() {
  local which='' how=ended
  ((replicas == 1)) || which=", server $blamed on port $((port + blamed))"
  cause=$1
  case $cause in
    finished) set -- 0 "all points are finished" '' ;;
    client_lacks)
      set -- 2 "something is missing in the container of $client_image" \
        "use an image that has it (client in the recipe), or mount it (mounts in the settings); if it is there but not in that PATH, which the image's /etc/profile may reset, export PATH=... in a hook (client under [hooks] in the settings); of a tokenizer give a path in the image or a name on the Hugging Face hub; then render the scripts again and submit launch.sh, and first setup.sh if the image is another" ;;
    refused) set -- 2 "the server does not take the client's requests" ;;
    data_lacks) set -- 2 "a data set cannot be measured" ;;
    server_ended)
      running "$server" || { wait "$server"; how=$(how_it_ended $?); }
      set -- 3 "the server $how before the sweep was over$which" "find out why the server ended; its whole log is $server_log" ;;
    no_answer)
      set -- 3 "the server stopped answering$which" \
        "the server ran on without an answer, and this job ended it. Look for errors of the GPUs on $SLURMD_NODENAME (dmesg, nvidia-smi -q) and read $server_log; if it happens again, exclude that node; if it only has too much to do, raise probe_interval in the recipe" ;;
    not_ready)
      set -- 4 "the server was not ready within $ready_timeout s$which" \
        "if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and render launch.sh again; else its whole log says more: $server_log" ;;
    points_failed)
      set -- 5 "${failed:-some} of ${#points[@]} points failed" \
        "see why the points failed; all that they left is in $results/failed_$job_id, and the steps' logs are $all_logs. If the client cannot load its tokenizer ($tokenizer_path), name another one with --tokenizer, and render again" ;;
    signal | client_stopped)
      [[ $stopped_by == USR* ]] && how=', the time is nearly up' || how=''
      set -- 6 "stopped by ${preempted:-${stopped_by:+signal }${stopped_by:-a signal to the client}$how}" '' ;;
    no_time_left) set -- 6 "the time that is left is too short for the points that are left" '' ;;
    no_space) set -- 1 "no space is left in $results" "make room in $results: look at df -h, df -i and the quota" ;;
    client_silent)
      set -- 1 "the client made no progress for longer than a point may take$which" \
        "read $client_log; if nothing is wrong there, raise point_timeout in the recipe and render launch.sh again" ;;
    points_missing) set -- 1 "the client step succeeded, but points are missing: see $all_logs" ;;
    *) set -- 1 "the client step $(how_it_ended "$client_status")" ;;
  esac
  code=$1 reason=$2 to_do=${3-fix what the lines above name}
}

explain "$cause"
# First what must not be lost: who is told to stop may have only seconds.
((code != 6)) || store_seconds=5
store_points
write_manifest
# Now, since what steps say when they are told to stop is no cause.
case $code in [12]) look_into "$client_log" ;; 3) look_into "$server_log" ;; 4) look_into "$server_log" "$client_log" ;; esac
seconds_to_stop=$((code == 6 ? 3 : stop_timeout))
# A point that is measured may still be evaluated, for which a job whose time is up has no time.
stop_steps client $((code == 6 ? 4 : 20)) "${clients[@]}"
store_points all
stop_steps server "$seconds_to_stop" "${servers[@]}"
for pid in $(jobs -rp); do
  # By now its number may be another process's, and bash says nothing of one that it disowned.
  [[ " ${samplers[*]} " != *" $pid "* ]] || { disown "$pid" && kill "$pid"; } 2>/dev/null
done
# The clients' containers are removed meanwhile; who is told to stop has no time for that.
last_act=()
# One that says that it has ended may go on.
((code == 6)) || ends_within "$seconds_to_stop" "${clients[@]}" || stop_steps client 5 "${clients[@]}"
! declare -F remove_containers >/dev/null || remove_containers
states=$(for number in "${!clients[@]}"; do text_of "$run/state.$number" 5; done)
ready_seconds=$(sed -n 's/^ready_seconds=\(0\|[1-9][0-9]\{0,8\}\)$/\1/p' <<<"$states" | sort -n | tail -n 1)
((${ready_seconds:-0} <= ready_timeout)) || ready_seconds=$ready_timeout
read -r in_flight_percent too_short < <(awk -F '[=/]' -v points="${#points[@]}" '
  /^in_flight=[0-9]+\/[0-9]+\/[0-9]+$/ && length() < 40 { busy += $2; seconds += $3; short += $4 }
  END {
    if (seconds > 0) print int(busy < 1000 * seconds ? busy / seconds / 10 : 100), (short < points ? short : points)
  }' <<<"$states")
! declare -F only_probes >/dev/null || only_probes
finished=0 failed=0 not_run=0 seconds_left=0 longest=0 most=$((2 * point_timeout * ${levels_left_out-1})) why=''
for number in "${!points[@]}"; do
  read -r use_case isl osl concurrency _ <<<"${points[number]}"
  look_up "${folders[number]}"
  detail=${REPLIES[2]} load="concurrency $concurrency" load=${load/concurrency rate/request rate } load=${load/concurrency schedule/as its trace says}
  case ${REPLIES[0]} in
    finished) finished=$((finished + 1)) && continue ;;
    'not run') not_run=$((not_run + 1)) why=$detail && continue ;;
    failed) failed=$((failed + 1)) ;;
    'left out') ((left = REPLIES[1] < most ? REPLIES[1] : most, seconds_left += left, longest = left > longest ? left : longest)) ;;
  esac
  say "${REPLIES[0]}: $use_case $isl/$osl, $load${detail:+: $detail}"
done
seconds_needed=$((seconds_left / (parts > 0 ? 1 : replicas))) && ((seconds_needed >= longest)) || seconds_needed=$longest
[[ $code != 6 || $finished != $((${#points[@]} + unnamed)) ]] || explain finished
((not_run == 0)) || say "not started: $not_run of ${#points[@]} points${why:+: $why}"
if [[ $code == [05] && $failed != 0 ]]; then
  explain points_failed
  look_into "${failures[@]}"
elif [[ $code == 0 && ($finished == 0 || $finished != "${#points[@]}") ]]; then
  # srun can say 0 of a client that never ran.
  explain points_missing
  look_into "$client_log"
fi
write_manifest || [[ $cause == no_space ]] ||
  { before=$reason && explain no_space && reason+=", or it cannot be written to; before that: $before"; }

((${#cause_lines[@]} == 0)) || printf '%s\n' "${cause_lines[@]}"
say "$finished of $((${#points[@]} + unnamed)) points are in $results"
[[ -z $in_flight_percent ]] || say "requests in flight: $in_flight_percent % of the time from ready to the last result"
((too_short == 0)) || say "measured for less than 10 s, which is too short: $too_short of ${#points[@]} points"
next="after that" options=''
if ((code == 6)); then
  [[ -n ${preempted-} || $stopped_by == TERM ]] && next="to go on, if Slurm does not restart the job itself" || next="to go on"
  if ((seconds_needed > 0)); then
    # A quarter more, the server's start, and what must be left at the end.
    [[ -n $of_turn ]] || options="--time=$(((seconds_needed * 5 / 4 + ${ready_seconds:-0} + reserve) / 60 + 1)) "
    say "nothing failed: the points$of_turn that were left out need about $seconds_needed s, and the server its start"
  elif ((${#own[@]} == to_measure + measured_before && failed == 0)) && { [[ $stopped_by == USR* ]] || (($(printf '%(%s)T' -1) >= ${time_up:-9999999999} - reserve)); }; then
    [[ -n $of_turn ]] || options="--time=$(((ready_timeout + 2 * point_timeout + reserve) / 60 + 1)) "
    to_do="the time was up before a point was finished, so give the job more: the server may take $ready_timeout s until it is ready, and a point with its warm-up $((2 * point_timeout)) s"
  fi
fi
[[ -z $to_do ]] || advice=("what to do: $to_do")
if [[ $cause != client_lacks || $finished != 0 ]] && ((finished < ${#points[@]} + unnamed)); then
  advice+=("$next: RESUME_JOB_ID=${slurm_id/_/-} sbatch $options$array_option$(printf %q "${script:-launch.sh}")")
fi
write_manifest
for line in "${advice[@]}"; do say "$line"; done
say "exit $code: $reason"
store_until=$((SECONDS + 10))
in_time rm -rf -- "$copies" "$run/points" ${data_sets_folder:+"$data_sets_folder"}
in_time clear_run
rmdir "$run"/{finished,failed} "$run" "${run%/*}" "${claims[@]-}" 2>/dev/null
[[ -z ${preempted-} || $code == 0 ]] || stay stopped_by
exit "$code"
