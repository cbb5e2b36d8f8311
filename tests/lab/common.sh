# shellcheck shell=bash
# Sourced by up, down, images, controllers, debian and selftest: where things are.
# shellcheck disable=SC2034 # used by those scripts
lab_src=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# By default beside the project's other build output, wherever we are called from.
LAB_DIR=$(realpath -m "${LAB_DIR:-$lab_src/../../target/lab}")
# A further lab, which has the images and the releases of the first.
if ((${LAB_NUMBER:-1} > 1)); then
  first_lab=$LAB_DIR
  LAB_DIR+=-$LAB_NUMBER
  LAB_PORT=$((${LAB_PORT:-26817} + 20 * (LAB_NUMBER - 1)))
fi
unset LAB_NUMBER # scripts that we start have LAB_DIR
SLURM_CONF=$LAB_DIR/etc/slurm.conf
# Debian keeps daemons and mount tools in sbin, which is not on every user's PATH.
PATH=$LAB_DIR/bin:$PATH:/usr/sbin:/sbin
export LAB_DIR SLURM_CONF PATH

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Slurm's configuration files and mount's options cannot quote white space or commas.
[[ $LAB_DIR =~ ^[A-Za-z0-9_./+-]+$ ]] || die "LAB_DIR may hold only letters, digits and _./+- : $LAB_DIR"
[[ $(id -u) == 0 ]] || die "the lab needs root (daemons, mounts, device nodes)"

# True when the process named in pid file $1 lives.
alive() { [[ -s $1 ]] && kill -0 "$(<"$1")" 2>/dev/null; }

# True when the lab keeps accounts of jobs, so that sacct answers.
with_accounting() { [[ ${LAB_ACCOUNTING:-1} != 0 ]]; }

# end FILE...: ends the processes of these pid files, and waits for it.
end() {
  local file pid
  for file in "$@"; do
    alive "$file" || continue
    pid=$(<"$file")
    kill "$pid"
    for ((i = 0; i < 100; i++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
}

# Stops what controllers started.
stop_controllers() { end "$LAB_DIR"/releases/own/slurmctld.pid "$LAB_DIR"/releases/*/lab/slurmctld.pid; }

# Stops what newer started: the jobs' processes first.
stop_newer() {
  local bin
  for bin in "$LAB_DIR"/newer/*; do
    [[ ! -e $bin ]] || timeout 20 "$bin/scancel" --user=root 2>/dev/null || true
  done
  end "$LAB_DIR"/releases/*/node/run/{slurmd.node1,slurmctld}.pid
}

# Installs the Debian packages that are missing, and says which.
need_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing Debian packages: ${missing[*]}"
  mkdir -p "$LAB_DIR"
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >"$LAB_DIR/apt.log" 2>&1 || die "apt-get failed, see $LAB_DIR/apt.log"
}
