#!/usr/bin/env bash
#SBATCH --job-name=nim-launch
#SBATCH --nodes=1
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@30
#SBATCH --open-mode=append

# Starts the inference server and the benchmark client side by side on one node,
# waits until the server answers, and measures every point of the sweep.
#
# Exit code: 0 all points are measured and valid; 2 something needed is missing;
# 3 the server ended or stopped answering; 4 the server was not ready in time;
# 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.

# ---- Settings ---------------------------------------------------------------

readonly made_by='nim-slurm 0.1.0'
readonly recipe=llama3-70b-h100x4-fp8
# Used when STAGE_PATH is not set.
readonly default_stage_path=''

# The server: image, model folder below STAGE_PATH, nodes, GPUs, command, environment.
# Words in braces, as in {model_path}, stand for facts of the run.
readonly server_image=nim+meta+llama3-70b-instruct+1.0.3.sqsh
readonly server_reference=nvcr.io/nim/meta/llama3-70b-instruct:1.0.3
readonly model_folder=llama3-70b-instruct_vhf
readonly weights_target=nim/meta/llama3-70b-instruct:hf
readonly engine_link=trtllm_engine
readonly engine_target=nim/meta/llama3-70b-instruct:0.10.0+cbc614f5-h100x4-fp8-throughput
readonly nodes=1
readonly gpus_of_a_node=4
readonly gpus=$((nodes * gpus_of_a_node))
readonly mpi=pmix
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly server_command=(
  mpirun
  -n
  1
  --allow-run-as-root
  --oversubscribe
  python3
  -m
  vllm_nvext.entrypoints.openai.api_server
  --tensor-parallel-size
  '{gpus}'
  --quantization
  fp8
  --served-model-name
  '{served_model_name}'
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly server_environment=(
  'HF_HOME={cache_path}/huggingface'
  'NIM_CACHE_PATH={cache_path}'
  'NIM_MODEL_NAME={model_path}/'
  'NIM_SERVER_PORT={port}'
)
# Names of secrets that the server gets; all others are taken from it.
readonly server_secrets=(
)

# Where the server answers, and how long it may take, in seconds.
readonly port=8000
readonly health_path=/v1/health/ready
readonly served_model_name=meta/llama3-70b-instruct
readonly ready_timeout=1800
# During a point the server is asked for a sign of life this often.
readonly probe_interval=60
readonly stop_timeout=30

# The client: image, tokenizer (a folder in the container, or a Hugging Face
# name; empty: the model's own), seconds for one point, options of the tool that
# measures.
readonly client_image=nvidia+tritonserver+25.01.sqsh
readonly client_reference=nvcr.io/nvidia/tritonserver:25.01-py3-sdk
# shellcheck disable=SC2016 # nothing in it is expanded
readonly tokenizer=''
readonly point_timeout=900
readonly client_options=(
  --service-kind
  openai
  --endpoint-type
  chat
  --streaming
  --random-seed
  0
)
# What each of the tool's requests says beside model and messages, here for four tokens:
# the server is asked as it will be measured.
# shellcheck disable=SC2089 # JSON
readonly request_fields='"stream": true, "max_tokens": 4, "min_tokens": 4, "ignore_eos": true'

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
readonly result_name=llama-3-70b-instruct
readonly points=(
  'chat 128 128 100 500'
  'summarization 4096 512 100 500'
  'chat 128 128 50 250'
  'summarization 4096 512 50 250'
  'chat 128 128 25 125'
  'summarization 4096 512 25 125'
  'chat 128 128 1 20'
  'summarization 4096 512 1 20'
)

# Jobs whose finished points count as finished here, with commas between them;
# RESUME_JOB_ID wins.
readonly default_resume_job_id=''
# How often the job may put itself into the queue again when its time is up.
readonly requeue_limit=0
# Seconds before the time limit in which no point may still be measured.
readonly reserve=40

# Mounts added to both containers.
readonly extra_mounts=(
)

# ---- Common ground ----------------------------------------------------------

# Options that a caller exported: a trace would print every value into the log,
# others would change what redirections and patterns do, and all of them would
# reach the tools that are shell scripts themselves.
set +axvfC
shopt -u failglob nullglob nocasematch nocaseglob dotglob
export -n SHELLOPTS BASHOPTS
set -Eeuo pipefail

say() { printf '%(%H:%M:%S)T %s\n' -1 "$*"; }
fail() {
  say "error: $*" >&2
  exit 1
}

# Everything that is missing is named at once: nobody should queue twice to
# learn of a second problem.
problems=()
missing() { problems+=("$*"); }
stop_if_missing() {
  local problem
  ((${#problems[@]} > 0)) || return 0
  for problem in "${problems[@]}"; do
    say "missing: $problem" >&2
  done
  say "nothing was done; mend what is named above and run this again" >&2
  exit 2
}
need_commands() {
  local name
  for name in "$@"; do
    command -v "$name" >/dev/null || missing "the command $name on $HOSTNAME"
  done
}

# Frees the name $1 without losing what it holds: it becomes NAME.WORD-N.
set_aside() {
  local path=$1 word=$2 number=1
  while [[ -e $path.$word-$number || -L $path.$word-$number ]]; do
    number=$((number + 1))
  done
  mv -nT -- "$path" "$path.$word-$number"
  say "kept what was there as $path.$word-$number"
}

# STAGE_PATH at run time wins over the folder that was rendered in.
stage_path=${STAGE_PATH:-$default_stage_path}
while [[ $stage_path == */ && $stage_path != / ]]; do
  stage_path=${stage_path%/}
done
readonly stage_path
check_stage_path() {
  # A container mount, srun's name of a log file or find's pattern would misread these.
  local unusable='[[:space:][:cntrl:],:$`"\\{}%*?]|\[|\]'
  if [[ -z $stage_path ]]; then
    missing "STAGE_PATH, the folder for images, models and results: export STAGE_PATH=/lustre/project/..."
  elif [[ $stage_path != /?* ]]; then
    missing "an absolute STAGE_PATH: it is \"$stage_path\""
  elif [[ $stage_path =~ $unusable ]]; then
    missing "a STAGE_PATH that a container mount can name: \"$stage_path\" has white space or one of , : \$ \` \" \\ { } % * ? [ ]"
  fi
}

# Slurm's commands take options from their environment. What a login shell or an outer job
# left there must not change the steps below, which say what they need.
# The site's own settings (SLURM_CONF, ENROOT_*, proxies) stay.
unset "${!SCANCEL_@}" "${!SQUEUE_@}" "${!SCONTROL_@}" "${!SRUN_@}" "${!SBATCH_@}" "${!PYXIS_@}" "${!SLURM_CPU_BIND@}" "${!SLURM_MEM_@}" "${!SLURM_NTASKS@}" \
  SLURM_CPUS_PER_TASK SLURM_CPUS_PER_GPU SLURM_CPU_FREQ_REQ SLURM_CORE_SPEC SLURM_THREADS SLURM_THREADS_PER_CORE \
  SLURM_GPUS SLURM_GPUS_PER_NODE SLURM_GPUS_PER_TASK SLURM_GPUS_PER_SOCKET SLURM_GPU_BIND SLURM_GPU_FREQ \
  SLURM_GRES SLURM_GRES_FLAGS SLURM_STEP_GRES SLURM_TRES_PER_TASK SLURM_TRES_BIND SLURM_NPROCS \
  SLURM_DISTRIBUTION SLURM_HINT SLURM_EXACT SLURM_EXCLUSIVE SLURM_OVERLAP SLURM_OVERCOMMIT SLURM_SPREAD_JOB \
  SLURM_WAIT SLURM_KILL_BAD_EXIT SLURM_TIMELIMIT SLURM_SIGNAL SLURM_MPI_TYPE SLURM_EXPORT_ENV SLURM_OPEN_MODE \
  SLURM_STDOUTMODE SLURM_STDERRMODE SLURM_STDINMODE SLURM_LABELIO SLURM_UNBUFFEREDIO SLURM_WORKING_DIR \
  SLURM_REMOTE_CWD SLURM_PROLOG SLURM_EPILOG SLURM_TASK_PROLOG SLURM_TASK_EPILOG SLURM_RESV_PORTS SLURM_NETWORK \
  SLURM_CONTAINER SLURM_CONSTRAINT SLURM_THREAD_SPEC SLURM_HOSTFILE SLURM_EXCLUDE SLURM_CLUSTER_CONSTRAINT \
  SLURM_TIME_FORMAT SLURM_NO_KILL SLURM_HET_SIZE SLURM_SRUN_MULTI

# True when $1 is a whole squashfs file. The superblock is written last and says
# at byte 40 how long the file must be: that shows what a killed import cut off.
sound_image() {
  local file=$1 length
  [[ -f $file && $(head -c 4 "$file" | tr -d '\0') == hsqs ]] || return 1
  length=$(od --endian=little -A n -t u8 -j 40 -N 8 "$file") || return 1
  (($(stat -L -c %s "$file") >= length)) || return 1
  ! command -v unsquashfs >/dev/null || unsquashfs -s "$file" >/dev/null 2>&1
}

# Shards that the index file $1 names, one a line.
indexed_shards() { grep -o '"[^"/]*\.safetensors"' "$1" | tr -d '"' | sort -u; }

say "$made_by, recipe $recipe"

# ---- Checks: before any GPU is used -------------------------------------------

[[ -n ${SLURM_JOB_ID-} && -n ${SLURMD_NODENAME-} ]] || missing "a Slurm job: submit this script with sbatch"
check_stage_path
need_commands srun scancel squeue scontrol od find
stop_if_missing

readonly model_path=$stage_path/$model_folder
readonly cache_path=$stage_path/nim_cache
readonly logs=$stage_path/logs
readonly results=$stage_path/results
# A task of an array is named by both numbers. Slurm is asked, since a job that is
# submitted from inside of a task inherits that task's variables.
job_id=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format='%A %F %K' 2>/dev/null |
  awk -v id="$SLURM_JOB_ID" '$1 == id && $3 ~ /^[0-9]+$/ { print $2 "-" $3 }') || true
readonly job_id=${job_id:-$SLURM_JOB_ID}
# The same for Slurm's commands. SLURM_JOB_ID of the last task of an array is the array's
# number, and they would take it for all tasks.
readonly slurm_id=${job_id/-/_}
# How often it was requeued. A job that is submitted from inside of a requeued one inherits
# the variable that says so.
restarts=$(scontrol show job "$slurm_id" 2>/dev/null | sed -n 's/.* Restarts=\([0-9]*\).*/\1/p') || true
readonly restarts=${restarts:-${SLURM_RESTART_COUNT:-0}}
# What the steps print.
readonly server_log=$logs/server_$job_id.out client_log=$logs/benchmarking_$job_id.out
readonly all_logs="$logs/*_$job_id.out"

[[ $(srun --help 2>&1) == *--container-env* ]] ||
  missing "srun's option --container-env on $HOSTNAME: is the pyxis plugin there, release 0.15 or later?"
for image in "$server_image" "$client_image"; do
  sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done

model_is_there() {
  local index=$model_path/model.safetensors.index.json shard rank
  [[ -s $model_path/config.json && -s $index ]] || return 1
  while read -r shard; do
    [[ -s $model_path/$shard ]] || return 1
  done < <(indexed_shards "$index")
  for ((rank = 0; rank < gpus; rank++)); do
    [[ -s $model_path/$engine_link/rank$rank.engine ]] || return 1
  done
}
model_is_there || missing "the model in $model_path, whole, with an engine for $gpus GPUs in $engine_link: run prepare_models.sh"

tokenizer_path=$tokenizer
if [[ -z $tokenizer ]]; then
  tokenizer_path=$model_path
  [[ -s $model_path/tokenizer.json ]] || missing "the tokenizer $model_path/tokenizer.json: run prepare_models.sh"
elif [[ $tokenizer != /* && -z ${HF_TOKEN-} ]]; then
  missing "HF_TOKEN, for the tokenizer $tokenizer: export HF_TOKEN=..."
fi
readonly tokenizer_path

[[ $mpi == none || $(srun --mpi=list 2>&1) == *"$mpi"* ]] ||
  missing "srun's MPI plugin $mpi on $HOSTNAME (srun --mpi=list names those that are there): set [srun] mpi"
for name in "${server_secrets[@]}"; do
  [[ -n ${!name-} ]] || missing "the variable $name, which the server needs: export $name=..."
done
for mount in "${extra_mounts[@]}"; do
  source=${mount%%:*}
  [[ $source != /* || -e $source ]] || missing "$source on $HOSTNAME, which is to be mounted in the containers"
done

# Slurm says how many GPUs it gave; where it manages none, the node is asked.
gpus_here=${SLURM_GPUS_ON_NODE-}
if [[ -z $gpus_here && -n ${SLURM_JOB_GPUS-} ]]; then
  commas=${SLURM_JOB_GPUS//[^,]/}
  gpus_here=$((${#commas} + 1))
fi
readonly use="the server uses $gpus_of_a_node of a node"
gpu_options=()
if [[ -n $gpus_here ]]; then
  ((gpus_here >= gpus_of_a_node)) || missing "GPUs: $use, Slurm gave this job $gpus_here"
  gpu_options=(--gres="gpu:$gpus_of_a_node")
else
  # No GPU is Slurm's to give: the server takes the first ones of the node.
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1)))
  export CUDA_VISIBLE_DEVICES
  if command -v nvidia-smi >/dev/null; then
    gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
    ((gpus_here >= gpus_of_a_node)) ||
      missing "GPUs: $use, this job sees $gpus_here: ask for them with --gres=gpu:$gpus_of_a_node or" \
        "--gpus-per-node=$gpus_of_a_node"
  fi
fi

# Points of earlier jobs: of those that are named, and of those that they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-$default_resume_job_id}"
for id in "${resumed[@]}"; do
  # Slurm's commands write 4711_3.
  id=${id/_/-}
  if [[ ! $id =~ ^[1-9][0-9]*(-[0-9]+)?$ ]]; then
    missing "a job id in RESUME_JOB_ID: \"$id\" is none"
  elif [[ $id == "$job_id" ]]; then
    continue
  elif [[ -n $(squeue --noheader --jobs="${id/-/_}" --format=%i 2>/dev/null) ]]; then
    missing "the end of job $id, which RESUME_JOB_ID names: it is still in the queue"
  elif [[ ! -e $results/run_$id.json ]] && ! compgen -G "$results/${result_name}_*_$id" >/dev/null; then
    missing "results of job $id, which RESUME_JOB_ID names, in $results"
  else
    IFS=, read -r -a earlier < <(sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' "$results/run_$id.json" 2>/dev/null | tr -d '" ') || true
    runs+=("$id" "${earlier[@]}")
  fi
done
readonly runs

# Whoever answers there is not the server that is to be measured.
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
! port_is_taken "$port" || missing "port $port on $HOSTNAME: another program listens there"
stop_if_missing

mkdir -p "$logs" "$results" "$cache_path" || fail "cannot make the folders logs, results and nim_cache in $stage_path"

# A server that loads does not listen yet, and jobs that share a node would measure the one
# that is ready first. So a port is locked: on the node for all users, and in the stage path,
# should jobs have a /tmp of their own.
hold_port() {
  local file lock
  for file in "/tmp/nim-slurm-port-$1" "$logs/.port_${SLURMD_NODENAME}_$1"; do
    # A file of another user can be locked, though not written.
    [[ -e $file ]] || (umask 022 && : >>"$file") 2>/dev/null || continue
    { exec {lock}<"$file"; } 2>/dev/null || continue
    flock --nonblock --conflict-exit-code=75 "$lock" 2>/dev/null || (($? != 75)) || {
      missing "port $1 on $HOSTNAME: another job there has it, whose server may still be loading"
      return 0
    }
  done
}
hold_port "$port"
stop_if_missing

# Points in progress; readers of the results look at whole folders only.
readonly run=$results/.run_$job_id
mkdir -p "$run" || fail "cannot write in $results"
# keep_aside WORD FOLDER: what an unfinished point left is no result, but it is
# data. The client uses it, too.
keep_aside() {
  local part=$run/$2 aside=$results/$1_$job_id/$2
  [[ ! -e $part ]] || rmdir "$part" 2>/dev/null || {
    mkdir -p "$results/$1_$job_id"
    [[ ! -e $aside ]] || set_aside "$aside" earlier
    mv -nT -- "$part" "$aside"
    # Its logs name the folder that it was.
    find "$aside" -name '*.log' -type f -exec sed -i "s|/\.run_$job_id/$2|/$1_$job_id/$2|g" {} + || true
    say "an unfinished point ($1); what it left is in $aside"
  }
}
# An earlier run of this job may have been killed.
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside interrupted "$(basename "$left")"
done
rm -f -- "$run/stopping" "$run"/{ended,meet}.*

# ---- The manifest: what ran, where, and how it ended ----------------------------

# point_folder USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY: true when the point
# is finished, by this job or by one that it resumes. $folder is its folder's name,
# or the one that it will get. The client uses it, too.
point_folder() {
  local stem=${result_name}_${gpus}_$4_$1_$2_$3 id
  for id in "${runs[@]}"; do
    folder=${stem}_$id
    # Not one that several servers measured together.
    [[ ! -d $results/$folder || -e $results/$folder/server-0 ]] || return 0
  done
  folder=${stem}_$job_id
  return 1
}

# look_up USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY: $folder, and what the
# client last said of the point: $status, $seconds and $detail.
look_up() {
  status='not run' seconds='' detail=''
  if point_folder "$@"; then
    status=finished
  fi
  [[ -e $run/points ]] || return 0
  local said
  said=$(awk -F '|' -v folder="$folder" '$1 == folder { said = $0 } END { print said }' "$run/points")
  [[ -z $said ]] || IFS='|' read -r _ status seconds detail <<<"$said"
}

now() { printf '%(%FT%T%z)T' -1; }
json() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}
# The same, for what may not be known.
json_or_null() {
  if [[ -n $1 ]]; then json "$1"; else printf null; fi
}
json_list() {
  local word separator=
  for word in "$@"; do
    printf '%s%s' "$separator" "$(json "$word")"
    separator=', '
  done
}
json_image() {
  local digest=
  [[ $2 != *@* ]] || digest=${2##*@}
  printf '{"file": %s, "reference": %s, "bytes": %d, "digest": %s}' \
    "$(json "$1")" "$(json "$2")" "$(stat -L -c %s "$stage_path/$1")" "$(json_or_null "$digest")"
}

started=$(now)
driver='' gpu_model=''
# Without a driver, it says so where its answer would be.
if answer=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null); then
  IFS=, read -r gpu_model driver <<<"$answer"
fi
readonly started driver=${driver# } gpu_model

# Each run of a job has its own: a requeued job keeps what its earlier runs wrote.
readonly manifest=$results/run_$job_id.json
if [[ -e $manifest ]]; then
  set_aside "$manifest" earlier
fi
# CODE REASON; CODE is null while the job runs.
print_manifest() {
  local point use_case isl osl concurrency requests folder status seconds detail separator='' end=null
  [[ $1 == null ]] || end=$(json "$(now)")
  printf '{\n  "schema": 1,\n  "recipe": %s,\n  "crate_version": %s,\n' "$(json "$recipe")" "$(json "${made_by#* }")"
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "$restarts" "$(json "$SLURM_JOB_NODELIST")"
  printf '  "resumes": [%s],\n' "$(json_list "${runs[@]:1}")"
  printf '  "gpus": %d,\n  "gpu_model": %s,\n  "driver": %s,\n' "$gpus" "$(json_or_null "$gpu_model")" "$(json_or_null "$driver")"
  printf '  "images": {\n    "server": %s,\n    "client": %s\n  },\n' \
    "$(json_image "$server_image" "$server_reference")" "$(json_image "$client_image" "$client_reference")"
  printf '  "weights": %s,\n  "engine": %s,\n  "tokenizer": %s,\n' \
    "$(json "$weights_target")" "$(json "$engine_target")" "$(json "$tokenizer_path")"
  printf '  "server_command": [%s],\n  "server_environment": [%s],\n  "client_options": [%s],\n' \
    "$(json_list "${server_command[@]}")" "$(json_list "${server_environment[@]}")" "$(json_list "${client_options[@]}")"
  printf '  "start": %s,\n  "end": %s,\n  "exit_code": %s,\n  "exit_reason": %s,\n  "points": [' \
    "$(json "$started")" "$end" "$1" "$(json "$2")"
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests <<<"$point"
    look_up "$use_case" "$isl" "$osl" "$concurrency"
    printf '%s\n    {"folder": %s, "use_case": %s, "input_sequence_length": %d, "output_sequence_length": %d, "concurrency": %d, "requests": %d, "status": %s, "seconds": %s, "detail": %s}' \
      "$separator" "$(json "$folder")" "$(json "$use_case")" "$isl" "$osl" "$concurrency" "$requests" \
      "$(json "$status")" "${seconds:-null}" "$(json "$detail")"
    separator=,
  done
  printf '\n  ]\n}\n'
}
# The same to its file, whole or not at all; bash's own words about a full disk
# would hide the sentence that says so.
write_manifest() {
  local text
  text=$(print_manifest "$@")
  printf '%s\n' "$text" 2>/dev/null >"$manifest.part" && mv -T -- "$manifest.part" "$manifest"
}

# ---- Two steps, server and client ---------------------------------------------

# They share a node and its memory; nothing is left to the site's defaults.
readonly step=(
  srun --nodes=1 --ntasks=1 --nodelist="$SLURMD_NODENAME" --overlap --mem=0 --export=ALL --kill-on-bad-exit=1 --wait=0
  --open-mode=append
)
readonly secrets=(NGC_API_KEY NGC_CLI_API_KEY HF_TOKEN HUGGING_FACE_HUB_TOKEN "${server_secrets[@]}")

# Takes all secrets from the environment but those named.
keep_secrets() {
  local name
  for name in "${secrets[@]}"; do
    [[ " $* " == *" $name "* ]] || unset "$name"
  done
}

# Puts this run's facts into $1; the answer is in $filled.
fill() {
  filled=${1//'{model_path}'/"$model_path"}
  filled=${filled//'{gpus}'/"$gpus_of_a_node"}
  filled=${filled//'{port}'/"$port"}
  filled=${filled//'{total_gpus}'/"$gpus"}
  filled=${filled//'{nodes}'/"$nodes"}
  filled=${filled//'{served_model_name}'/"$served_model_name"}
  filled=${filled//'{cache_path}'/"$cache_path"}
  filled=${filled//'{stage_path}'/"$stage_path"}
}

# set_container ROLE IMAGE MOUNT...: $container are srun's options for this image; what it
# runs comes behind. $names are the variables of the step that win over the image's own.
set_container() {
  local image=$stage_path/$2
  shift 2
  container=(
    --no-container-entrypoint --no-container-mount-home --container-writable
    --container-image="$image" --container-mounts="$(join "$@")" --container-env="$(join "${names[@]}")" --
  )
}
join() {
  local IFS=,
  printf '%s' "$*"
}

server_step() {
  local entry filled environment=() command=() container=()
  local names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
  keep_secrets "${server_secrets[@]}"
  for entry in "${server_environment[@]}"; do
    fill "$entry"
    environment+=("$filled")
    names+=("${entry%%=*}")
  done
  for entry in "${server_command[@]}"; do
    fill "$entry"
    command+=("$filled")
  done
  set_container server "$server_image" "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}"
  # env, since a variable of the server may have the name of one of this script.
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --output="$server_log" --input=none \
    --mpi="$mpi" "${gpu_options[@]}" "${container[@]}" "${command[@]}"
}

client_step() {
  local mounts=("$results:$results") container=()
  local names=(PYTHONUNBUFFERED COLUMNS HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
  # The tool's tables are for a terminal: at once, and wide enough for numbers.
  export PYTHONUNBUFFERED=1 COLUMNS=120
  if [[ -z $tokenizer ]]; then
    mounts+=("$model_path:$model_path:ro")
  fi
  if [[ $tokenizer_path == /* ]]; then
    keep_secrets
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
  else
    keep_secrets HF_TOKEN
    export HF_HOME=$stage_path/hf_cache HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0
    mkdir -p "$HF_HOME"
    mounts+=("$HF_HOME:$HF_HOME")
    names+=(HF_TOKEN HF_HOME)
  fi
  set_container client "$client_image" "${mounts[@]}" "${extra_mounts[@]}"
  # --gres=none: the GPUs are the server's.
  exec "${step[@]}" --job-name=client --output="$client_log" \
    --mpi=none --gres=none "${container[@]}" bash -s < <(client_script)
}

# The client's program, which its step reads on standard input: the values it
# needs, quoted by bash itself, and then its text, in which nothing is expanded.
client_script() {
  # shellcheck disable=SC2090 # they are handed over as they are
  declare -p results run job_id runs result_name gpus port health_path served_model_name ready_timeout server_started \
    probe_interval tokenizer_path point_timeout client_options request_fields points measure_until
  declare -f say set_aside keep_aside point_folder
  cat <<'CLIENT'
set -Eeuo pipefail

readonly url=127.0.0.1:$port
# What asks the server must not be sent through the site's proxy.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
# The user's home is not in the container, and tools want to write to theirs.
HOME=$(mktemp -d)
export HOME
# The last act is to leave the exit code where launch.sh looks for it: the step ends later,
# when its container is removed.
readonly exit_code_file=$run/ended.${replica-0}
leave_exit_code() {
  local status=$?
  { printf '%d\n' "$status" >"$exit_code_file.part" && mv -T -- "$exit_code_file"{.part,}; } 2>/dev/null || true
}
trap leave_exit_code EXIT

# A few blocks are often left: a file that does not fit is not begun, and df rounds up.
stop_if_full() {
  df -P -k "$results" | awk 'NR == 2 { exit $(NF - 2) >= 256 }' || return 0
  say "error: no space is left in $results" >&2
  exit 7
}

# record FOLDER STATUS SECONDS DETAIL: a row for the manifest.
record() {
  printf '%s|%s|%s|%s\n' "$1" "$2" "$3" "${4//[[:cntrl:]]/ }" >>"$run/points" || stop_if_full
}

# ---- Is the server there? -------------------------------------------------------
# Three questions, each a stricter one. What the last one that failed said is in
# $answer, for the log.

answer='' refused=0
readonly error_event=$'(^|\n)event: *error|"error": *[{"]|"object": *"error"'
is_healthy() {
  answer=$(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "http://$url$health_path") || true
  [[ $answer == 200 ]] && return
  answer="$health_path answers $answer"
  return 1
}
lists_model() {
  answer=$(curl --silent --max-time 5 "http://$url/v1/models") || true
  [[ $answer == *"\"$served_model_name\""* ]] && return
  answer="/v1/models does not name $served_model_name: ${answer:0:200}"
  return 1
}
# completes SECONDS: one small completion, streamed, with the fields of the tool's own
# requests. $refused is the HTTP status when the server does not take such a request, else 0.
completes() {
  local status
  refused=0
  if ! answer=$(curl --silent --max-time "$1" --header 'Content-Type: application/json' --write-out '\n%{http_code}' \
      --data "{\"model\": \"$served_model_name\", \"messages\": [{\"role\": \"user\", \"content\": \"Say hello.\"}], $request_fields}" \
      "http://$url/v1/chat/completions"); then
    answer="a small completion had no whole answer within $1 s"
    return 1
  fi
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [[ $status == 200 && $answer == *data:*'"choices"'* && ! $answer =~ $error_event ]] && return
  answer=${answer:0:300}
  answer="a small completion failed with HTTP $status: ${answer//[[:cntrl:]]/ }"
  [[ $status != 400 && $status != 422 ]] || refused=$status
  return 1
}

wait_until_ready() {
  # A server that is not quite up may refuse once.
  local waited reported=0 refusals=0 pauses=(0.5 5)
  until refused=0 && is_healthy && lists_model && completes 60; do
    refusals=$((refused > 0 ? refusals + 1 : 0))
    if ((refusals == 2)); then
      say "error: the server does not take requests as $tool_name sends them: $answer" >&2
      say "error: beside model and messages, they say $request_fields; to leave out what the server does not take," \
        "write ignore_eos = false or min_tokens = false under [client] in the recipe, and make launch.sh anew" >&2
      exit 9
    fi
    waited=$(($(printf '%(%s)T' -1) - server_started))
    if ((waited >= ready_timeout)); then
      say "error: the server was not ready within $ready_timeout s; $answer" >&2
      exit 4
    fi
    if ((waited >= reported + 30)); then
      reported=$waited
      say "waiting for the server since $waited s: $answer"
    fi
    sleep "${pauses[refusals]}" &
    wait $! || true
  done
  say "the server is ready after $(($(printf '%(%s)T' -1) - server_started)) s"
}

# ---- One point --------------------------------------------------------------------

# The number in row LABEL of table FILE; nothing where there is no such row.
# Numbers of 1,000 and more are quoted and have commas.
table_value() {
  awk -v label="$1" '
    { sub(/\r$/, "") }
    index(tolower($0), tolower(label)) == 1 {
      value = $0
      sub(/^[^,]*,/, "", value)
      if (value ~ /^"/) { value = substr(value, 2); sub(/".*/, "", value); gsub(/,/, "", value) } else sub(/,.*/, "", value)
      print value
      exit
    }' "$2"
}

# only_file NAME FOLDER: sets $table to that file, which then lies in FOLDER itself.
only_file() {
  local found
  found=$(find "$2" -name "$1" -type f)
  if [[ -z $found || $found == *$'\n'* ]]; then
    reason="$tool_name left no $1, or several"
    return 1
  fi
  # Some releases write into a folder of their own inside the one given.
  if [[ ${found%/*} != "$2" ]]; then
    find "${found%/*}" -mindepth 1 -maxdepth 1 -exec mv -t "$2" -- {} +
    rmdir "${found%/*}"
  fi
  table=$2/$1
}

# check_result FOLDER OUTPUT_TOKENS REQUESTS: true when it is a valid result, else
# $reason says what is wrong. The tool has claimed success before with less. $busy is the
# time in which requests ran, in milliseconds; 0 when it is not known.
check_result() {
  local folder=$1 osl=$2 requests=$3 table value
  only_file "$result_table" "$folder" || return 1
  if ! grep -q '^Metric,avg,' "$table" || ! grep -q '^Metric,Value' "$table"; then
    reason="$result_table lacks one of its two tables"
    return 1
  fi
  check_completeness "$table" || return 1
  value=$(table_value 'Request Count' "$table")
  # GenAI-Perf before 25.01 has no such row.
  if [[ -n $value ]] && ! awk -v value="$value" -v asked="$requests" 'BEGIN { exit value != asked }'; then
    reason="$result_table counts $value requests, $requests were asked for"
    return 1
  fi
  value=$(table_value 'Output Sequence Length' "$table")
  if ! awk -v value="$value" -v asked="$osl" 'BEGIN { exit !(value >= 0.8 * asked && value <= 1.2 * asked) }'; then
    reason="$result_table gives ${value:-no} tokens as the average output, $osl were asked for"
    return 1
  fi
  value=$(table_value 'Output Token Throughput (' "$table")
  if ! awk -v value="$value" 'BEGIN { exit !(value > 0) }'; then
    reason="$result_table says that no tokens were generated"
    return 1
  fi
  busy=$(busy_time "$table" "$requests")
}

# ---- GenAI-Perf ---------------------------------------------------------------------

readonly tool_name=GenAI-Perf tool_command=genai-perf tool_log=genai-perf.log
readonly result_table=profile_export_genai_perf.csv

# set_command FOLDER INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: sets $command.
set_command() {
  command=(
    genai-perf profile
    --model "$served_model_name" "${client_options[@]}" --url "$url" --tokenizer "$tokenizer_path"
    --synthetic-input-tokens-mean "$2" --synthetic-input-tokens-stddev 0 --output-tokens-mean "$3"
    --extra-inputs "max_tokens:$3"
    --extra-inputs "min_tokens:$3"
    --extra-inputs ignore_eos:true
    --concurrency "$4" --artifact-dir "$1" --profile-export-file profile_export.json
    -- --request-count "$5" --max-threads "$4"
  )
}

# busy_time TABLE REQUESTS: the milliseconds in which requests ran; 0 when it does not tell.
busy_time() {
  awk -v requests="$2" -v rate="$(table_value 'Request Throughput' "$1")" \
    'BEGIN { printf "%d", (rate + 0 > 0 ? 1000 * requests / rate : 0) }'
}

# may_have_completed FOLDER: true unless no request was completed. It writes its
# measurements at its end, and none when it was killed or one request failed: when it had
# requests to send, nobody knows.
may_have_completed() {
  if [[ -z $(find "$1" -name profile_export.json) ]]; then
    [[ -n $(find "$1" -name '*inputs.json') ]]
  else
    [[ $(find "$1" -name profile_export.json -exec grep -El '"response_timestamps": *\[ *[0-9]' {} +) ]]
  fi
}

# It exits with an error when a request fails, and its table is written last.
check_completeness() { :; }

# Ends when the server has twice in a row shown no sign of life.
watch_server() {
  local failures=0
  while sleep "$probe_interval"; do
    if is_healthy && completes "$probe_interval"; then
      failures=0
    elif ((++failures == 2)); then
      say "error: the server stopped answering: $answer" >&2
      return
    fi
  done
}

tool='' watcher=''
stop_watcher() {
  [[ -n $watcher ]] || return 0
  # The wait takes bash's own word about the kill out of the log.
  { kill -KILL -- "-$watcher" && wait "$watcher"; } 2>/dev/null || true
  watcher=
}
# timeout leads a process group of its own and hands a signal on to it. What is
# left of the group after that (children outlive their parent) is killed.
stop_tool() {
  [[ -n $tool ]] || return 0
  kill -TERM "$tool" 2>/dev/null || true
  local tries=20
  while kill -0 "$tool" 2>/dev/null && ((tries-- > 0)); do sleep 0.1; done
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
}
current=
on_signal() {
  trap '' TERM INT
  say "stopping: a signal came"
  stop_watcher
  stop_tool
  if [[ -n $current ]]; then
    record "$current" interrupted '' ''
    keep_aside interrupted "$current"
  fi
  exit 6
}

# How long a point will take, in seconds, judged from those measured in this run. The
# tool's start and end take as long as the longest so far. The requests take as long as
# their work: that of the point before of the same use case, else of the one before. A
# round of requests at a lower concurrency takes no longer, and the sweep goes down.
last_units=() last_busy=() fixed=0
declare -A last_of_use_case=()
# learn USE_CASE UNITS SECONDS BUSY: what a point took.
learn() {
  local busy=$4
  # Rates have two decimals, so those of long requests are rough.
  ((busy > 0 && busy <= 1000 * $3)) || busy=$((1000 * $3))
  ((fixed >= $3 - busy / 1000)) || fixed=$(($3 - busy / 1000))
  last_of_use_case[$1]=${#last_units[@]}
  last_units+=("$2")
  last_busy+=("$busy")
}
# work_of CONCURRENCY REQUESTS OUTPUT_TOKENS: tokens that one stream generates.
work_of() {
  local rounds=$((($2 + $1 - 1) / $1))
  echo $((rounds * $3))
}
estimate() {
  local use_case=$1 units=$2 index
  ((${#last_units[@]} > 0)) || {
    echo 0
    return
  }
  index=${last_of_use_case[$use_case]:-$((${#last_units[@]} - 1))}
  echo $((5 + fixed + last_busy[index] * units / last_units[index] / 1000))
}

# measure FOLDER USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY REQUESTS: when it fails,
# $reason says why, and $kind in a fixed word how, if no request was completed.
measure() {
  local folder=$1 use_case=$2 isl=$3 osl=$4 concurrency=$5 requests=$6 part=$run/$1 began=$SECONDS status=0 busy=0 command=()
  mkdir "$part" || stop_if_full
  current=$folder
  set_command "$part" "$isl" "$osl" "$concurrency" "$requests"
  timeout -k 10 "$point_timeout" "${command[@]}" > >(tee "$run/output") 2>&1 &
  tool=$!
  # A process group of its own, so that nothing that it started outlives it.
  set -m
  watch_server &
  watcher=$!
  set +m
  while kill -0 "$tool" 2>/dev/null && kill -0 "$watcher" 2>/dev/null; do
    wait -n || true
  done
  # When Slurm ends the step, its signal may come to these two a moment before it comes here.
  if kill -0 "$tool" 2>/dev/null; then
    sleep 0.5 || true
    stop_tool
    record "$folder" failed $((SECONDS - began)) "the server stopped answering"
    keep_aside failed "$folder"
    exit 3
  fi
  stop_watcher
  wait "$tool" || status=$?
  ((status == 0)) || sleep 0.5 || true
  kill -KILL -- "-$tool" 2>/dev/null || true
  tool=
  current='' reason='' kind=''
  case $status in
    0) check_result "$part" "$osl" "$requests" || kind="no valid result" ;;
    124 | 137) kind=timeout reason="$tool_name did not end within $point_timeout s, or was killed" ;;
    *) kind="exit status $status" reason="$tool_name exited with status $status" ;;
  esac
  # With a request completed, the tool works, whatever went wrong then.
  [[ -z $kind ]] || ! may_have_completed "$part" || kind=
  if [[ -z $reason ]]; then
    # Only a valid result gets the final name.
    mv -nT -- "$part" "$results/$folder"
    learn "$use_case" "$(work_of "$concurrency" "$requests" "$osl")" $((SECONDS - began)) "$busy"
    record "$folder" finished $((SECONDS - began)) ''
    say "finished: $folder, $((SECONDS - began)) s"
    return
  fi
  record "$folder" failed $((SECONDS - began)) "$reason"
  say "error: $folder failed: $reason" >&2
  stop_if_full
  # Its last words are worth more than an empty folder.
  mv -- "$run/output" "$part/$tool_log" || true
  keep_aside failed "$folder"
  return 1
}

main() {
  local point use_case isl osl concurrency requests folder number=0 failed=0 left=0 time_left needed reason command absent=()
  local kind first_kind='' measured=0 broken=''
  trap on_signal TERM INT
  trap 'say "error: line $LINENO of the client failed" >&2' ERR
  for command in "$tool_command" curl timeout awk find df; do
    command -v "$command" >/dev/null || absent+=("$command")
  done
  if ((${#absent[@]} > 0)); then
    say "missing in the client's container: ${absent[*]} (PATH there is $PATH)" >&2
    exit 2
  fi
  if [[ $tokenizer_path == /* && ! -e $tokenizer_path ]]; then
    say "missing in the client's container: the tokenizer $tokenizer_path, which must be in its image or under a mount" >&2
    exit 2
  fi
  wait_until_ready
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency requests <<<"$point"
    number=$((number + 1))
    if point_folder "$use_case" "$isl" "$osl" "$concurrency"; then
      say "point $number of ${#points[@]} is finished already: $folder"
      continue
    fi
    if [[ -n $broken ]]; then
      record "$folder" 'not run' '' "$broken"
      continue
    fi
    if [[ -n $measure_until ]]; then
      needed=$(estimate "$use_case" "$(work_of "$concurrency" "$requests" "$osl")")
      time_left=$((measure_until - $(printf '%(%s)T' -1)))
      if ((time_left <= 0 || needed > time_left)); then
        say "point $number of ${#points[@]} is left out: it would take about $needed s, and $time_left s are left"
        record "$folder" 'not run' '' "it would take about $needed s, and $time_left s were left"
        left=$((left + 1))
        continue
      fi
    fi
    say "point $number of ${#points[@]}: $use_case $isl/$osl, concurrency $concurrency, $requests requests"
    measured=$((measured + 1))
    if measure "$folder" "$use_case" "$isl" "$osl" "$concurrency" "$requests"; then
      continue
    fi
    failed=$((failed + 1))
    if ! completes 30; then
      say "error: the server stopped answering: $answer" >&2
      exit 3
    fi
    # A tool that cannot work would fail at each point.
    if ((measured == 1)); then
      first_kind=$kind
    elif ((measured == 2)) && [[ -n $kind && $kind == "$first_kind" ]]; then
      broken="the first two points failed in the same way ($kind), and no request was completed"
      say "error: $broken; the others are not measured" >&2
    fi
  done
  if ((left > 0)) && [[ -z $broken ]]; then
    say "$left of ${#points[@]} points are left for another job"
    exit 8
  fi
  if ((failed > 0)); then
    say "$failed of ${#points[@]} points failed"
    exit 5
  fi
  say "all ${#points[@]} points are finished"
}

# Bash reads this program from its standard input: all of it before the last
# line runs, and nothing that it starts may read on.
main </dev/null
exit
CLIENT
}

running() { kill -0 "$1" 2>/dev/null; }
# By the process of a client's step, the file in which the client leaves its exit code as its
# last act. Its step ends later: it still removes the container.
declare -A last_act=()
at_work() { running "$1" && [[ ! -s ${last_act[$1]-} ]]; }
# ends_within SECONDS PID...: waits at most so long until none of these is at work.
ends_within() {
  local tries=$(($1 * 10)) pid
  shift
  for pid in "$@"; do
    while at_work "$pid"; do
      ((tries-- > 0)) || return 1
      sleep 0.1
    done
  done
}
# signal_steps KIND: all steps of this kind, server or client.
signal_steps() {
  local ids
  mapfile -t ids < <(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/ $1[.0-9]*\$//p")
  ((${#ids[@]} > 0)) && scancel --signal=TERM "${ids[@]}" 2>/dev/null
}
# only_removes NAME: the program of this step has ended, and its container is being removed.
# Slurm then lists no task of it, which would have a number in the fourth column.
only_removes() {
  local id tasks
  id=$(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/^.*\.\([0-9]*\) $1\$/\1/p")
  [[ -n $id ]] && tasks=$(scontrol listpids "$SLURM_JOB_ID.$id" "$SLURMD_NODENAME" 2>/dev/null) &&
    ! grep -Eq '^ *-?[0-9]+ +([0-9]+ +){2}[0-9]' <<<"$tasks"
}
# stop_steps KIND SECONDS PID...: gently, and then not. TERM to srun itself would be a KILL
# for the step, so steps are told by their ids.
stop_steps() {
  local kind=$1 seconds=$2 pid name number=0 killed=()
  shift 2
  ! ends_within 0 "$@" || return 0
  signal_steps "$kind" || true
  ! ends_within "$seconds" "$@" || return 0
  for pid in "$@"; do
    name=$kind
    (($# == 1)) || name+=.$((number++))
    if at_work "$pid" && ! only_removes "$name"; then
      say "the $kind step did not end by itself within $seconds s"
      kill -TERM "$pid" 2>/dev/null || true
      killed+=("$pid")
    fi
  done
  # The wait takes bash's own word about the kill out of the log.
  ends_within 5 "${killed[@]}" || { kill -KILL "${killed[@]}" && wait "${killed[@]}"; } 2>/dev/null || true
}
# What srun says of a step, but not that the step ended as this script told it to, or with it.
srun_says() {
  local line
  trap '' TERM INT USR1 USR2
  while IFS= read -r line || [[ -n $line ]]; do
    [[ (-e $run/stopping || ! -e $run) && $line =~ Terminat|:\ Killed|Exited\ with|CANCELLED|aborted ]] || printf '%s\n' "$line" >&2
  done
}
# client_status NUMBER: the exit code of a client that is no more at work is in $status.
client_status() {
  if [[ -z ${statuses[$1]-} ]]; then
    status=0
    if [[ -s $run/ended.$1 ]]; then
      status=$(<"$run/ended.$1")
    else
      wait "${clients[$1]}" || status=$?
    fi
    statuses[$1]=$status
  fi
  status=${statuses[$1]}
}

# By a step's log, how many lines it had when this run began and when the steps were told to
# stop: an earlier run of the job wrote to the same log, and what follows the end is no cause.
declare -A log_lines=()
# count_lines before|until
count_lines() {
  local log
  for log in "$logs"/*_"$job_id".*out; do
    [[ ! -e $log ]] || log_lines[$1$log]=$(wc -l <"$log")
  done
}
# show_cause LOG: the lines of a log that look like the cause of its end, then the last ones.
# What a server writes is hostile: it is read in bounded memory, and shown in part, without
# control characters.
show_cause() {
  say "what may be the cause, in $1:"
  {
    LC_ALL=C cut -b -4000 -- "$1" | LC_ALL=C grep -naE \
      'rror|ERROR|Exception|CRITICAL|FATAL|[Ff]atal|[Ff]ault|[Ff]ail|FAIL|Killed|oom|OOM|[Oo]ut [Oo]f|CUDA|NCCL|nccl|enied|[Qq]uota|No such|ot found|dumped|Abort|ABORT|already in use|annot|ould not|nable to|what\(\)|\[E\]|Illegal|terminate called' |
      LC_ALL=C grep -av '^[0-9]*:.\{0,40\}\(INFO\|DEBUG\)[ :]' | head -n 50000
    printf '\n'
    # What follows a progress bar stands in its line.
    tail -c 65536 -- "$1" | tr '\r' '\n' | grep -a . | tail -n 20 | LC_ALL=C cut -b -4000
  } 2>/dev/null | LC_ALL=C awk -v before="${log_lines[before$1]:-0}" -v until="${log_lines[until$1]:-1e15}" '
    # The line without colours, control characters and what a progress bar wrote before it.
    function clean(line) {
      sub(/\r+$/, "", line)
      sub(/^.*\r/, "", line)
      gsub(/\033\[[0-9;?]*[A-Za-z]/, "", line)
      gsub(/\t/, " ", line)
      gsub(/[\200-\377]+/, "?", line)
      gsub(/[^ -~]/, "", line)
      return line
    }
    # Takes from $text what loggers put before a message. Its level, E, W or I, is in $level.
    function take_prefix(   rounds, word) {
      level = ""
      for (rounds = 0; rounds < 12; rounds++) {
        if (!match(text, /^\[[^][]*\](<[a-z]+>)?:? ?/) && !match(text, /^\([^()]*pid=[0-9]+[^()]*\) ?/) &&
          !match(text, /^(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)(: *| |$)/) &&
          !match(text, /^[EWIF][0-9]+ [0-9:.]+ +[0-9]+ [^ ]+\] /) && !match(text, /^[0-9][0-9.,:TZ+\/-]*:? /) &&
          !match(text, /^[A-Za-z0-9_.\/-]+:[0-9]+\] ?/) && !match(text, /^[A-Za-z0-9_.-]+:[0-9]+:[0-9]+ /) &&
          !match(text, /^([A-Za-z_.]+ )?- /) && !match(text, /^\{"timestamp": "[^"]*", "level": "[A-Z]+", ("message": ")?/)) return
        word = substr(text, 1, RLENGTH)
        text = substr(text, RLENGTH + 1)
        if (level != "") continue
        if (word ~ /ERROR|CRITICAL|FATAL|^\[[EF]\]|^\[?[EF][0-9]/) level = "E"
        else if (word ~ /WARN|^\[W\]|^\[?W[0-9]/) level = "W"
        else if (word ~ /INFO|DEBUG|TRACE|NOTICE|^\[[IVD]\]|^\[?I[0-9]/) level = "I"
      }
    }
    # Keeps the line: of each kind the first five and the last three, and the same only once.
    function keep(kind,   key, i) {
      key = substr(text, 1, 200)
      gsub(/[0-9]+/, "0", key)
      for (i = 1; i <= kept[kind]; i++) {
        if (keys[kind, i] == key) {
          times[kind, i]++
          return
        }
      }
      if (i > 8) {
        for (i = 6; i < 8; i++) {
          keys[kind, i] = keys[kind, i + 1]
          times[kind, i] = times[kind, i + 1]
          lines[kind, i] = lines[kind, i + 1]
        }
      }
      kept[kind] = i
      keys[kind, i] = key
      times[kind, i] = 1
      lines[kind, i] = number ": " substr(line, 1, 400)
    }
    $0 == "" && !at_end { at_end = 1; next }
    at_end { last[++count] = substr(clean($0), 1, 400); next }
    $0 + 0 <= before || $0 + 0 > until + 0 { next }
    {
      number = $0 + 0
      sub(/^[0-9]+:/, "")
      text = line = clean($0)
      take_prefix()
      # Neither what is no failure, nor the inside of a traceback.
      if (level == "I" || line ~ /\[dump_input\.py/ || text ~ /^$|^[ ^~]/ && text !~ /^ *(what\(\): |Value error, )/) next
      # What only follows from a cause.
      if (line ~ /[Ee]ngine core init|[Ee]ngine process failed|EngineDead|initialization failed due to|failed to start|died unexpected|sigquit|[Ww]orker (returned error|died)|MPI_A[Bb]|root cause|Exited with|Terminated|KeyboardInterrupt|SystemExit|Cancelled|CANCELLED|BrokenPipe|ConnectionReset|EOFError|handler failed|leaked |[0-9] validation error/) keep(3)
      else if (text ~ /^([A-Za-z_][A-Za-z0-9_.]*)?([Ee]rror|Exception|OutOfResources)(:|$)|^ +Value error, /) keep(1)
      else if (line ~ /[Oo]ut [Oo]f [Mm]emory|OutOfMemory|oom.kill|OOM.[Kk]ill|CUDA (driver|error|failure)|CUDA_ERROR|[Cc]uda (error|failure)|NCCL (error|WARN)|nccl[A-Z][A-Za-z]*Error|ddress already in use|[Nn]o space left|[Qq]uota exceeded|[Ss]egmentation fault|Bus error|Illegal instruction|core dumped|(^|[ :])Killed|terminate called|[Aa]ssertion.*failed|what\(\): |Error Code [0-9]|nvidia-container-cli|find a profile|match a profile/) keep(level == "W" ? 2 : 1)
      else if (level == "W") next
      else if (level == "E" || line ~ /(^|[^A-Za-z0-9_"=.-])([Ee]rror|ERROR|FATAL|[Ff]atal): |: (error|failed) |[Pp]ermission denied|No such file|command not found|cannot open shared/ || text ~ /^([Ee]rror|ERROR|[Ff]atal|FATAL|[Ff]ailed|FAILED|[Cc]annot|[Cc]ould not|[Uu]nable|Aborted)([: ]|$)/) keep(2)
    }
    END {
      for (kind = 1; kind < 4 && !kept[kind]; ) kind++
      for (i = 1; i <= kept[kind]; i++) {
        print "  | line " lines[kind, i] (times[kind, i] > 1 ? " (" times[kind, i] " times)" : "")
      }
      if (!kept[kind]) print "  | no line looks like it"
      print "  the last lines of it:"
      i = kept[kind] && count > 8 ? count - 7 : 1
      for (; i <= count; i++) print "  | " last[i]
    }' || true
}

# ---- The run ----------------------------------------------------------------------

stopped_by=
# wait returns when a signal comes, but not one that came just before it: so
# the handler itself sees to it that the client ends.
# shellcheck disable=SC2317 # the traps call it
on_signal() {
  [[ -z $stopped_by ]] || return 0
  stopped_by=$1
  say "stopping: signal $1"
  [[ -z ${server_started-} ]] || signal_steps client || true
}
trap 'on_signal TERM' TERM
trap 'on_signal INT' INT
trap 'on_signal USR1' USR1
trap 'on_signal USR2' USR2

# When the last point must have ended, in seconds since 1970; empty without limit.
measure_until=$(squeue --noheader --job="$slurm_id" --format=%e 2>/dev/null | head -n 1) || measure_until=
# No words would be midnight.
measure_until=$(date --date="${measure_until:-none}" +%s 2>/dev/null) || measure_until=
readonly measure_until=${measure_until:+$((measure_until - reserve))}

# How a step's status reads.
how_it_ended() {
  if (($1 > 128 && $1 < 193)); then
    printf 'was killed by signal %d' $(($1 - 128))
  else
    printf 'exited with status %d' "$1"
  fi
}

write_manifest null running || fail "cannot write $manifest"
server_started=$(printf '%(%s)T' -1)
readonly server_started
count_lines before
replica=0 statuses=()
server_step 2> >(srun_says) &
servers=($!)
client_step 2> >(srun_says) &
clients=($!)
last_act[$!]=$run/ended.0
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: server and client started, ${#points[@]} points"
say "follow them: tail -f $all_logs"

while at_work "${servers[0]}" && at_work "${clients[0]}" && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  sleep 0.3 &
  wait -n || true
done

# ---- The end ------------------------------------------------------------------------

# From here on all is done that can be: when Slurm ends the job, it also ends
# whatever this script is just running.
set +e
code=1 reason=
if [[ -n $stopped_by ]]; then
  code=6 reason="stopped by signal $stopped_by"
elif ! at_work "${clients[replica]}"; then
  client_status "$replica"
  case $status in
    0) code=0 reason="all points are finished" ;;
    2) code=2 reason="something is missing in the container of $client_image" ;;
    3) code=3 reason="the server stopped answering" ;;
    4) code=4 reason="the server was not ready within $ready_timeout s" ;;
    5) code=5 reason="points failed" ;;
    6) code=6 reason="the client was stopped by a signal" ;;
    7) code=1 reason="no space is left in $results" ;;
    8) code=6 reason="the time that is left is too short for the points that are left" ;;
    9) code=2 reason="the server does not take the client's requests" ;;
    *) code=1 reason="the client step $(how_it_ended "$status")" ;;
  esac
  # Without its server the client fails in many ways; the cause is the server. Its step may
  # still remove its container.
  tries=100
  while ((code == 3 && tries-- > 0)) && running "${servers[replica]}" && [[ -z $stopped_by ]]; do
    sleep 0.1
  done
  if ((code == 3)) && only_removes server; then
    reason="the server ended before the sweep was over"
  fi
  if ((code != 0 && code != 6)) && ! running "${servers[replica]}"; then
    code=3
  fi
else
  code=3
fi
# When Slurm ends the job, its steps may end a moment before its word comes here.
if ((code == 3 || code == 6)); then
  [[ -n $stopped_by ]] || sleep 0.5
  [[ -z $stopped_by ]] || code=6 reason="stopped by signal $stopped_by"
fi
if ((code == 3)) && ! running "${servers[replica]}"; then
  status=0
  wait "${servers[replica]}" || status=$?
  reason="the server $(how_it_ended "$status") before the sweep was over"
fi

# First what must not be lost: who is told to stop may have only seconds.
write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
((code != 6)) || stop_timeout_now=3
: 2>/dev/null >"$run/stopping"
count_lines until
stop_steps client 5 "${clients[@]}"
# Now the clients have said how far they are.
write_manifest "$code" "$reason" || true
stop_steps server "${stop_timeout_now:-$stop_timeout}" "${servers[@]}"
# The clients' containers are removed meanwhile; who is told to stop has no time for that.
last_act=()
((code == 6)) || ends_within "${stop_timeout_now:-$stop_timeout}" "${clients[@]}"
finished=0 failed=0 not_started=0 seconds_needed=0 why=''
for point in "${points[@]}"; do
  read -r use_case isl osl concurrency requests <<<"$point"
  # Points may have ended while the client was stopping.
  look_up "$use_case" "$isl" "$osl" "$concurrency"
  case $status in
    finished)
      finished=$((finished + 1))
      continue
      ;;
    failed) failed=$((failed + 1)) ;;
    'not run')
      if [[ ! $detail =~ about\ ([0-9]+)\ s ]]; then
        not_started=$((not_started + 1)) why=$detail
        continue
      fi
      status='left out'
      seconds_needed=$((seconds_needed + BASH_REMATCH[1]))
      ;;
  esac
  say "$status: $use_case $isl/$osl, concurrency $concurrency${detail:+: $detail}"
done
((not_started == 0)) || say "not started: $not_started of ${#points[@]} points${why:+: $why}"
((code != 5)) || reason="$failed of ${#points[@]} points failed"
if ! write_manifest "$code" "$reason" && [[ $reason != "no space"* ]]; then
  code=1 reason="no space is left in $results, or it cannot be written to; before that: $reason"
fi
# srun can say 0 of a client that never ran.
if ((code == 0 && finished < ${#points[@]})); then
  code=1 reason="the client step ended well, but points are missing: see $all_logs"
  write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
fi
rm -f -- "$run"/{points,stopping} "$run"/{ended,output,meet}.*
rm -f -- "$run/output"
rmdir "$run" 2>/dev/null || true

case $code in
  3) show_cause "$server_log" ;;
  5)
    for log in "$results/failed_$job_id"/*/*.log; do
      show_cause "$log"
    done
    ;;
  1 | 2) show_cause "$client_log" ;;
  4)
    show_cause "$server_log"
    show_cause "$client_log"
    ;;
esac
say "$finished of ${#points[@]} points are in $results"
if ((code == 6 && failed == 0 && restarts < requeue_limit)) && [[ $stopped_by != TERM ]]; then
  # Only when the time is up: a job that was cancelled stays so, and what failed
  # would fail again.
  say "the job goes on by itself: requeue $((restarts + 1)) of at most $requeue_limit"
  say "exit $code: $reason"
  scontrol requeue "$slurm_id" || say "error: Slurm does not requeue the job" >&2
  exit "$code"
fi
# What a person does next.
next="after that" options=''
case $code in
  1)
    if [[ $reason == "no space"* ]]; then
      say "what to do: make room in $results (df -h, df -i and the quota tell)"
    else
      say "what to do: mend what the lines above name"
    fi
    ;;
  2)
    if [[ $reason == "the server does not take"* ]]; then
      say "what to do: leave out what the server does not take, as the lines above say"
    else
      say "what to do: use an image that has it (client in the recipe), or mount it (mounts in the settings);" \
        "then make the scripts anew and submit setup.sh"
    fi
    ;;
  3)
    if [[ $reason == *"stopped answering"* ]]; then
      say "what to do: the server ran on without an answer, and this job ended it. Look for errors of the GPUs on" \
        "${SLURMD_NODENAME:-$HOSTNAME} (dmesg, nvidia-smi -q) and read $server_log; if it happens again, exclude that node"
    else
      say "what to do: find out why the server ended; its whole log is $server_log"
    fi
    ;;
  4)
    say "what to do: if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and make" \
      "launch.sh anew; else its whole log says more: $server_log"
    ;;
  5)
    say "what to do: see why the points failed; all that they left is in $results/failed_$job_id," \
      "and the steps' logs are $all_logs"
    ;;
  6)
    next="to go on"
    if ((seconds_needed > 0)); then
      # A quarter more, the server's start, and what must be left at the end.
      load=$(sed -n 's/.*the server is ready after \([0-9]*\) s$/\1/p' "$client_log" | tail -n 1)
      options="--time=$(((seconds_needed * 5 / 4 + ${load:-0} + reserve) / 60 + 1)) "
      say "nothing failed: the points that were left out need about $seconds_needed s, and the server its start"
    elif ((finished == 0)) && { [[ $stopped_by == USR* ]] || (($(printf '%(%s)T' -1) >= ${measure_until:-9999999999})); }; then
      options="--time=$(((ready_timeout + point_timeout + reserve) / 60 + 1)) "
      say "what to do: the time was up before the first point was finished, so give the job more:" \
        "the server may take $ready_timeout s until it is ready, and a point $point_timeout s"
    fi
    ;;
esac
if ((finished < ${#points[@]})); then
  script=$(scontrol show job "$slurm_id" 2>/dev/null | sed -n 's/^ *Command=//p') || true
  say "$next: RESUME_JOB_ID=$job_id sbatch $options$(printf %q "${script:-launch.sh}")"
fi
say "exit $code: $reason"
exit "$code"
