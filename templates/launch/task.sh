# Each task of the array has its part of the work.
readonly task=${job_id##*-} sweep=("${points[@]}")
if [[ $job_id != *-* ]]; then
  missing "the number of this job's task, which squeue does not tell: submit this script with sbatch, as the array that it is"
elif ((task >= tasks)); then
  missing "work for task $task: the tasks from 0 to $((tasks - 1)) have some"
fi
points=()
for row in "${sweep[@]}"; do
  [[ $row != "$task "* ]] || points+=("${row#* }")
done
for row in "${additions[@]}"; do
  case $row in
    "$task result_name "*) result_name+=-${row#* * } ;;
    "$task command "*) server_command+=("${row#* * }") ;;
    "$task environment "*) server_environment+=("${row#* * }") ;;
  esac
done
readonly array_option="--array=$task "
