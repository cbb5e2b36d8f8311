# In a grace period (GraceTime), Slurm ends the steps first, and restarts a job later only if its script is there at the end.
# is_preempted JOB: true when such a period began at most 5 minutes ago. stay VARIABLE: until a signal's handler sets it.
is_preempted() {
  local at
  at=$(squeue --noheader --jobs="$1" --Format=preempttime 2>/dev/null | date -f - +%s 2>/dev/null) &&
    (($(printf '%(%s)T' -1) - at < 300))
}
stay() { local end=$((SECONDS + 3600)) && while [[ -z ${!1} ]] && ((SECONDS < end)); do sleep 1 || true; done; }
