#!/usr/bin/env bash
# usage: build [PRESET] [TARGET...]   dev (default), release, asan, tsan, clang, clang-asan ...
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

preset="${1:-dev}"
[[ $# -gt 0 ]] && shift
cd "$SBX_ROOT"
if ! cmake --list-presets | grep -q "^ *\"$preset\""; then
  fail "there is no preset \"$preset\". $(cmake --list-presets)"
fi

# Configuring again costs seconds; Ninja does it by itself when a CMake file changed.
[[ -f "build/$preset/build.ninja" ]] || cmake --preset "$preset"
if (($#)); then
  cmake --build "build/$preset" --target "$@"
else
  cmake --build "build/$preset"
fi
