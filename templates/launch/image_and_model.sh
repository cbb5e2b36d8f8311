check_runtime
for image in "$server_image" "$client_image"; do
  sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done
files=("${weights_files[@]}")
[[ -z $engine_target ]] || for ((rank = 0; rank < gpus; rank++)); do files+=("$engine_link/rank$rank.engine"); done
missing_files "$model_path" "${files[@]}"
((${#REPLIES[@]} == 0)) ||
  missing "the model in $model_path, whole: ${#REPLIES[@]} files are missing, as ${REPLIES[0]}; run prepare_models.sh"
readonly tokenizer_path=${tokenizer:-$model_path}
[[ -n $tokenizer || -s $model_path/tokenizer.json ]] ||
  missing "the tokenizer $model_path/tokenizer.json: run prepare_models.sh"
[[ $tokenizer_path == /* || -n ${HF_TOKEN-} ]] || missing "HF_TOKEN, for the tokenizer $tokenizer: export HF_TOKEN=..."
[[ $mpi == none || $(srun --mpi=list 2>&1) == *"$mpi"* ]] ||
  missing "srun's MPI plugin $mpi on $HOSTNAME (srun --mpi=list names those that are there): set [srun] mpi"
for name in "${server_secrets[@]}"; do
  [[ -n ${!name-} ]] || missing "the variable $name, which the server needs: export $name=..."
done
for mount in "${extra_mounts[@]}"; do
  [[ $mount != /* || -e ${mount%%:*} ]] || missing "${mount%%:*} on $HOSTNAME, which is to be mounted in the containers"
done
