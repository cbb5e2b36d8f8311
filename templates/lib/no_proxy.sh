for name in no_proxy NO_PROXY; do export "$name=127.0.0.1,localhost,0.0.0.0${!name:+,${!name}}"; done
