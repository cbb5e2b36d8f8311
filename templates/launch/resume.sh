# Points of earlier jobs: of those that are named, of all tasks of an array, and of those that they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-${default_resume_job_id-}}"
for id in "${resumed[@]}"; do
  # Slurm's commands write 4711_3.
  id=${id/_/-} found=${#runs[@]} manifests=0
  [[ -n $id && $id != "$job_id" ]] || continue
  for left in "$results/run_$id"{,-*}.json; do
    # Others may write here, and a name may have anything in it.
    [[ -f $left && $left =~ /run_([0-9]+(-[0-9]+)?)\.json$ ]] || continue
    ((manifests++ < 1000)) || { say "of job $id, only the first 1,000 manifests count" && break; }
    runs+=("${BASH_REMATCH[1]}")
    IFS=, read -r -a earlier < <(text_of "$left" | sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' | tr -cd '0-9,-' | head -c 4000) || true
    runs+=("${earlier[@]}")
  done
  if [[ -n $(squeue --noheader --jobs="${id/-/_}" --format=%i 2>/dev/null) ]]; then
    missing "the end of job $id, which RESUME_JOB_ID names: it is still in the queue"
  elif ((${#runs[@]} == found)); then
    missing "results of job $id, which RESUME_JOB_ID names: $results/run_$id.json"
  fi
done
# Each of them once: points are looked for in all.
mapfile -t runs < <(printf '%s\n' "${runs[@]}" | awk '!seen[$0]++' | head -n 2000)
readonly runs job_id restarts model_files all_logs="$logs/*_$job_id.*out"
