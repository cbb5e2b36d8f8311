# Points of jobs that are named (4711, 4711-3, 4711_3), of all tasks of an array (a repetition: of its own), and what they resumed.
runs=("$job_id")
IFS=, read -r -a resumed <<<"${RESUME_JOB_ID:-${default_resume_job_id-}}"
for id in "${resumed[@]}"; do
  id=${id/_/-} found=${#runs[@]} manifests=0 over=COMPLETING
  [[ -z $id || $id == *-* || -z $repetition || -e $results/run_$id.json ]] || id+=$repetition
  [[ -n $id && $id != "$job_id" ]] || continue
  for left in "$results/run_$id"{,-*}.json; do
    # Others may write here, and a name may have anything in it.
    [[ -f $left && $left =~ /run_([0-9]+(-[0-9]+)?)\.json$ ]] || continue
    ((manifests++ < 1000)) || { say "of job $id, only the first 1,000 manifests count" && break; }
    text=$(text_of "$left")
    IFS=, read -r -a earlier < <(sed -n 's/^  "resumes": \[\(.*\)\],$/\1/p' <<<"$text" | tr -cd '0-9,-' | head -c 4000) || true
    runs+=("${BASH_REMATCH[1]}" "${earlier[@]}")
    # Its script works. Else Slurm may still be at its epilog.
    [[ $text != *'"exit_code": null'* ]] || over=none
  done
  if (($(squeue --noheader --jobs="${id/-/_}" --format=%T 2>/dev/null | grep -cvx "$over") > 0)); then
    missing "the end of job $id, which RESUME_JOB_ID names: it is still in the queue"
  elif ((${#runs[@]} == found)); then
    { [[ $id == *-* && -n $(compgen -G "$results/run_${id%-*}-*.json") ]] && say "job $id has left nothing that counts"; } ||
      missing "results of job $id, which RESUME_JOB_ID names: $results/run_$id.json"
  fi
done
# Each of them once: points are looked for in all.
mapfile -t runs < <(printf '%s\n' "${runs[@]}" | awk '!seen[$0]++' | head -n 2000)
readonly runs job_id restarts model_files all_logs="$logs/*_$job_id.*out"
