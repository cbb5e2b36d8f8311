# Where to look when this node cannot use the stage path; mkdir itself says why it failed.
look="${SLURMD_NODENAME-$HOSTNAME}. Is its file system mounted there, and may you write to it? To see it, type: "
[[ -z ${SLURMD_NODENAME-} || -z ${SLURM_JOB_PARTITION-} ]] || look+="srun ${SLURM_JOB_ACCOUNT:+--account=$SLURM_JOB_ACCOUNT }--partition=$SLURM_JOB_PARTITION --nodelist=$SLURMD_NODENAME "
look+="namei -l $(printf %q "$stage_path"). Or export STAGE_PATH=/lustre/..., a folder that all nodes share, and run this script again"
readonly look
mkdir -p "$stage_path" || fail "cannot make the folder $stage_path on $look"
