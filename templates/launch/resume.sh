# Points of earlier jobs: of those that are named, and of those that they resumed.
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
