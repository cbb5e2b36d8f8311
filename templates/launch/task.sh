# Each task of the array, or turn of this job, has its part of the work.
array_option=''
if ((turns > 0)) && [[ $job_id == *-* ]]; then
  missing "a job that is no array: in one job, the variants take turns (array = \"server\" in the recipe has a task for each)"
elif ((turns > 0)); then
  job_id+=-$2
elif ((tasks > 0)) && [[ $job_id != *-* ]]; then
  missing "the number of this job's task, which squeue does not tell: submit this script with sbatch, as the array that it is"
elif ((tasks > 0 && ${job_id##*-} >= tasks)); then
  missing "work for task ${job_id##*-}: the tasks from 0 to $((tasks - 1)) have some"
elif ((tasks > 0)); then
  array_option="--array=${job_id##*-} "
fi
readonly task=${job_id##*-} sweep=("${points[@]}") array_option
((tasks == 0)) || points=()
for row in "${sweep[@]}"; do
  ((tasks == 0)) || [[ $row != "$task "* ]] || points+=("${row#* }")
done
for row in "${additions[@]}"; do
  case $row in
    "$((task % variants)) result_name "*) result_name+=-${row#* * } ;;
    "$((task % variants)) command "*) server_command+=("${row#* * }") ;;
    "$((task % variants)) environment "*) server_environment+=("${row#* * }") ;;
  esac
done
