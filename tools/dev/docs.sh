#!/usr/bin/env bash
# usage: docs [--check]   put the examples' text into the documents; --check: fail where it is old
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
exec /usr/bin/python3 "$SBX_ROOT/tools/splice.py" "$@"
