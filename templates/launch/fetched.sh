# check_fetched ROLE PATH REFERENCE SCRIPT: what lies there is what the recipe names, as far as somebody wrote it down.
declare -A fetched=([weights]=$weights_target)
check_fetched() {
  holds "$2" "$3" || missing "$3 in $2: $REPLY was fetched there. Run $4, which keeps that one aside"
  fetched[$1]=$REPLY
}
check_fetched server "$stage_path/$server_image" "$server_reference" setup.sh
check_fetched client "$stage_path/$client_image" "$client_reference" setup.sh
[[ $model_folder == /* ]] || check_fetched weights "$model_path" "$weights_target" prepare_models.sh
[[ -z $engine_target ]] || check_fetched engine "$model_path/$engine_link" "$engine_target" prepare_models.sh
