#!/usr/bin/env bash
# Builds what CMake does not: the Python package, the Go server, and the programs in Go of the
# benchmark and of the scenarios, against the library in $SBX_BUILD. All are skipped where their
# folder does not exist, and cost little when up to date.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$SBX_ROOT"

# pip cannot tell that a compiled extension is current and would rebuild it each time, so a hash of
# everything that is compiled into it decides. The library is not: it is linked when it runs.
python_sources_hash() {
  {
    echo "$SBX_PRESET"
    find bindings/python include -type f \
      \( -name '*.[ch]pp' -o -name '*.[ch]' -o -name 'CMakeLists.txt' -o -name '*.cmake' \
      -o -name 'pyproject.toml' \) -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum
}

install_python_package() {
  [[ -f "$1/pyproject.toml" ]] || return 0
  # No index: everything it needs was installed by setup, so a missing pin shows up here.
  "$SBX_VENV/bin/python" -m pip install --disable-pip-version-check --no-build-isolation \
    --no-deps --no-index --editable "$1"
}

build_python() {
  local stamp=.tools/python.stamp hash
  hash="$(python_sources_hash)"
  if [[ -f "$stamp" && "$(<"$stamp")" == "$hash" ]] &&
    "$SBX_VENV/bin/python" -c 'import signalbox' 2>/dev/null; then
    return 0
  fi
  rm -f "$stamp"
  install_python_package bindings/python
  install_python_package apps/petcam/detector
  echo "$hash" >"$stamp"
}

build_go_server() {
  [[ -f apps/petcam/server/go.mod ]] || return 0
  (cd apps/petcam/server && go build -o "$SBX_BUILD/petcam-server" .)
}

build_go_exchange() {
  [[ -f bench/go_exchange/go.mod ]] || return 0
  (cd bench/go_exchange && go build -o "$SBX_BUILD/bench/go_exchange" .)
}

build_go_actor() {
  [[ -f tests/scenarios/actors/go/go.mod ]] || return 0
  (cd tests/scenarios/actors/go && go build -o "$SBX_BUILD/tests/scenarios/scenario_actor_go" .)
}

if [[ -f bindings/python/pyproject.toml ]]; then build_python; fi
build_go_server
build_go_exchange
build_go_actor
