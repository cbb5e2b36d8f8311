# ---- Checks: before anything is fetched ---------------------------------------

stop_if_missing
{% include "lib/use_stage_path.sh" %}
readonly model=$stage_path/$model_folder
readonly weights_part=$stage_path/.$model_folder.part

# A model that is complete needs no lock, and may be someone else's to write.
stop_if_whole() {
  check_by_hand "$model"
  stop_if_missing
  if is_whole weights "$model"; then
    say "nothing to do: the model in $model is complete"
    exit 0
  fi
}
stop_if_whole

{% include "prepare_models/model_lock.sh" %}
stop_if_whole
check_part "$weights_part"
stop_if_missing
[[ -z $reasons ]] || say "the model in $model is incomplete:"$'\n'"$reasons"

if ! is_fetched weights "$weights_part/$model_folder"; then
{%- match source %}
{%- when ModelSource::HuggingFace(_) %}
  need_commands hf sha256sum xargs
  # It goes on where an earlier download stopped. Of files with such names, newer releases begin again; a lock of one that was
  # killed would be waited for where the file system has no better ones; and what is excluded by now may be there.
  if [[ -d $weights_part/$model_folder ]]; then
    find "$weights_part/$model_folder" -type f \( -name '*.*.????????.incomplete' -o -path '*/.cache/huggingface/download/*.lock' \) -delete
    for pattern in "${excluded[@]}"; do
      find "$weights_part/$model_folder" -type f -path "$weights_part/$model_folder/${pattern/%\//\/*}" -delete
    done
  fi
  arrived=$(du --bytes --summarize "$weights_part" 2>/dev/null | cut -f 1) || true
  space_needed=$((weights_bytes - ${arrived:-0}))
{%- else %}
{% include "prepare_models/ngc_key.sh" %}
  # What a killed download left is not trusted, and its space is needed.
  if [[ -e $weights_part ]]; then
    say "removing $weights_part, left by a download that did not end"
    rm -rf -- "$weights_part"
  fi
  space_needed=$weights_bytes
{%- endmatch %}
  available=$(df --output=avail --block-size=1 "$stage_path" | tail -n 1 | tr -d ' ')
  ((available >= space_needed)) ||
    missing "free space in $stage_path: $(readable "$available") are free, the download needs $(readable "$space_needed")"
fi
stop_if_missing

# ---- Download -----------------------------------------------------------------

{% include "prepare_models/stop_download.sh" %}
{%- match source %}
{%- when ModelSource::HuggingFace(_) %}

{% include "prepare_models/hub_download.sh" %}
{%- else %}

{% include "prepare_models/ngc_download.sh" %}
{%- endmatch %}

if is_fetched weights "$weights_part/$model_folder"; then
  say "the weights of an earlier download are complete"
else
  download weights "$weights_target" "$weights_part" "$model_folder"
fi
if [[ -e $model || -L $model ]]; then
  set_aside "$model" incomplete
  say "remove that folder once it is not needed: it takes as much space as the model"
fi
mv -nT -- "$weights_part/$model_folder" "$model"
rmdir "$weights_part"
say "done: the model in $model is complete"
