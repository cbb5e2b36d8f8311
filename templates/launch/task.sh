# Each task of the array, or turn of this job, has its part of the work.
if ((turns > 0)) && [[ $job_id == *-* ]]; then
  missing "a job that is no array: in one job, the variants take turns (array = \"server\" in the recipe has a task for each)"
elif ((turns > 0)); then
  job_id+=-$2 measured_before=$3
  (($2 == turns - 1)) || of_turn=' of this turn'
elif ((tasks > 0)) && [[ $job_id != *-* ]]; then
  missing "the number of this job's task, which squeue does not tell: submit this script with sbatch, as the array that it is"
elif ((tasks > 0 && ${job_id##*-} >= tasks)); then
  missing "work for task ${job_id##*-}: the tasks from 0 to $((tasks - 1)) have some"
fi
readonly task=${job_id##*-} sweep=("${points[@]}")
((tasks == 0)) || points=() repetition=''
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
# The sweep may be another one now: a task that is resumed alone has points of this one's name and use cases.
named=${RESUME_JOB_ID:-${default_resume_job_id-}} named=${named/_/-}
if ((tasks > 0)) && [[ $named =~ ^[0-9]+-[0-9]+$ ]]; then
  theirs=$(text_of "$results/run_$named.json" | LC_ALL=C sed -n \
    's/^ *{"folder": "\([^"]*\)_[0-9]*_[^_"]*_\([^"]*\)_[^"]*", "use_case": "\2", .*/\1: \2/p' | sort -u | awk 'NR <= 100')
  ours=$(for row in "${points[@]}"; do echo "$result_name: ${row%% *}"; done | sort -u)
  [[ -z $theirs ]] || grep -qxFe "$theirs" <<<"$ours" ||
    missing "a point of job $named, which RESUME_JOB_ID names, in the part of task $task: it measured ${theirs//$'\n'/, }, and this task" \
      "measures ${ours//$'\n'/, }"
fi
