#!/usr/bin/env bash
# usage: bench SUITE [--quick] [--json FILE]   measure a suite (core) with the release build
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

suite="${1:-}"
if [[ -z "$suite" || ! -f "$SBX_ROOT/bench/CMakeLists.txt" ]]; then
  fail "name a suite: ./dev bench core [--quick] [--json FILE]"
fi
shift
bash "$SBX_ROOT/tools/dev/setup.sh"
# The report of the suite is all that goes to stdout, so that it can be piped.
bash "$SBX_ROOT/tools/dev/build.sh" release "bench_$suite" >&2
exec "$SBX_ROOT/build/release/bench/bench_$suite" "$@"
