{%- if nodes == 1 %}
# Starts the inference server and the benchmark client side by side on one node,
# waits until the server answers, and measures every point of the sweep.
{%- else %}
# Starts one inference server over several nodes and the benchmark client beside its
# leader, waits until the leader answers, and measures every point of the sweep.
{%- endif %}
#
# Exit code: 0 all points are measured and valid; 2 something needed is missing;
# 3 the server ended or stopped answering; 4 the server was not ready in time;
# 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.

# ---- Settings ---------------------------------------------------------------

{% include "lib/header.sh" %}
# Used when STAGE_PATH is not set.
readonly default_stage_path={{ stage_path }}
{%- if model_is_staged %}

# The server: image, model folder below STAGE_PATH, nodes, GPUs, command, environment.
{%- else %}

# The server: image, model folder, nodes, GPUs, command, environment.
{%- endif %}
# Words in braces, as in {model_path}, stand for facts of the run.
readonly server_image={{ server.file }}
readonly server_reference={{ server.reference }}
readonly model_folder={{ model_folder }}
readonly weights_target={{ weights }}
{%- match engine %}
{%- when Some(target) %}
readonly engine_link={{ engine_link }}
readonly engine_target={{ target }}
{%- when None %}
readonly weights_files=(
{%- for file in weights_files %}
  {{ file }}
{%- endfor %}
)
{%- endmatch %}
readonly nodes={{ nodes }}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((nodes * gpus_of_a_node))
readonly mpi={{ mpi }}
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly server_command=(
{%- for word in server_command %}
  {{ word }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly server_environment=(
{%- for variable in server_environment %}
  {{ variable }}
{%- endfor %}
)
# Names of secrets that the server gets; all others are taken from it.
readonly server_secrets=(
{%- for name in server_secrets %}
  {{ name }}
{%- endfor %}
)

# Where the server answers, and how long it may take, in seconds.
readonly port={{ port }}
readonly health_path={{ health_path }}
readonly served_model_name={{ served_model_name }}
readonly ready_timeout={{ ready_timeout }}
# During a point the server is asked for a sign of life this often.
readonly probe_interval={{ probe_interval }}
readonly stop_timeout={{ stop_timeout }}

# The client: image, tokenizer (a folder in the container, or a Hugging Face
# name; empty: the model's own), seconds for one point, options of the tool that
# measures.
readonly client_image={{ client.file }}
readonly client_reference={{ client.reference }}
# shellcheck disable=SC2016 # nothing in it is expanded
readonly tokenizer={{ tokenizer }}
readonly point_timeout={{ point_timeout }}
readonly client_options=(
{%- for word in client_options %}
  {{ word }}
{%- endfor %}
)

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
readonly result_name={{ result_name }}
readonly points=(
{%- for point in points %}
  {{ point }}
{%- endfor %}
)

# Jobs whose finished points count as finished here, with commas between them;
# RESUME_JOB_ID wins.
readonly default_resume_job_id={{ resume }}
# How often the job may put itself into the queue again when its time is up.
readonly requeue_limit={{ requeue_limit }}
# Seconds before the time limit in which no point may still be measured.
readonly reserve={{ reserve }}

# Mounts added to both containers.
readonly extra_mounts=(
{%- for mount in extra_mounts %}
  {{ mount }}
{%- endfor %}
)

# ---- Common ground ----------------------------------------------------------

{% include "lib/base.sh" %}

{% include "lib/stage_path.sh" %}

{% include "lib/slurm_environment.sh" %}
{%- match runtime %}
{%- when Runtime::Pyxis %}

{% include "lib/pyxis/image.sh" %}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/image.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/image.sh" %}
{%- endmatch %}

{% include "lib/models.sh" %}

say "$made_by, recipe $recipe"

# ---- Checks: before any GPU is used -------------------------------------------

[[ -n ${SLURM_JOB_ID-} && -n ${SLURMD_NODENAME-} ]] || missing "a Slurm job: submit this script with sbatch"
check_stage_path
need_commands srun scancel squeue scontrol od find
stop_if_missing
{%- if model_is_staged %}

readonly model_path=$stage_path/$model_folder
{%- else %}

readonly model_path=$model_folder
{%- endif %}
readonly cache_path=$stage_path/nim_cache
readonly logs=$stage_path/logs
readonly results=$stage_path/results
# A task of an array is named by both numbers. Slurm is asked, since a job that is
# submitted from inside of a task inherits that task's variables.
job_id=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format='%A %F %K' 2>/dev/null |
  awk -v id="$SLURM_JOB_ID" '$1 == id && $3 ~ /^[0-9]+$/ { print $2 "-" $3 }')
readonly job_id=${job_id:-$SLURM_JOB_ID}
{%- match runtime %}
{%- when Runtime::Pyxis %}

[[ $(srun --help 2>&1) == *--container-image* ]] ||
  missing "srun's container options on $HOSTNAME: is the pyxis plugin installed?"
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/check.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/check.sh" %}
{%- endmatch %}
for image in "$server_image" "$client_image"; do
  sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done
{%- if engine.is_some() %}

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
{%- else %}

model_is_there() {
  local index=$model_path/model.safetensors.index.json file
  for file in "${weights_files[@]}"; do
    [[ -s $model_path/$file ]] || return 1
  done
  [[ -s $index ]] || return 0
  while read -r file; do
    [[ -s $model_path/$file ]] || return 1
  done < <(indexed_shards "$index")
}
model_is_there || missing "the model in $model_path, whole: run prepare_models.sh"
{%- endif %}

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
gpu_options=()
if [[ -n $gpus_here ]]; then
  ((gpus_here >= gpus_of_a_node)) || missing "GPUs: the server uses $gpus_of_a_node of a node, Slurm gave this job $gpus_here"
  gpu_options=(--gres="gpu:$gpus_of_a_node")
else
  # No GPU is Slurm's to give: the server takes the first ones of the node.
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1)))
  export CUDA_VISIBLE_DEVICES
  if command -v nvidia-smi >/dev/null; then
    gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
    ((gpus_here >= gpus_of_a_node)) ||
      missing "GPUs: the server uses $gpus_of_a_node of a node, this job sees $gpus_here: ask for them with" \
        "--gres=gpu:$gpus_of_a_node or --gpus-per-node=$gpus_of_a_node"
  fi
