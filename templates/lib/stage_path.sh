# STAGE_PATH at run time wins over the folder that was rendered in.
stage_path=${STAGE_PATH:-$default_stage_path}
while [[ $stage_path == */ && $stage_path != / ]]; do
  stage_path=${stage_path%/}
done
readonly stage_path
check_stage_path() {
  # A container mount, srun's name of a log file or find's pattern would misread these.
  local unusable='[[:space:][:cntrl:],:$`"\\{}%*?]|\[|\]'
  if [[ -z $stage_path ]]; then
    missing "STAGE_PATH, the folder for images, models and results: export STAGE_PATH=/lustre/project/..."
  elif [[ $stage_path != /?* ]]; then
    missing "an absolute STAGE_PATH: it is \"$stage_path\""
  elif [[ $stage_path =~ $unusable ]]; then
    missing "a STAGE_PATH that a container mount can name: \"$stage_path\" has white space or one of , : \$ \` \" \\ { } % * ? [ ]"
  fi
}
