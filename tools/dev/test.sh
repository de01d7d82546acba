#!/usr/bin/env bash
# usage: test [--quick] [STAGE...]   build and run every test; --quick: one build, no check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

bash "$SBX_ROOT/tools/dev/setup.sh"
exec "$SBX_VENV/bin/python" "$SBX_ROOT/tools/stages.py" "$@"