fi
{%- if nodes > 1 %}
# The batch script runs on the first node, and so does the server's first task, its leader.
((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }')
[[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
readonly leader
{%- endif %}
# Points of earlier jobs: of those that are named, and of those that they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-$default_resume_job_id}"
for id in "${resumed[@]}"; do
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
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
! port_is_taken || missing "port $port on $HOSTNAME: another program listens there"
stop_if_missing

mkdir -p "$logs" "$results" "$cache_path" || fail "cannot make the folders logs, results and nim_cache in $stage_path"
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
    say "an unfinished point ($1); what it left is in $aside"
  }
}
# An earlier run of this job may have been killed.
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside interrupted "$(basename "$left")"
done

# ---- The manifest: what ran, where, and how it ended ----------------------------

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

# point_folder USE_CASE INPUT_TOKENS OUTPUT_TOKENS CONCURRENCY: true when the point
# is finished, by this job or by one that it resumes. $folder is its folder's name,
# or the one that it will get. The client uses it, too.
point_folder() {
  local stem=${result_name}_${gpus}_$4_$1_$2_$3 id
  for id in "${runs[@]}"; do
    folder=${stem}_$id
    [[ ! -d $results/$folder ]] || return 0
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

started=$(now)
driver='' gpu_model=''
if command -v nvidia-smi >/dev/null; then
  IFS=, read -r gpu_model driver < <(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) || true
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
{%- if nodes == 1 %}
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "${SLURM_RESTART_COUNT:-0}" "$(json "${SLURMD_NODENAME:-$HOSTNAME}")"
{%- else %}
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "${SLURM_RESTART_COUNT:-0}" "$(json "$SLURM_JOB_NODELIST")"
{%- endif %}
  printf '  "resumes": [%s],\n' "$(json_list "${runs[@]:1}")"
  printf '  "gpus": %d,\n  "gpu_model": %s,\n  "driver": %s,\n' "$gpus" "$(json_or_null "$gpu_model")" "$(json_or_null "$driver")"
  printf '  "images": {\n    "server": %s,\n    "client": %s\n  },\n' \
    "$(json_image "$server_image" "$server_reference")" "$(json_image "$client_image" "$client_reference")"
  printf '  "weights": %s,\n  "engine": %s,\n  "tokenizer": %s,\n' \
{%- if engine.is_some() %}
    "$(json "$weights_target")" "$(json "$engine_target")" "$(json "$tokenizer_path")"
{%- else %}
    "$(json "$weights_target")" null "$(json "$tokenizer_path")"
{%- endif %}
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
{%- match runtime %}
{%- when Runtime::Pyxis %}
  --no-container-entrypoint --no-container-mount-home --container-writable
{%- else %}
{%- endmatch %}
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
  filled=${filled//'{nodes}'/"$nodes"}
  filled=${filled//'{total_gpus}'/"$gpus"}
{%- if nodes > 1 %}
  filled=${filled//'{leader_address}'/"$leader"}
{%- endif %}
  filled=${filled//'{port}'/"$port"}
  filled=${filled//'{served_model_name}'/"$served_model_name"}
  filled=${filled//'{cache_path}'/"$cache_path"}
  filled=${filled//'{stage_path}'/"$stage_path"}
}
{%- match runtime %}
{%- when Runtime::Pyxis %}
join() {
  local IFS=,
  printf '%s' "$*"
}
{%- when Runtime::Apptainer %}

{% include "lib/apptainer/container.sh" %}
{%- when Runtime::Podman %}

{% include "lib/podman/container.sh" %}
{%- endmatch %}

server_step() {
{%- match runtime %}
{%- when Runtime::Apptainer %}
  local entry filled environment=() command=() container=()
{%- when Runtime::Podman %}
  local entry filled environment=() command=() container=() names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
{%- when Runtime::Pyxis %}
  local entry filled environment=() command=() names=(CUDA_VISIBLE_DEVICES "${server_secrets[@]}")
{%- endmatch %}
  keep_secrets "${server_secrets[@]}"
  for entry in "${server_environment[@]}"; do
    fill "$entry"
    environment+=("$filled")
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
    names+=("${entry%%=*}")
{%- endmatch %}
  done
  for entry in "${server_command[@]}"; do
    fill "$entry"
    command+=("$filled")
  done
{%- match runtime %}
{%- when Runtime::Pyxis %}
{%- else %}
  set_container server "$server_image" "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}"
{%- endmatch %}
  # env, since a variable of the server may have the name of one of this script.
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --mpi="$mpi" "${gpu_options[@]}" --input=none --output="$logs/server_$job_id.out" \
{%- if nodes > 1 %}
    --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="$SLURM_JOB_NODELIST" --wait=5 --label --input=all \
{%- endif %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
    --container-image="$stage_path/$server_image" \
    --container-mounts="$(join "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}")" \
    --container-env="$(join "${names[@]}")" \
{%- else %}
{%- endmatch %}
{%- if nodes == 1 %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
    -- "${command[@]}"
{%- else %}
    -- "${container[@]}" "${command[@]}"
{%- endmatch %}
}
{%- else %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
    -- bash -s -- "${environment[@]}" "${command[@]}" < <(declare -f server_task && echo 'server_task "$@"')
{%- else %}
    -- "${container[@]}" bash -s -- "${environment[@]}" "${command[@]}" < <(declare -f server_task && echo 'server_task "$@"')
{%- endmatch %}
}
# One task of the server, on each node; when one ends, so do the others. The step hands
# them this program on standard input, and the server's variables and command as words.
# What only a node knows is put in there.
# shellcheck disable=SC2317 # the tasks call it
server_task() {
  local word words=() is_leader=$((SLURM_NODEID == 0))
  for word in "$@"; do
    word=${word//'{node_rank}'/"$SLURM_NODEID"}
    words+=("${word//'{is_leader}'/"$is_leader"}")
  done
  exec env -- "${words[@]}" </dev/null
}
{%- endif %}

client_step() {
{%- match runtime %}
{%- when Runtime::Apptainer %}
  local mounts=("$results:$results") container=()
{%- when Runtime::Podman %}
  local mounts=("$results:$results") container=() names=(PYTHONUNBUFFERED COLUMNS)
{%- when Runtime::Pyxis %}
  local mounts=("$results:$results") names=(PYTHONUNBUFFERED COLUMNS)
{%- endmatch %}
  # The tool's tables are for a terminal: at once, and wide enough for numbers.
  export PYTHONUNBUFFERED=1 COLUMNS=120
  if [[ -z $tokenizer ]]; then
    mounts+=("$model_path:$model_path:ro")
  fi
  if [[ $tokenizer_path == /* ]]; then
    keep_secrets
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
    names+=(HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
{%- endmatch %}
  else
    keep_secrets HF_TOKEN
    export HF_HOME=$stage_path/hf_cache
    export HF_HUB_OFFLINE=0 TRANSFORMERS_OFFLINE=0
    mkdir -p "$HF_HOME"
    mounts+=("$HF_HOME:$HF_HOME")
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
    names+=(HF_TOKEN HF_HOME HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
{%- endmatch %}
  fi
{%- match runtime %}
{%- when Runtime::Pyxis %}
{%- else %}
  set_container client "$client_image" "${mounts[@]}" "${extra_mounts[@]}"
{%- endmatch %}
  # --gres=none: the GPUs are the server's.
  exec "${step[@]}" --job-name=client --mpi=none --gres=none --output="$logs/benchmarking_$job_id.out" \
{%- match runtime %}
{%- when Runtime::Pyxis %}
    --container-image="$stage_path/$client_image" \
    --container-mounts="$(join "${mounts[@]}" "${extra_mounts[@]}")" \
    --container-env="$(join "${names[@]}")" \
    bash -s < <(client_script)
{%- else %}
    "${container[@]}" bash -s < <(client_script)
{%- endmatch %}
}

# The client's program, which its step reads on standard input: the values it
# needs, quoted by bash itself, and then its text, in which nothing is expanded.
client_script() {
  declare -p results run job_id runs result_name gpus port health_path served_model_name ready_timeout server_started \
    probe_interval tokenizer_path point_timeout client_options points measure_until
  declare -f say set_aside keep_aside point_folder
  cat <<'CLIENT'
{% include "lib/client.sh" %}
CLIENT
}

running() { kill -0 "$1" 2>/dev/null; }
# Waits at most $2 seconds for the end of process $1.
ends_within() {
  local pid=$1 tries=$(($2 * 10))
  while running "$pid"; do
    ((tries-- > 0)) || return 1
    sleep 0.1
  done
}
signal_step() {
  local id
  id=$(squeue --noheader --steps --job="$SLURM_JOB_ID" --format='%i %j' 2>/dev/null | sed -n "s/ $1\$//p")
  [[ -n $id ]] && scancel --signal=TERM "$id" 2>/dev/null
}
# stop_step NAME PID SECONDS: gently, and then not. TERM to srun itself would be
# a KILL for the step, so the step is told by its id.
stop_step() {
  running "$2" || return 0
  signal_step "$1" || true
  ! ends_within "$2" "$3" || return 0
  say "the $1 step did not end by itself within $3 s"
  kill -TERM "$2" 2>/dev/null || true
  ends_within "$2" 5 || kill -KILL "$2" 2>/dev/null || true
}
show_end_of() {
  say "the last lines of $1:"
  tail -n 20 "$1" 2>/dev/null | sed 's/^/  | /' || true
}

# ---- The run ----------------------------------------------------------------------

stopped_by=
server='' client=''
# wait returns when a signal comes, but not one that came just before it: so
# the handler itself sees to it that the client ends.
# shellcheck disable=SC2317 # the traps call it
on_signal() {
  [[ -z $stopped_by ]] || return 0
  stopped_by=$1
  say "stopping: signal $1"
  [[ -z $client ]] || signal_step client || true
}
trap 'on_signal TERM' TERM
trap 'on_signal INT' INT
trap 'on_signal USR1' USR1
trap 'on_signal USR2' USR2

# When the last point must have ended, in seconds since 1970; empty without limit.
measure_until=$(squeue --noheader --job="$SLURM_JOB_ID" --format=%e 2>/dev/null | head -n 1)
measure_until=$(date --date="$measure_until" +%s 2>/dev/null) || measure_until=
readonly measure_until=${measure_until:+$((measure_until - reserve))}

# How a step's status reads.
how_it_ended() {
  if (($1 > 128)); then
    printf 'was killed by signal %d' $(($1 - 128))
  else
    printf 'exited with status %d' "$1"
  fi
}

write_manifest null running || fail "cannot write $manifest"
server_started=$(printf '%(%s)T' -1)
readonly server_started
server_step &
server=$!
client_step &
client=$!
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: server and client started, ${#points[@]} points"
say "follow them: tail -f $logs/*_$job_id.out"

while running "$server" && running "$client" && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  wait -n || true
done

# From here on all is done that can be: when Slurm ends the job, it also ends
# whatever this script is just running.
set +e
code=1 reason=
if [[ -n $stopped_by ]]; then
  code=6 reason="stopped by signal $stopped_by"
elif ! running "$client"; then
  status=0
  wait "$client" || status=$?
  case $status in
    0) code=0 reason="all points are finished" ;;
    2) code=2 reason="something is missing in the container of $client_image" ;;
    3) code=3 reason="the server stopped answering" ;;
    4) code=4 reason="the server was not ready within $ready_timeout s" ;;
    5) code=5 reason="points failed" ;;
    6) code=6 reason="the client was stopped by a signal" ;;
    7) code=1 reason="no space is left in $results" ;;
    8) code=6 reason="the time that is left is too short for the points that are left" ;;
    *) code=1 reason="the client step $(how_it_ended "$status")" ;;
  esac
  # Without its server the client fails in many ways; the cause is the server.
  if ((code != 0 && code != 6)) && ! running "$server"; then
    code=3
  fi
else
  code=3
fi
# When Slurm ends the job, its steps may end a moment before its word comes here.
if ((code == 3)); then
  sleep 0.5
  [[ -z $stopped_by ]] || code=6 reason="stopped by signal $stopped_by"
fi
if ((code == 3)) && ! running "$server"; then
  status=0
  wait "$server" || status=$?
  reason="the server $(how_it_ended "$status") before the sweep was over"
fi

# First what must not be lost: who is told to stop may have only seconds.
write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
((code != 6)) || stop_timeout_now=3
stop_step client "$client" 5
stop_step server "$server" "${stop_timeout_now:-$stop_timeout}"
{%- match runtime %}
{%- when Runtime::Podman %}
remove_containers
{%- else %}
{%- endmatch %}
finished=0 failed=0 not_started=0 seconds_needed=0
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
        not_started=$((not_started + 1))
        continue
      fi
      status='left out'
      seconds_needed=$((seconds_needed + BASH_REMATCH[1]))
      ;;
  esac
  say "$status: $use_case $isl/$osl, concurrency $concurrency${detail:+: $detail}"
done
((not_started == 0)) || say "not started: $not_started of ${#points[@]} points"
((code != 5)) || reason="$failed of ${#points[@]} points failed"
if ! write_manifest "$code" "$reason" && [[ $reason != "no space"* ]]; then
  code=1 reason="no space is left in $results, or it cannot be written to; before that: $reason"
fi
# srun can say 0 of a client that never ran.
if ((code == 0 && finished < ${#points[@]})); then
  code=1 reason="the client step ended well, but points are missing: see $logs/benchmarking_$job_id.out"
  write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
fi
rm -f -- "$run/points" "$run/output"
rmdir "$run" 2>/dev/null || true

case $code in
  3) show_end_of "$logs/server_$job_id.out" ;;
  5)
    for log in "$results/failed_$job_id"/*/*.log; do
      show_end_of "$log"
    done
    ;;
  1 | 2) show_end_of "$logs/benchmarking_$job_id.out" ;;
  4)
    show_end_of "$logs/server_$job_id.out"
    show_end_of "$logs/benchmarking_$job_id.out"
    ;;
esac
say "$finished of ${#points[@]} points are in $results"
if ((code == 6 && failed == 0 && ${SLURM_RESTART_COUNT:-0} < requeue_limit)) && [[ $stopped_by != TERM ]]; then
  # Only when the time is up: a job that was cancelled stays so, and what failed
  # would fail again.
  say "the job goes on by itself: requeue $((${SLURM_RESTART_COUNT:-0} + 1)) of at most $requeue_limit"
  say "exit $code: $reason"
  scontrol requeue "$SLURM_JOB_ID" || say "error: Slurm does not requeue the job" >&2
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
    say "what to do: use an image that has it (client in the recipe), or mount it (mounts in the settings);" \
      "then make the scripts anew and submit setup.sh"
    ;;
  3)
    if [[ $reason == *"stopped answering"* ]]; then
      say "what to do: the server ran on without an answer, and this job ended it. Look for errors of the GPUs on" \
        "${SLURMD_NODENAME:-$HOSTNAME} (dmesg, nvidia-smi -q) and read $logs/server_$job_id.out; if it happens again, exclude that node"
    else
      say "what to do: find out why the server ended; its whole log is $logs/server_$job_id.out"
    fi
    ;;
  4)
    say "what to do: if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and make" \
      "launch.sh anew; else its whole log says more: $logs/server_$job_id.out"
    ;;
  5)
    say "what to do: see why the points failed; all that they left is in $results/failed_$job_id," \
      "and the steps' logs are $logs/*_$job_id.out"
    ;;
  6)
    next="to go on"
    if ((seconds_needed > 0)); then
      # A quarter more, the server's start, and what must be left at the end.
      load=$(sed -n 's/.*the server is ready after \([0-9]*\) s$/\1/p' "$logs/benchmarking_$job_id.out" | tail -n 1)
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
  script=$(scontrol show job "$SLURM_JOB_ID" 2>/dev/null | sed -n 's/^ *Command=//p') || true
  say "$next: RESUME_JOB_ID=$job_id sbatch $options$(printf %q "${script:-launch.sh}")"
fi
say "exit $code: $reason"
exit "$code"
