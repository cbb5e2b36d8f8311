# What mkdir says of it stands in the line above.
make_stage_path() {
  local folder=$stage_path node=${SLURMD_NODENAME-$HOSTNAME} look=''
  ! mkdir -p "$stage_path" || return 0
  until [[ -d $folder ]]; do folder=${folder%/*} folder=${folder:-/}; done
  [[ -z ${SLURM_JOB_PARTITION-} ]] || look="srun --partition=$SLURM_JOB_PARTITION --nodelist=$node "
  fail "cannot make the folder $stage_path on $node. Is its file system mounted on $node, and may you write to $folder there?" \
    "To see it, type: ${look}ls -ld $(printf %q "$folder"). Or name a folder that all nodes share, with export STAGE_PATH=/lustre/..., and run this script again"
}
make_stage_path
