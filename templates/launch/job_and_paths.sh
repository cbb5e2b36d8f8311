[[ -n ${SLURM_JOB_ID-} && -n ${SLURMD_NODENAME-} ]] || missing "a Slurm job: submit this script with sbatch"
check_stage_path
need_commands srun scancel squeue scontrol od find sha256sum
stop_if_missing

model_path=$model_folder
[[ $model_folder == /* ]] || model_path=$stage_path/$model_folder
readonly model_path logs=$stage_path/logs results=$stage_path/results
# A task of an array is named by both numbers. Slurm is asked, since a job that is submitted from inside of a task
# inherits that task's variables.
job_id=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format='%A %F %K' 2>/dev/null |
  awk -v id="$SLURM_JOB_ID" '$1 == id && $3 ~ /^[0-9]+$/ { print $2 "-" $3 }') || true
readonly job_id=${job_id:-$SLURM_JOB_ID}
# The same for Slurm's commands. SLURM_JOB_ID of the last task of an array is the array's number, and they would take
# it for all tasks.
readonly slurm_id=${job_id/-/_}
# How often it was requeued. A job that is submitted from inside of a requeued one inherits the variable that says so.
restarts=$(squeue --noheader --jobs="$slurm_id" --Format=restartcnt 2>/dev/null | tr -d ' ') || true
[[ $restarts =~ ^[0-9]+$ ]] || restarts=${SLURM_RESTART_COUNT:-0}
readonly restarts
# What the steps print.
readonly all_logs="$logs/*_$job_id.*out"
