#!/bin/bash
# Stands in for the programs of a cluster that rendered scripts call, each under its own name:
# one node, one job, and a registry and a hub whose images and models are in /mnt/given. Each
# call is a line of /mnt/calls. The programs of a container come from $CONTAINER_PATH.
set -euo pipefail
program=${0##*/} steps=/mnt/steps
call=$program
(($# == 0)) || call+=$(printf ' %q' "$@")
# At once: others write there meanwhile.
printf '%s\n' "$call" >>/mnt/calls

# The value of option $1 in the arguments that follow.
option() {
  local name=$1
  shift
  while (($# > 0)); do
    case $1 in
      "$name") echo "$2" && return ;;
      "$name"=*) echo "${1#*=}" && return ;;
    esac
    shift
  done
}
# Runs the command that comes behind the options and the image.
enter() {
  while [[ $1 == -* && $1 != -- ]]; do shift; done
  [[ $1 != -- && $1 != *.sif && $1 != docker-archive:* ]] || shift
  exec "$@"
}
case $program in
  srun)
    case ${1-} in
      --help) printf '  --container-%s=...\n' image mounts env && exit ;;
      --mpi=list) echo none && exit ;;
    esac
    name=$(option --job-name "$@") log=$(option --output "$@")
    mkdir -p $steps
    echo $$ >"$steps/$name"
    [[ -z $log ]] || exec >>"$log" 2>&1
    [[ $(option --input "$@") != none ]] || exec </dev/null
    # With pyxis, this is the container's own.
    [[ $name != client ]] || PATH=$CONTAINER_PATH
    enter "$@"
    ;;
  squeue)
    case " $* " in
      *" -o %e "*) printf '%(%FT%T)T\n' $(($(printf '%(%s)T' -1) + 3600)) ;;
      *" -O jobid,"*,command:4096\ *) printf '%-20s%-20s%-20s%-20s%-4096s\n' "$SLURM_JOB_ID" "${SLURM_ARRAY_JOB_ID-$SLURM_JOB_ID}" "${SLURM_ARRAY_TASK_ID-N/A}" 0 /mnt/launch.sh ;;
      *" --jobs=$SLURM_JOB_ID "*) echo "$SLURM_JOB_ID" ;;
      *) echo "slurm_load_jobs error: Invalid job id specified" >&2 && exit 1 ;;
    esac
    ;;
  scontrol)
    [[ " $* " != *" show step "* ]] || for step in "$steps"/*; do
      ! kill -0 "$(<"$step")" 2>/dev/null || echo "StepId=1.${step##*/} UserId=0 State=RUNNING Name=${step##*/} Network=(null)"
    done
    ;;
  scancel)
    for step in "$@"; do
      [[ $step == -* ]] || kill -TERM "$(<"$steps/${step#1.}")"
    done
    ;;
  enroot) [[ $1 == import ]] && cp /mnt/given/image.sqsh "$(option --output "$@")" ;;
  apptainer)
    if [[ $1 == pull ]]; then
      [[ $* != *nvcr.io* || $APPTAINER_DOCKER_PASSWORD == key ]]
      cp /mnt/given/image.sif "${*: -2:1}"
    else
      PATH=$CONTAINER_PATH
      shift
      enter "$@"
    fi
    ;;
  podman)
    case $1 in
      info) printf '{\n  "store": {\n    "graphRoot": "/var/tmp",\n    "runRoot": "/run"\n  }\n}\n' ;;
      image) exit 1 ;;
      pull)
        [[ $* != *nvcr.io* || $(<"$(option --authfile "$@")") == '{"auths": {"nvcr.io": {"auth": "JG9hdXRodG9rZW46a2V5"}}}' ]]
        echo 0123abcd
        ;;
      save) cp /mnt/given/image.tar "$(option --output "$@")" ;;
      run)
        PATH=$CONTAINER_PATH
        shift
        enter "$@"
        ;;
      ps) echo 4567cdef ;;
      inspect) printf '[\n     {\n          "Id": "4567cdef",\n          "Name": "nim-slurm-1-server-2",\n          "RestartCount": 0\n     }\n]\n' ;;
    esac
    ;;
  nvidia-smi) cat /mnt/given/gpu ;;
  hf) mkdir -p "$(option --local-dir "$@")" && cp /mnt/given/hub/* "$(option --local-dir "$@")" ;;
  ngc) cp -r "/mnt/given/ngc/${4##*:}"/* "$(option --dest "$@")" ;;
  genai-perf)
    folder=$(option --artifact-dir "$@")
    if [[ -e /mnt/given/hangs && ($(</mnt/given/hangs) != later || $(option --concurrency "$@") == 1) ]]; then
      # Not before its turn.
      until [[ $(</mnt/given/hangs) != later || -e $NIM_SLURM_GATE/open ]]; do sleep 0.2; done
      [[ -e $NIM_SLURM_GATE/open ]] || exec sleep 600
      sleep 600 &
      echo $! >/mnt/child
      # As Slurm does shortly before the time is up.
      [[ $(</mnt/given/hangs) == l* ]] || kill -USR1 "$(</mnt/job)"
      # Slurm's signal may come to the tool first.
      [[ $(</mnt/given/hangs) != early ]] || exit 143
      wait
    fi
    printf '  "content": "one two three four"\n%.0s' $(seq "$(option --num-prompts "$@")") >"$folder/inputs.json"
    perf_analyzer --input-data "$folder/inputs.json" || exit
    cp /mnt/given/profile_export_genai_perf.csv "$folder/"
    # So as not to be valid.
    if [[ -e /mnt/given/fails && $(option --concurrency "$@") == 1 ]]; then
      : >"$folder/profile_export_genai_perf.csv"
      echo "ValueError: nothing was measured"
    fi
    ;;
  # No prompt is there twice.
  perf_analyzer) [[ -z $(sort "$(option --input-data "$@")" | uniq -d) ]] ;;
  vllm)
    echo "CUDA_VISIBLE_DEVICES is $CUDA_VISIBLE_DEVICES"
    : >/mnt/serving
    exec sleep 600
    ;;
esac
