{%- if alike %}
# Starts several inference servers side by side on one node, each with GPUs, a port and
# a benchmark client of its own, waits until they answer, and measures every point of
# the sweep on all of them at the same time.
{%- else if replicas > 1 %}
# Starts several inference servers side by side on one node, each with GPUs, a port and
# a benchmark client of its own, waits until they answer, and measures every point of
# the sweep on one of them, whichever is free.
{%- else if nodes == 1 %}
# Starts the inference server and the benchmark client side by side on one node,
# waits until the server answers, and measures every point of the sweep.
{%- else %}
# Starts one inference server over several nodes and the benchmark client beside its
# leader, waits until the leader answers, and measures every point of the sweep.
{%- endif %}
{%- if !variants.is_empty() %}
# A job array: each task does so for a variant of the server.
{%- else if tasks > 0 %}
# A job array: each task does so for a part of the sweep.
{%- endif %}
#
# Exit code: 0 all points are measured and valid; 2 something needed is missing;
# 3 the server ended or stopped answering; 4 the server was not ready in time;
# 5 points failed; 6 stopped by a signal or for lack of time; 1 anything else.
# After any of them, RESUME_JOB_ID=<job id> sbatch launch.sh measures what is left.

# ---- Settings ---------------------------------------------------------------

{% include "lib/header.sh" %}
{%- include "lib/site_settings.sh" %}
{%- if let Some(lines) = in_server %}
# Own lines in the server's container, before the server.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_in_server={{ lines }}
{%- endif %}
{%- if let Some(lines) = in_client %}
# Own lines in the client's container, before the server is waited for.
# shellcheck disable=SC2016,SC2089 # they are expanded when they run
readonly lines_in_client={{ lines }}
{%- endif %}
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
{%- if replicas > 1 %}
# Servers side by side, the GPUs that they use, and those of each.
readonly replicas={{ replicas }}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((gpus_of_a_node / replicas))
{%- else %}
readonly gpus_of_a_node={{ gpus_of_a_node }}
readonly gpus=$((nodes * gpus_of_a_node))
{%- endif %}
readonly mpi={{ mpi }}
# shellcheck disable=SC2016 # nothing in these words is expanded
{%- if !variants.is_empty() %}
server_command=(
{%- else %}
readonly server_command=(
{%- endif %}
{%- for word in server_command %}
  {{ word }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
{%- if !variants.is_empty() %}
server_environment=(
{%- else %}
readonly server_environment=(
{%- endif %}
{%- for variable in server_environment %}
  {{ variable }}
{%- endfor %}
)
{%- if !variants.is_empty() %}
# Variants of the server, one for each task of the array, and what they add to the
# command and the environment, the task's number first.
readonly variants=(
{%- for name in variants %}
  {{ name }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly variant_command=(
{%- for word in variant_command %}
  {{ word }}
{%- endfor %}
)
# shellcheck disable=SC2016 # nothing in these words is expanded
readonly variant_environment=(
{%- for variable in variant_environment %}
  {{ variable }}
{%- endfor %}
)
{%- endif %}
# Names of secrets that the server gets; all others are taken from it.
readonly server_secrets=(
{%- for name in server_secrets %}
  {{ name }}
{%- endfor %}
)
{%- if replicas > 1 %}

# Where the first server answers (the others have the ports that follow), and how long
# each may take, in seconds.
{%- else %}

# Where the server answers, and how long it may take, in seconds.
{%- endif %}
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
{%- if !variants.is_empty() %}

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
# Each task measures all of it, and its variant's name is added to that of the results.
result_name={{ result_name }}
readonly points=(
{%- else if tasks > 0 %}

# The sweep, in order: task of the array, use case, input tokens, output tokens,
# concurrency, requests.
readonly tasks={{ tasks }}
readonly result_name={{ result_name }}
readonly sweep=(
{%- else %}

# The sweep, in order: use case, input tokens, output tokens, concurrency, requests.
readonly result_name={{ result_name }}
readonly points=(
{%- endif %}
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
{%- include "lib/image.sh" %}

{% include "lib/models.sh" %}

say "$made_by, recipe $recipe"
{%- include "lib/site.sh" %}

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
  awk -v id="$SLURM_JOB_ID" '$1 == id && $3 ~ /^[0-9]+$/ { print $2 "-" $3 }') || true
readonly job_id=${job_id:-$SLURM_JOB_ID}
# The same for Slurm's commands. SLURM_JOB_ID of the last task of an array is the array's
# number, and they would take it for all tasks.
readonly slurm_id=${job_id/-/_}
# How often it was requeued. A job that is submitted from inside of a requeued one inherits
# the variable that says so.
restarts=$(scontrol show job "$slurm_id" 2>/dev/null | sed -n 's/.* Restarts=\([0-9]*\).*/\1/p') || true
readonly restarts=${restarts:-${SLURM_RESTART_COUNT:-0}}
{%- if tasks > 0 %}

# Each task of the array has its part of the work.
readonly task=${job_id##*-}
{%- if variants.is_empty() %}
points=()
for point in "${sweep[@]}"; do
  [[ $point != "$task "* ]] || points+=("${point#* }")
done
readonly points
{%- else %}
readonly tasks=${#variants[@]}
for word in "${variant_command[@]}"; do
  [[ $word != "$task "* ]] || server_command+=("${word#* }")
done
for variable in "${variant_environment[@]}"; do
  [[ $variable != "$task "* ]] || server_environment+=("${variable#* }")
done
result_name+=-${variants[task]-}
readonly server_command server_environment result_name
{%- endif %}
if [[ $job_id != *-* ]]; then
  missing "the number of this job's task, which squeue does not tell: submit this script with sbatch, as the array that it is"
elif ((task >= tasks)); then
  missing "work for task $task: the tasks from 0 to $((tasks - 1)) have some"
fi
{%- endif %}
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
{%- if replicas > 1 %}
  ((gpus_here >= gpus_of_a_node)) || missing "GPUs: $replicas servers use $gpus_of_a_node, Slurm gave this job $gpus_here"
{%- else %}
  ((gpus_here >= gpus_of_a_node)) || missing "GPUs: the server uses $gpus_of_a_node of a node, Slurm gave this job $gpus_here"
{%- endif %}
  gpu_options=(--gres="gpu:$gpus_of_a_node")
else
  # No GPU is Slurm's to give: the server takes the first ones of the node.
  CUDA_VISIBLE_DEVICES=$(seq --separator=, 0 $((gpus_of_a_node - 1)))
  export CUDA_VISIBLE_DEVICES
  if command -v nvidia-smi >/dev/null; then
    gpus_here=$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU') || true
    ((gpus_here >= gpus_of_a_node)) ||
{%- if replicas > 1 %}
      missing "GPUs: $replicas servers use $gpus_of_a_node, this job sees $gpus_here: ask for them with" \
{%- else %}
      missing "GPUs: the server uses $gpus_of_a_node of a node, this job sees $gpus_here: ask for them with" \
{%- endif %}
        "--gres=gpu:$gpus_of_a_node or --gpus-per-node=$gpus_of_a_node"
  fi
fi
{%- if nodes > 1 %}
# The batch script runs on the first node, and so does the server's first task, its leader.
((SLURM_JOB_NUM_NODES == nodes)) || missing "nodes: the server uses $nodes, Slurm gave this job $SLURM_JOB_NUM_NODES"
leader=$(scontrol show node "$SLURMD_NODENAME" 2>/dev/null | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p') || true
leader=$(getent ahostsv4 "${leader:-$SLURMD_NODENAME}" | awk 'NR == 1 { print $1 }') || true
[[ -n $leader ]] || missing "an address of $SLURMD_NODENAME, where the server's other nodes reach its leader"
readonly leader
{%- endif %}
{%- if tasks > 0 %}
# runs_of JOB: the runs that left something: the job's, or those of an array's tasks.
runs_of() {
  local left
  for left in "$results/run_$1"{,-*}.json "$results/${result_name}"_*_"$1"{,-*}; do
    [[ ! -e $left ]] || printf '%s\n' "$left"
  done | sed -nE 's/.*_([0-9]+(-[0-9]+)?)(\.json)?$/\1/p' | sort -u
}
# Points of earlier jobs: of those that are named, and of those that they resumed.
{%- else %}
# Points of earlier jobs: of those that are named, and of those that they resumed.
{%- endif %}
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
{%- if tasks > 0 %}
  elif [[ -z $(runs_of "$id") ]]; then
    missing "results of job $id, which RESUME_JOB_ID names, in $results"
  else
    while read -r left; do
      IFS=, read -r -a earlier < <(sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' "$results/run_$left.json" 2>/dev/null | tr -d '" ') || true
      runs+=("$left" "${earlier[@]}")
    done < <(runs_of "$id")
  fi
{%- else %}
  elif [[ ! -e $results/run_$id.json ]] && ! compgen -G "$results/${result_name}_*_$id" >/dev/null; then
    missing "results of job $id, which RESUME_JOB_ID names, in $results"
  else
    IFS=, read -r -a earlier < <(sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' "$results/run_$id.json" 2>/dev/null | tr -d '" ') || true
    runs+=("$id" "${earlier[@]}")
  fi
{%- endif %}
done
readonly runs

# Whoever answers there is not the server that is to be measured.
{%- if replicas > 1 %}
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for ((number = port; number < port + replicas; number++)); do
  ! port_is_taken "$number" || missing "port $number on $HOSTNAME: another program listens there"
done
{%- else %}
port_is_taken() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
! port_is_taken || missing "port $port on $HOSTNAME: another program listens there"
{%- endif %}
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
{%- if replicas > 1 %}
for ((number = port; number < port + replicas; number++)); do
  hold_port "$number"
done
{%- else %}
hold_port "$port"
{%- endif %}
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
    say "an unfinished point ($1); what it left is in $aside"
  }
}
# An earlier run of this job may have been killed.
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside interrupted "$(basename "$left")"
done
{%- if alike %}
rm -f -- "$run"/meet.*
{%- endif %}

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
{%- if alike %}
    # With all its parts: another number of servers, or one alone, is another measurement.
    [[ ! -d $results/$folder/server-$((replicas - 1)) || -e $results/$folder/server-$replicas ]] || return 0
{%- else %}
    # Not one that several servers measured together.
    [[ ! -d $results/$folder || -e $results/$folder/server-0 ]] || return 0
{%- endif %}
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
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "$restarts" "$(json "${SLURMD_NODENAME:-$HOSTNAME}")"
{%- else %}
  printf '  "job_id": %s,\n  "restart": %d,\n  "node": %s,\n' "$(json "$job_id")" "$restarts" "$(json "$SLURM_JOB_NODELIST")"
{%- endif %}
  printf '  "resumes": [%s],\n' "$(json_list "${runs[@]:1}")"
  printf '  "gpus": %d,\n  "gpu_model": %s,\n  "driver": %s,\n' "$gpus" "$(json_or_null "$gpu_model")" "$(json_or_null "$driver")"
{%- if alike %}
  printf '  "replicas": %d,\n  "replica_use": "alike",\n' "$replicas"
{%- else if replicas > 1 %}
  printf '  "replicas": %d,\n  "replica_use": "share",\n' "$replicas"
{%- endif %}
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
{%- if replicas > 1 %}
  filled=${filled//'{gpus}'/"$gpus"}
  filled=${filled//'{replica}'/"$replica"}
{%- else %}
  filled=${filled//'{gpus}'/"$gpus_of_a_node"}
{%- endif %}
  filled=${filled//'{nodes}'/"$nodes"}
  filled=${filled//'{total_gpus}'/"$gpus"}
{%- if nodes > 1 %}
  filled=${filled//'{leader_address}'/"$leader"}
{%- endif %}
{%- if replicas > 1 %}
  filled=${filled//'{port}'/"$((port + replica))"}
{%- else %}
  filled=${filled//'{port}'/"$port"}
{%- endif %}
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
{%- if replicas > 1 %}

# log_of STEP: the log of this replica's step; the first one's has the name that the
# only one's would have.
log_of() {
  local number=.$replica
  printf '%s/%s_%s%s.out' "$logs" "$1" "$job_id" "${number#.0}"
}

# The steps of the server whose number is in $replica, and of its client.
server_step() {
{%- else %}

server_step() {
{%- endif %}
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
{%- if replicas > 1 %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name="server.$replica" --mpi="$mpi" "${gpu_options[@]}" --input=none --output="$(log_of server)" \
{%- else %}
  exec env -- "${environment[@]}" "${step[@]}" --job-name=server --mpi="$mpi" "${gpu_options[@]}" --input=none --output="$logs/server_$job_id.out" \
{%- endif %}
{%- if nodes > 1 %}
    --nodes="$nodes" --ntasks="$nodes" --ntasks-per-node=1 --nodelist="$SLURM_JOB_NODELIST" --wait=5 --label \
{%- endif %}
{%- if nodes > 1 || replicas > 1 || in_server.is_some() %}
    --input=all \
{%- endif %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
    --container-image="$stage_path/$server_image" \
    --container-mounts="$(join "$model_path:$model_path:ro" "$cache_path:$cache_path" "${extra_mounts[@]}")" \
    --container-env="$(join "${names[@]}")" \
{%- else %}
{%- endmatch %}
{%- if nodes == 1 && replicas == 1 && in_server.is_none() %}
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
    -- bash -s -- \
{%- else %}
    -- "${container[@]}" bash -s -- \
{%- endmatch %}
{%- if replicas > 1 %}
    "$((replica * gpus))" "$gpus" \
{%- endif %}
    "${environment[@]}" "${command[@]}" < <(server_program)
}
# The program of the server's task, which its step hands to it on standard input, and the
# server's variables and command as words.
server_program() {
{%- if in_server.is_some() %}
  # shellcheck disable=SC2090 # it is handed over as it is
  declare -p lines_in_server
{%- endif %}
  declare -f server_task
  # shellcheck disable=SC2016 # the task expands it
  echo 'server_task "$@"'
}
{%- if nodes > 1 %}
# There is a task on each node; when one ends, so do the others. What only a node knows is
# put in there.
{%- endif %}
{%- if replicas > 1 %}
# Slurm gives steps that overlap the same GPUs, so each step has those of all servers, and
# its task takes so many of its own, from the first that the first words say.
{%- endif %}
# shellcheck disable=SC2317 # the task calls it
server_task() {
{%- if replicas > 1 %}
  local first=$1 count=$2 gpus
  shift 2
  IFS=, read -r -a gpus <<<"${CUDA_VISIBLE_DEVICES-}"
  gpus=("${gpus[@]:first:count}")
  if ((${#gpus[@]} < count)); then
    echo "the step has the GPUs ${CUDA_VISIBLE_DEVICES-} (CUDA_VISIBLE_DEVICES), too few for $count from place $first on" >&2
    exit 1
  fi
  CUDA_VISIBLE_DEVICES=$(IFS=, && echo "${gpus[*]}")
  export CUDA_VISIBLE_DEVICES
{%- endif %}
{%- if nodes > 1 %}
  local word words=() is_leader=$((SLURM_NODEID == 0))
  for word in "$@"; do
    word=${word//'{node_rank}'/"$SLURM_NODEID"}
    words+=("${word//'{is_leader}'/"$is_leader"}")
  done
{%- else %}
  local words=("$@")
{%- endif %}
{%- if in_server.is_some() %}
  set -uo pipefail
  # shellcheck disable=SC1090 # the settings' own lines
  source <(printf '%s\n' "$lines_in_server") || {
    echo "error: the own lines in the server's container failed with $?" >&2
    exit 1
  }
{%- endif %}
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
{%- if tool.starts_without_hub() %}
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
{%- else %}
  # This release does not start without hf-internal-testing/llama-tokenizer, which is
  # open to all, whatever tokenizer it is given. The hub is asked until it is there.
  export HF_HOME=$stage_path/hf_cache
  local offline=0 default_tokenizer=$HF_HOME/hub/models--hf-internal-testing--llama-tokenizer
  if [[ $tokenizer_path == /* ]]; then
    keep_secrets
    # The last of its files to be loaded.
    ! compgen -G "$default_tokenizer/snapshots/*/special_tokens_map.json" >/dev/null || offline=1
  else
    keep_secrets HF_TOKEN
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
    names+=(HF_TOKEN)
{%- endmatch %}
  fi
  export HF_HUB_OFFLINE=$offline TRANSFORMERS_OFFLINE=$offline
  mkdir -p "$HF_HOME"
  mounts+=("$HF_HOME:$HF_HOME")
{%- match runtime %}
{%- when Runtime::Apptainer %}
{%- else %}
  names+=(HF_HOME HF_HUB_OFFLINE TRANSFORMERS_OFFLINE)
{%- endmatch %}
{%- endif %}
{%- match runtime %}
{%- when Runtime::Pyxis %}
{%- else %}
  set_container client "$client_image" "${mounts[@]}" "${extra_mounts[@]}"
{%- endmatch %}
  # --gres=none: the GPUs are the server's.
{%- if replicas > 1 %}
  exec "${step[@]}" --job-name="client.$replica" --mpi=none --gres=none --output="$(log_of benchmarking)" \
{%- else %}
  exec "${step[@]}" --job-name=client --mpi=none --gres=none --output="$logs/benchmarking_$job_id.out" \
{%- endif %}
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
{%- if in_client.is_some() %}
  # shellcheck disable=SC2090 # it is handed over as it is
  declare -p lines_in_client
{%- endif %}
{%- if replicas > 1 %}
  declare -p replica replicas
{%- endif %}
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
{%- if replicas > 1 %}
# signal_step NAME: a pattern names several.
signal_step() {
  local ids
  mapfile -t ids < <(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/ $1\$//p")
  ((${#ids[@]} > 0)) && scancel --signal=TERM "${ids[@]}" 2>/dev/null
}
{%- else %}
signal_step() {
  local id
  id=$(squeue --noheader --steps --job="$slurm_id" --format='%i %j' 2>/dev/null | sed -n "s/ $1\$//p")
  [[ -n $id ]] && scancel --signal=TERM "$id" 2>/dev/null
}
{%- endif %}
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
{%- if replicas > 1 %}
# stop_steps NAME SECONDS PID...: the steps NAME.0, NAME.1, ..., side by side.
stop_steps() {
  local name=$1 seconds=$2 pid number=0 stops=()
  shift 2
  for pid in "$@"; do
    stop_step "$name.$number" "$pid" "$seconds" &
    stops+=($!)
    number=$((number + 1))
  done
  for pid in "${stops[@]}"; do
    # A signal ends the wait, but not what is waited for.
    while running "$pid"; do wait "$pid"; done
  done
}
{%- endif %}
show_end_of() {
  say "the last lines of $1:"
  tail -n 20 "$1" 2>/dev/null | sed 's/^/  | /' || true
}

# ---- The run ----------------------------------------------------------------------

stopped_by=
{%- if replicas > 1 %}
servers=() clients=() statuses=()
{%- else %}
server='' client=''
{%- endif %}
# wait returns when a signal comes, but not one that came just before it: so
# the handler itself sees to it that the client ends.
# shellcheck disable=SC2317 # the traps call it
on_signal() {
  [[ -z $stopped_by ]] || return 0
  stopped_by=$1
  say "stopping: signal $1"
{%- if replicas > 1 %}
  ((${#clients[@]} == 0)) || signal_step 'client[.][0-9]*' || true
{%- else %}
  [[ -z $client ]] || signal_step client || true
{%- endif %}
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
  if (($1 > 128)); then
    printf 'was killed by signal %d' $(($1 - 128))
  else
    printf 'exited with status %d' "$1"
  fi
}

{%- if tasks > 0 %}

all_finished() {
  local point use_case isl osl concurrency
  for point in "${points[@]}"; do
    read -r use_case isl osl concurrency _ <<<"$point"
    point_folder "$use_case" "$isl" "$osl" "$concurrency" || return 1
  done
}
# Where an array is resumed, most tasks have nothing to do, and need no server.
if all_finished; then
  write_manifest 0 "all points are finished" || fail "cannot write $manifest"
  rmdir "$run" 2>/dev/null || true
  say "exit 0: nothing to do: all ${#points[@]} points of task $task are finished"
  exit 0
fi

write_manifest null running || fail "cannot write $manifest"
{%- else %}

write_manifest null running || fail "cannot write $manifest"
{%- endif %}
server_started=$(printf '%(%s)T' -1)
readonly server_started
{%- if replicas > 1 %}
for ((replica = 0; replica < replicas; replica++)); do
  server_step &
  servers+=($!)
  client_step &
  clients+=($!)
done
say "job $job_id on ${SLURMD_NODENAME:-$HOSTNAME}: $replicas servers, each with a client, started, ${#points[@]} points"
say "follow them: tail -f $logs/*_$job_id.*out"

# True while clients have something to do, and their servers run. Else $replica is the
# number of the pair that says how the job ends: of a server that ended; of a client that
# could not go on; when all clients are done, of one that left points out, or had some fail.
goes_on() {
  local status number open=0
  for ((replica = 0; replica < replicas; replica++)); do
    if running "${clients[replica]}"; then
      running "${servers[replica]}" || return 1
      open=1
      continue
    fi
    if [[ -z ${statuses[replica]-} ]]; then
      status=0
      wait "${clients[replica]}" || status=$?
      statuses[replica]=$status
    fi
    case ${statuses[replica]} in
      0 | 5 | 8) ;;
      *) return 1 ;;
    esac
  done
  ((open == 0)) || return 0
  replica=0
  for status in 5 8; do
    for number in "${!statuses[@]}"; do
      ((statuses[number] != status)) || replica=$number
    done
  done
  return 1
}
while goes_on && [[ -z $stopped_by ]]; do
  # Whichever ends first; the head of the loop finds out.
  wait -n || true
done
((replica < replicas)) || replica=0
readonly server=${servers[replica]} client=${clients[replica]}
{%- else %}
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
{%- endif %}

# From here on all is done that can be: when Slurm ends the job, it also ends
# whatever this script is just running.
set +e
code=1 reason=
if [[ -n $stopped_by ]]; then
  code=6 reason="stopped by signal $stopped_by"
elif ! running "$client"; then
{%- if replicas > 1 %}
  status=${statuses[replica]-0}
  [[ -n ${statuses[replica]-} ]] || wait "$client" || status=$?
{%- else %}
  status=0
  wait "$client" || status=$?
{%- endif %}
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
{%- if replicas > 1 %}
case $code in
  3 | 4) reason+=", server $replica on port $((port + replica))" ;;
esac
{%- endif %}

# First what must not be lost: who is told to stop may have only seconds.
write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
((code != 6)) || stop_timeout_now=3
{%- if replicas > 1 %}
stop_steps client 5 "${clients[@]}"
stop_steps server "${stop_timeout_now:-$stop_timeout}" "${servers[@]}"
{%- else %}
stop_step client "$client" 5
stop_step server "$server" "${stop_timeout_now:-$stop_timeout}"
{%- endif %}
{%- if alike %}
# What the servers left of a point lies together, so it is moved when all have stopped.
left_by=interrupted
[[ $reason != *"stopped answering"* ]] || left_by=failed
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside "$left_by" "$(basename "$left")"
done
{%- endif %}
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
{%- if replicas > 1 %}
  code=1 reason="the client steps ended well, but points are missing: see $logs/benchmarking_$job_id.*out"
{%- else %}
  code=1 reason="the client step ended well, but points are missing: see $logs/benchmarking_$job_id.out"
{%- endif %}
  write_manifest "$code" "$reason" || say "error: cannot write $manifest" >&2
fi
{%- if alike %}
rm -f -- "$run/points" "$run"/output.* "$run"/meet.*
{%- else if replicas > 1 %}
rm -f -- "$run/points" "$run"/output.*
rmdir "$run"/taken.* 2>/dev/null || true
{%- else %}
rm -f -- "$run/points" "$run/output"
{%- endif %}
rmdir "$run" 2>/dev/null || true

{%- if replicas > 1 %}

server_log=$(log_of server) client_log=$(log_of benchmarking)
readonly server_log client_log
case $code in
  3) show_end_of "$server_log" ;;
{%- else %}

case $code in
  3) show_end_of "$logs/server_$job_id.out" ;;
{%- endif %}
  5)
{%- if alike %}
    for log in "$results/failed_$job_id"/*/*/*.log; do
{%- else %}
    for log in "$results/failed_$job_id"/*/*.log; do
{%- endif %}
      show_end_of "$log"
    done
    ;;
{%- if replicas > 1 %}
  1 | 2) show_end_of "$client_log" ;;
  4)
    show_end_of "$server_log"
    show_end_of "$client_log"
    ;;
{%- else %}
  1 | 2) show_end_of "$logs/benchmarking_$job_id.out" ;;
  4)
    show_end_of "$logs/server_$job_id.out"
    show_end_of "$logs/benchmarking_$job_id.out"
    ;;
{%- endif %}
esac
say "$finished of ${#points[@]} points are in $results"
if ((code == 6 && failed == 0 && restarts < requeue_limit)) && [[ $stopped_by != TERM ]]; then
  # Only when the time is up: a job that was cancelled stays so, and what failed
  # would fail again.
  say "the job goes on by itself: requeue $((restarts + 1)) of at most $requeue_limit"
  say "exit $code: $reason"
{%- if site.after.is_some() %}
  # Slurm ends this script as soon as the job is in the queue, and the time is nearly up.
  trap - EXIT
  at_the_end "$code" &
  ends_within $! 10 || say "warning: the own lines at the end take too long, the job goes into the queue without them"
{%- endif %}
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
    say "what to do: use an image that has it (client in the recipe), or mount it (mounts in the settings);" \
      "then make the scripts anew and submit setup.sh"
    ;;
  3)
    if [[ $reason == *"stopped answering"* ]]; then
      say "what to do: the server ran on without an answer, and this job ended it. Look for errors of the GPUs on" \
{%- if replicas > 1 %}
        "${SLURMD_NODENAME:-$HOSTNAME} (dmesg, nvidia-smi -q) and read $server_log; if it happens again, exclude that node"
    else
      say "what to do: find out why the server ended; its whole log is $server_log"
    fi
{%- else %}
        "${SLURMD_NODENAME:-$HOSTNAME} (dmesg, nvidia-smi -q) and read $logs/server_$job_id.out; if it happens again, exclude that node"
    else
      say "what to do: find out why the server ended; its whole log is $logs/server_$job_id.out"
    fi
{%- endif %}
    ;;
  4)
    say "what to do: if the server only needs longer, raise ready_timeout in the recipe (it is $ready_timeout) and make" \
{%- if replicas > 1 %}
      "launch.sh anew; else its whole log says more: $server_log"
{%- else %}
      "launch.sh anew; else its whole log says more: $logs/server_$job_id.out"
{%- endif %}
    ;;
  5)
    say "what to do: see why the points failed; all that they left is in $results/failed_$job_id," \
{%- if replicas > 1 %}
      "and the steps' logs are $logs/*_$job_id.*out"
{%- else %}
      "and the steps' logs are $logs/*_$job_id.out"
{%- endif %}
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
  script=$(scontrol show job "$slurm_id" 2>/dev/null | sed -n 's/^ *Command=//p') || true
{%- if tasks > 0 %}
  say "$next: RESUME_JOB_ID=$job_id sbatch $options--array=$task $(printf %q "${script:-launch.sh}")"
{%- else %}
  say "$next: RESUME_JOB_ID=$job_id sbatch $options$(printf %q "${script:-launch.sh}")"
{%- endif %}
fi
say "exit $code: $reason"
exit "$code"
