# Points in progress; readers of the results look at whole folders only.
readonly run=$results/.run_$job_id
mkdir -p "$run" || fail "cannot write in $results"
# keep_aside WORD FOLDER: what an unfinished point left is no result, but it is data. The client uses it, too.
keep_aside() {
  local part=$run/$2 aside=$results/$1_$job_id/$2
  [[ ! -e $part ]] || rmdir "$part" 2>/dev/null || {
    mkdir -p "$results/$1_$job_id"
    [[ ! -e $aside ]] || set_aside "$aside" earlier
    mv -nT -- "$part" "$aside"
    # Its logs name the folder that it was.
    find "$aside" -name '*.log' -type f -exec sed -i "s|/\.run_$job_id/$2|/$1_$job_id/$2|g" {} + || true
    say "an unfinished point ($1); what it left is in $aside"
  }
}
# An earlier run of this job may have been killed.
for left in "$run"/*/; do
  [[ ! -d $left ]] || keep_aside interrupted "$(basename "$left")"
done
rm -f -- "$run/stopping" "$run"/{ended,meet,state}.*
