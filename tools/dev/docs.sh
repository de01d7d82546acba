#!/usr/bin/env bash
# usage: docs [--check]   write what documents take from the sources; --check: fail where it is old
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

# All of them, even after one failed: a person wants to see everything that is old.
status=0
for writer in splice memory_model facilities; do
  PYTHONPATH="$SBX_ROOT/tools" /usr/bin/python3 "$SBX_ROOT/tools/$writer.py" "$@" || status=1
done
exit "$status"
