# ---- Checks: before anything is fetched ---------------------------------------

stop_if_missing
{% include "lib/use_stage_path.sh" %}
readonly model=$stage_path/$model_folder
readonly weights_part=$stage_path/.$model_folder.part
readonly engine_part=$stage_path/.$engine_folder.part

is_linked() { [[ -L $model/$engine_link && $(readlink "$model/$engine_link") == "$engine_folder" ]]; }

check_by_hand "$model"
stop_if_missing
# A model that is complete needs no lock, and may be someone else's to write.
if is_whole weights "$model" && is_whole engine "$model/$engine_folder" && is_linked; then
  say "nothing to do: the model in $model is complete"
  exit 0
fi

{% include "prepare_models/model_lock.sh" %}
check_by_hand "$model"
check_part "$weights_part"
check_part "$engine_part"
[[ ! -L $model ]] || missing "a folder in place of $model, a link to a model that is not complete (others may use it): remove the link"
stop_if_missing

# The published recipe moved the engine itself to the link's name.
adopt_engine() {
  if [[ -d $model/$engine_link && ! -L $model/$engine_link && ! -e $model/$engine_folder ]] &&
    is_whole engine "$model/$engine_link"; then
    mv -nT -- "$model/$engine_link" "$model/$engine_folder"
  fi
}
adopt_engine

space_needed=0 to_do=()
if is_whole weights "$model"; then
  say "the weights are complete"
else
  [[ -z $reasons ]] || say "the weights in $model are incomplete:"$'\n'"$reasons"
  to_do+=(weights)
  is_fetched weights "$weights_part/$model_folder" || space_needed=$((space_needed + weights_bytes))
fi
if is_whole engine "$model/$engine_folder"; then
  say "the engine is complete"
else
  [[ -z $reasons ]] || say "the engine in $model/$engine_folder is incomplete:"$'\n'"$reasons"
  to_do+=(engine)
  is_fetched engine "$engine_part/$engine_folder" || space_needed=$((space_needed + engine_bytes))
fi
[[ ! -e $model || -w $model || ${to_do[*]} == *weights* ]] ||
  missing "permission to write in $model: ask its owner, $(stat -c %U -- "$model"), for chmod g+w"

if ((space_needed > 0)); then
{% include "prepare_models/ngc_key.sh" %}
  # What killed downloads left is not trusted, and its space is needed.
  for part in "$weights_part" "$engine_part"; do
    if [[ -e $part ]] && ! is_fetched weights "$part/$model_folder" && ! is_fetched engine "$part/$engine_folder"; then
      say "removing $part, left by a download that did not end"
      rm -rf -- "$part"
    fi
  done
  available=$(df --output=avail --block-size=1 "$stage_path" | tail -n 1 | tr -d ' ')
  ((available >= space_needed)) ||
    missing "free space in $stage_path: $(readable "$available") are free, the download needs $(readable "$space_needed")"
fi
stop_if_missing

# ---- Download -----------------------------------------------------------------

{% include "prepare_models/stop_download.sh" %}

{% include "prepare_models/ngc_download.sh" %}

for kind in "${to_do[@]}"; do
  if [[ $kind == weights ]]; then
    download weights "$weights_target" "$weights_part" "$model_folder"
    if [[ -e $model || -L $model ]]; then
      # The engine in the old folder is kept with the new weights.
      [[ ! -d $model/$engine_folder ]] || mv -nT -- "$model/$engine_folder" "$weights_part/$model_folder/$engine_folder"
      set_aside "$model" incomplete
      say "remove that folder once it is not needed: it takes as much space as the model"
    fi
    mv -nT -- "$weights_part/$model_folder" "$model"
    rmdir "$weights_part"
  else
    download engine "$engine_target" "$engine_part" "$engine_folder"
    [[ ! -e $model/$engine_folder ]] || set_aside "$model/$engine_folder" incomplete
    mv -nT -- "$engine_part/$engine_folder" "$model/$engine_folder"
    rmdir "$engine_part"
  fi
done

if ! is_linked; then
  [[ ! -e $model/$engine_link && ! -L $model/$engine_link ]] || set_aside "$model/$engine_link" other
  ln -s -- "$engine_folder" "$model/$engine_link"
fi
say "done: the model in $model is complete"
