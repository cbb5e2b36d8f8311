[[ -n ${SLURM_JOB_ID-} && -n ${SLURMD_NODENAME-} ]] || missing "a Slurm job: submit this script with sbatch"
need_commands srun scancel squeue scontrol awk find grep od sed sha256sum tar
stop_if_missing

model_path=$model_folder
[[ $model_folder == /* ]] || model_path=$stage_path/$model_folder
readonly model_path logs=$stage_path/logs results=$stage_path/results
# Slurm is asked: variables may be an outer job's. A task has two numbers: its own may be the array's, which means all.
job_id=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format='%A %F %K' 2>/dev/null |
  awk -v id="$SLURM_JOB_ID" '$1 == id && $3 ~ /^[0-9]+$/ { print $2 "-" $3 }') || true
job_id=${job_id:-$SLURM_JOB_ID}
readonly slurm_id=${job_id/-/_}
read -r restarts script < <(squeue --noheader --jobs="$slurm_id" --Format=restartcnt:12,command:4096 2>/dev/null | sed 's/(null) *$//') || true
[[ $restarts =~ ^[0-9]+$ ]] || restarts=${SLURM_RESTART_COUNT:-0}
[[ ${script:-/} == /* ]] || script=${SLURM_SUBMIT_DIR-.}/$script
# What blocks below add: facts and options of a server's step; mounts of clients, what prints parts of their program.
declare -A facts=()
of_nodes=() client_mounts=() client_parts=()
