need_commands podman tar
{% include "lib/job_has_ended.sh" %}
# What jobs that were killed left of their containers on this node, and an earlier run of
# this job. Where Slurm tracks processes by their parents, they may even run.
for container in $(podman ps --all --quiet --filter=label=nim-slurm-job 2>/dev/null); do
  owner=$(podman inspect "$container" 2>/dev/null | sed -n 's/^ *"nim-slurm-job": "\([0-9]*\)".*/\1/p' | head -n 1) || true
  [[ -n $owner ]] || continue
  if [[ $owner == "$SLURM_JOB_ID" ]] || job_has_ended "$owner"; then
    podman rm --force --time=0 "$container" >/dev/null 2>&1 || true
  fi
done
