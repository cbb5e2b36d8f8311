# runs_of JOB: in REPLIES, the runs that left something: the job's, or those of an array's tasks.
runs_of() {
  local left
  mapfile -t REPLIES < <(for left in "$results/run_$1"{,-*}.json "$results/${result_name}"_*_"$1"{,-*}; do
    [[ ! -e $left ]] || printf '%s\n' "$left"
  done | sed -nE 's/.*_([0-9]+(-[0-9]+)?)(\.json)?$/\1/p' | sort -u)
}
# Points of earlier jobs: of those that are named, and of those that they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-$default_resume_job_id}"
for id in "${resumed[@]}"; do
  # Slurm's commands write 4711_3.
  id=${id/_/-}
  [[ $id != "$job_id" ]] || continue
  runs_of "$id"
  if [[ ! $id =~ ^[1-9][0-9]*(-[0-9]+)?$ ]]; then
    missing "a job id in RESUME_JOB_ID: \"$id\" is none"
  elif [[ -n $(squeue --noheader --jobs="${id/-/_}" --format=%i 2>/dev/null) ]]; then
    missing "the end of job $id, which RESUME_JOB_ID names: it is still in the queue"
  elif ((${#REPLIES[@]} == 0)); then
    missing "results of job $id, which RESUME_JOB_ID names, in $results"
  fi
  for left in "${REPLIES[@]}"; do
    IFS=, read -r -a earlier < <(text_of "$results/run_$left.json" | sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' | tr -cd '0-9,-') || true
    runs+=("$left" "${earlier[@]}")
  done
done
readonly runs
