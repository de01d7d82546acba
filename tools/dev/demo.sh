#!/usr/bin/env bash
# usage: demo [OPTIONS]   the pet camera, live in your browser; all options go to it (--help)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

bash "$SBX_ROOT/tools/dev/setup.sh"

# What is built is told on stderr and only once it takes long or fails: the demo owns stdout.
log="$SBX_ROOT/build/logs/demo-build.log"
mkdir -p "$(dirname "$log")"
[[ -f "$SBX_BUILD/build.ninja" ]] || echo "Building Signalbox; the first time takes minutes." >&2
if ! { bash "$SBX_ROOT/tools/dev/build.sh" "$SBX_PRESET" petcam-camera &&
  bash "$SBX_ROOT/tools/build_languages.sh"; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  fail "the build failed; the whole output is in $log"
fi
# Its figures count from here: what a build takes says nothing about the demo.
read -r PETCAM_STARTED_AT _ </proc/uptime
export PETCAM_STARTED_AT
exec "$SBX_ROOT/apps/petcam/petcam" demo "$@"
