for image in "$server_image" "$client_image"; do
  sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done
{%- if engine.is_some() %}

model_is_there() {
  local index=$model_path/model.safetensors.index.json shard rank
  [[ -s $model_path/config.json && -s $index ]] || return 1
  while read -r shard; do
    [[ -s $model_path/$shard ]] || return 1
  done < <(indexed_shards "$index")
  for ((rank = 0; rank < gpus; rank++)); do
    [[ -s $model_path/$engine_link/rank$rank.engine ]] || return 1
  done
}
model_is_there || missing "the model in $model_path, whole, with an engine for $gpus GPUs in $engine_link: run prepare_models.sh"
{%- else %}

model_is_there() {
  local index=$model_path/model.safetensors.index.json file
  for file in "${weights_files[@]}"; do
    [[ -s $model_path/$file ]] || return 1
  done
  [[ -s $index ]] || return 0
  while read -r file; do
    [[ -s $model_path/$file ]] || return 1
  done < <(indexed_shards "$index")
}
model_is_there || missing "the model in $model_path, whole: run prepare_models.sh"
{%- endif %}

tokenizer_path=$tokenizer
if [[ -z $tokenizer ]]; then
  tokenizer_path=$model_path
  [[ -s $model_path/tokenizer.json ]] || missing "the tokenizer $model_path/tokenizer.json: run prepare_models.sh"
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
