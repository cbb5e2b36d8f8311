need_commands podman tar
# What killed runs left of their containers on this node; those that run stay.
podman container prune --force --filter=label=nim-slurm-job >/dev/null 2>&1 || true
