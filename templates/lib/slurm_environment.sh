# Slurm's commands take options from their environment: what a login shell or an outer job left there goes, what tells of
# this job and its cluster stays, and so do the site's ENROOT_*. With a token (SLURM_JWT), srun would start no step.
for name in $(compgen -e | grep -E '^(SLURM|SRUN|SBATCH|SCANCEL|SQUEUE|SCONTROL|PYXIS)_'); do
  case ${name#SLURM_} in
    CONF | CLUSTER_NAME | JOB* | ARRAY_* | SUBMIT_* | RESTART_COUNT | NODELIST | NNODES | TASKS_* | *_ON_NODE | PMIX* | DEBUG) ;;
    *) unset "$name" ;;
  esac
done
