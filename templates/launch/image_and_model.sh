check_runtime
# A recipe may name any folder, and its images see all of it. In /run (/var/run), programs of the user and of Slurm listen.
real=$(cd -P -- "$model_path" 2>/dev/null && pwd) || real=$(realpath -m -- "$model_path")
[[ ! $real/ =~ ^/+((boot|dev|etc|proc|run|sys|var/(mail|spool))?/|(tmp|var|var/tmp)/$) ]] ||
  missing "a folder that is a model's: $model_path is $real, a folder of the system"
! grep -qF " ${real%/}/" /proc/self/mounts || missing "a folder with the model alone: something is mounted in $model_path"
for name in "${HOME:-/}" "$stage_path"{,/logs,/results,/nim_cache,/hf_cache}; do
  # Names prove nothing: a file system may be mounted in two places, and each of these may be a link.
  place=$(cd -P -- "$name" 2>/dev/null && pwd) || continue
  rest=$place below='' folder=$real
  until [[ -z $rest || $real$below -ef $place ]]; do below=/${rest##*/}$below rest=${rest%/*}; done
  [[ ! $real$below -ef $place ]] ||
    { missing "a folder with the model alone: all of $place lies in $model_path" && break; }
  until [[ -z $folder || $folder -ef $place ]]; do folder=${folder%/*}; done
  [[ -z $folder || ! $name =~ ^"$stage_path"/(logs|results|nim_cache|hf_cache)$ ]] ||
    missing "a folder with the model alone: $model_path is what jobs leave in $place"
  [[ -z $folder || ${real#"$folder"} != */.* ]] || missing "a folder with the model alone: $model_path is a hidden one of $place"
done
missing_files "$model_path" "${model_files[@]}"
# What a command line does not hold is no model's: a longer name is missing anyway.
mapfile -t -O "${#model_files[@]}" model_files < <(shards_of "$model_path" | grep -v '.\{256\}')
((${#model_files[@]} < 2000)) ||
  { missing "the complete model in $model_path: its index names 2,000 shards or more" && stop_if_missing; }
# What may not be read is neither absent nor damaged.
hidden=$(LC_ALL=C find -H "$stage_path"/{"$server_image","$client_image"} "$model_path" "${model_files[@]/#/"$model_path"/}" \
  -maxdepth 0 \( ! -readable -o -type d ! -executable \) 2>&1 | tr -c ' -~\n' '?' |
  grep -v 'No such file' | head -n 3) || true
[[ -z $hidden ]] || missing "permission to read ${hidden//$'\n'/, }: ask its owner for chmod -R a+rX"
for image in "$server_image" "$client_image"; do
  [[ $hidden == *"$image"* ]] || sound_image "$stage_path/$image" || missing "the image $stage_path/$image (absent or damaged): submit setup.sh"
done
[[ $hidden == *"$model_path"* ]] || ((${#REPLIES[@]} == 0)) ||
  missing "the complete model in $model_path: ${#REPLIES[@]} files are missing, as ${REPLIES[0]}; run prepare_models.sh or, of a model by path, copy them there"
[[ -n $tokenizer$hidden || ${#REPLIES[@]} != 0 || $(find -H "$model_path" -maxdepth 1 -printf '%P\n') =~ tok|vocab|tekken|spm|bpe|dict\.|\.model ]] ||
  missing "a tokenizer's file in $model_path, and the client counts tokens: name a tokenizer in the recipe, under [client]"
# Links that lead out of it, as those of a hub's cache, lead nowhere in a container that has no other mounts.
stray=$(realpath -m -- "${model_files[@]/#/"$real"/}" | LC_ALL=C awk -v folder="$real/" 'index($0, folder) != 1 && !n++')
[[ -z $stray || ${#extra_mounts[@]} != 0 ]] ||
  missing "the files of the model in $model_path: a link leads to $stray. Copy it, as with cp -rL, or mount that, too"
# A plugin may be listed, and its library not be there.
[[ $mpi == none ]] || answer=$(timeout 300 srun --ntasks-per-node=1 --overlap --mem=0 --gres=none --mpi="$mpi" true 2>&1) ||
  missing "srun's MPI plugin $mpi on $SLURM_JOB_NODELIST: set it to none, or to another (--mpi, or [srun] in the settings). ${answer//$'\n'/; }"
! declare -F check_needs >/dev/null || check_needs
