# A login node's folder may not be here, and podman would start no container.
[[ -d ${XDG_RUNTIME_DIR-} && -O $XDG_RUNTIME_DIR ]] || unset XDG_RUNTIME_DIR
