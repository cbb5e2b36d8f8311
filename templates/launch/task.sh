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
