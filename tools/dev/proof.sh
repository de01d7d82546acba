#!/usr/bin/env bash
# usage: proof [SUITE...] [--long] [--json FILE] [--seeded] [--list]   try to break it, and count
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

for word in "$@"; do
  # Naming the suites needs nothing but Python.
  [[ "$word" == --list ]] && exec /usr/bin/python3 "$SBX_ROOT/tools/proof.py" "$@"
done
bash "$SBX_ROOT/tools/dev/setup.sh" >&2
exec "$SBX_VENV/bin/python" "$SBX_ROOT/tools/proof.py" "$@"
