# shellcheck shell=bash
# Runs in each container before its program. Says what can be seen of a GPU there.
echo "hook: CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES-(unset)}"
if (exec 9<>/dev/nvidia0) 2>/dev/null; then
  echo "hook: /dev/nvidia0 opens"
else
  echo "hook: /dev/nvidia0 does not open"
fi
echo "hook: nvidia-smi names $(nvidia-smi -L 2>/dev/null | grep -c '^GPU') GPUs"
export HOOK_RAN=yes
