# An answer that is not clear counts as no.
job_has_ended() {
  local answer
  if answer=$(squeue --noheader --jobs="$1" --format=%i 2>&1); then
    [[ -z $answer ]]
  else
    [[ $answer == *"Invalid job id"* ]]
  fi
}
