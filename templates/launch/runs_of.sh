# runs_of JOB: the runs that left something: the job's, or those of an array's tasks.
runs_of() {
  local left
  for left in "$results/run_$1"{,-*}.json "$results/${result_name}"_*_"$1"{,-*}; do
    [[ ! -e $left ]] || printf '%s\n' "$left"
  done | sed -nE 's/.*_([0-9]+(-[0-9]+)?)(\.json)?$/\1/p' | sort -u
}
