#!/usr/bin/env bash
# tools/fresh_machine.sh [COMMAND...]   default: ./dev test
#
# Proves that the README's commands work on a machine with nothing installed: makes a minimal
# Debian 12 in a temporary folder (a shell, git and certificates), clones the last commit into it
# and runs the command there as root. Needs root, debootstrap and room for about 6 GB.
#
# Where packages come from is this machine's affair, so its own settings for apt, pip and Go are
# carried over when it runs; none are written in this repository.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly root
readonly release=bookworm
readonly clone=/root/signalbox

if [[ $EUID -ne 0 ]] || ! command -v debootstrap >/dev/null; then
  echo "fresh_machine: run as root, with the package debootstrap installed" >&2
  exit 1
fi

# A mount namespace of its own makes every mount vanish with the last process, and a process
# namespace takes everything that was started inside along with it: nothing is left to clean up.
if [[ -z "${FRESH_MACHINE:-}" ]]; then
  FRESH_MACHINE="$(mktemp -d "${TMPDIR:-/tmp}/fresh_machine.XXXXXX")"
  export FRESH_MACHINE
  trap 'rm -rf --one-file-system "$FRESH_MACHINE"' EXIT
  unshare --mount --pid --fork --kill-child --propagation private bash "${BASH_SOURCE[0]}" "$@"
  exit
fi
readonly machine="$FRESH_MACHINE"

say() { echo "fresh_machine: $*"; }

mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$release" '$1 == release { print $2; exit }'
}

install_minimal_debian() {
  chmod 755 "$machine"  # the root folder of a machine is open to its users
  local log="$machine.debootstrap.log"
  say "installing a minimal Debian $release"
  if ! debootstrap --variant=minbase --include=git,ca-certificates "$release" "$machine" \
    "$(mirror)" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
  fi
  rm -f "$log"
}

carry_over() {
  local path
  for path in "$@"; do
    [[ -e "$path" ]] || continue
    mkdir -p "$machine$(dirname "$path")"
    cp -a --remove-destination "$path" "$machine$(dirname "$path")/"
  done
}

carry_over_settings() {
  rm -rf "$machine/etc/apt/sources.list" "$machine/etc/apt/sources.list.d"
  carry_over /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d \
    /etc/apt/keyrings /usr/share/keyrings /etc/pip.conf /usr/local/share/ca-certificates
  cp --dereference /etc/resolv.conf /etc/hosts "$machine/etc/"
  chroot "$machine" update-ca-certificates >/dev/null 2>&1
}

mount_system() {
  mount --bind "$machine" "$machine"  # only a mount can become the root
  mount -t proc proc "$machine/proc"
  mount -t sysfs -o ro sysfs "$machine/sys"
  mount --rbind /dev "$machine/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$machine/dev/shm"
}

run_inside() {
  local name carried=()
  for name in $(compgen -e); do
    case "$name" in
      PIP_FIND_LINKS) ;;
      PIP_* | GOPROXY | GOSUMDB | GONOSUMDB | GOPRIVATE | *_proxy | *_PROXY)
        carried+=("$name=${!name}")
        ;;
    esac
  done
  # Not chroot alone: the kernel denies a process in a chroot its own namespaces, which tests need,
  # and this machine's files must be out of reach.
  cd "$machine"
  mkdir outside
  pivot_root . outside
  chroot . env -i HOME=/root TERM=dumb LANG=C.UTF-8 CI=true \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${carried[@]}" \
    bash -c 'umount --lazy /outside && rmdir /outside && cd "$0" && exec "$@"' \
    "$clone" "$@" </dev/null
}

main() {
  install_minimal_debian
  carry_over_settings
  git clone --quiet --no-local "$root" "$machine$clone"
  mount_system
  say "running in a fresh clone of $(git -C "$root" rev-parse --short HEAD): $*"
  local started=$SECONDS status=0
  run_inside "$@" || status=$?
  say "exit status $status after $((SECONDS - started)) s"
  exit "$status"
}

# One call on the last line: bash reads a script as it goes, and this one runs long enough for
# somebody to edit it meanwhile.
[[ $# -gt 0 ]] || set -- ./dev test
main "$@"
