stage_path=${STAGE_PATH:-$default_stage_path}
readonly stage_path=${stage_path%"${stage_path##*[!/]}"}
# A container mount, srun's name of a log file or find's pattern would misread other characters.
usable='^/[^][:space:][:cntrl:],:$`"\{}%*?[]+$'
[[ $stage_path =~ $usable && $stage_path/ != */../* ]] ||
  missing "STAGE_PATH, the folder for images, models and results (export STAGE_PATH=/lustre/project/...): an absolute" \
    "path without .., white space or one of , : \$ \` \" \\ { } % * ? [ ]; it is \"$stage_path\""
