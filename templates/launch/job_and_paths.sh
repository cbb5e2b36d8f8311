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
