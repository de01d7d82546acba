# Sourced by every verb: where things are, and the versions the project's own tools come from.
# shellcheck shell=bash
SBX_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
SBX_VENV="$SBX_ROOT/.venv"
SBX_PRESET="${SBX_PRESET:-dev}"
export SBX_ROOT SBX_VENV SBX_PRESET

# .tools/bin holds a link to the Go that setup chose, and goes first, before an older one.
export PATH="$SBX_ROOT/.tools/bin:$SBX_VENV/bin:$PATH"
export VIRTUAL_ENV="$SBX_VENV"

# Never let go.mod fetch another toolchain, and never ask git for a stamp: in a clone that belongs
# to another user git refuses, and the build would fail.
export GOTOOLCHAIN=local
export GOFLAGS="${GOFLAGS:--buildvcs=false}"

# The Go and Python bindings compile against the headers and the library of one CMake build.
SBX_BUILD="$SBX_ROOT/build/$SBX_PRESET"
export SBX_BUILD
export SIGNALBOX_BUILD_DIR="$SBX_BUILD"
# Go's build cache does not look into headers outside its packages, so a digest of ours is part of
# the flags: when a header changes, so does the cache's key.
SBX_HEADERS="$(cat "$SBX_ROOT"/include/signalbox/{,c/}*.h 2>/dev/null | cksum || true)"
SBX_HEADERS="${SBX_HEADERS%% *}"
export CGO_CFLAGS="-O2 -g -I$SBX_ROOT/include -DSBX_HEADERS=$SBX_HEADERS"
export CGO_LDFLAGS="-L$SBX_BUILD/src -Wl,-rpath,$SBX_BUILD/src"

# The files that git tracks or would track and that exist, ended by NUL.
sources() {
  local file
  git ls-files -z --cached --others --exclude-standard -- "$@" |
    while IFS= read -r -d '' file; do
      [[ ! -f "$file" ]] || printf '%s\0' "$file"
    done
}

fail() {
  echo "./dev: $*" >&2
  exit 1
}
