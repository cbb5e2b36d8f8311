check_runtime
# A recipe may name any folder as its model, and its images see all that is in it.
real=$(cd -P -- "$model_path" 2>/dev/null && pwd) || real=$model_path
for place in "${HOME:-/}" "$stage_path"; do
  place=$(cd -P -- "$place" 2>/dev/null && pwd) || continue
  [[ $place/ != "$real"/* && $real != "$place"/.* ]] ||
    missing "a folder with the model alone: $model_path has all of $place, or is hidden in it"
done
# What may not be read is neither absent nor damaged.
hidden=$(LC_ALL=C find -H "$stage_path"/{"$server_image","$client_image"} "$model_path" ! -type l \
  \( ! -readable -o -type d ! -executable \) 2>&1 | tr -c ' -~\n' '?' |
  grep -v 'No such file' | head -n 1) || true
[[ -z $hidden ]] || missing "permission to read ${hidden#find: }: ask its owner for chmod -R a+rX"
for image in "$server_image $server_reference" "$client_image $client_reference"; do
  read -r image reference <<<"$image"
  is_image_of "$image" "$reference"
  [[ -n $hidden ]] || sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done

missing_files "$model_path" "${weights_files[@]}"
lacking=("${REPLIES[@]}")
if [[ -n $engine_target ]]; then
  engine_parts=()
  for ((rank = 0; rank < gpus; rank++)); do
    engine_parts+=("rank$rank.engine")
  done
  missing_files "$model_path/$engine_link" "${engine_parts[@]}"
  lacking+=("${REPLIES[@]/#/$engine_link/}")
fi
[[ -n $hidden ]] || ((${#lacking[@]} == 0)) ||
  missing "the model in $model_path, whole: ${#lacking[@]} files are missing, as ${lacking[0]}; run prepare_models.sh"

tokenizer_path=$tokenizer
if [[ -z $tokenizer ]]; then
  tokenizer_path=$model_path
  [[ -n $hidden || -s $model_path/tokenizer.json ]] || missing "the tokenizer $model_path/tokenizer.json: run prepare_models.sh"
elif [[ $tokenizer != /* && -z ${HF_TOKEN-} ]]; then
  missing "HF_TOKEN, for the tokenizer $tokenizer: export HF_TOKEN=..."
fi
readonly tokenizer_path

[[ $mpi == none || $(srun --mpi=list 2>&1) == *"$mpi"* ]] ||
  missing "srun's MPI plugin $mpi on $HOSTNAME (srun --mpi=list names those that are there): set [srun] mpi"
for name in "${server_secrets[@]}"; do
  [[ -n ${!name-} ]] || missing "the variable $name, which the server needs: export $name=..."
done
for mount in "${extra_mounts[@]}"; do
  source=${mount%%:*}
  [[ $source != /* || -e $source ]] || missing "$source on $HOSTNAME, which is to be mounted in the containers"
done
