#!/usr/bin/env bash
# usage: fmt [PATH...]   format C, C++, Go and Python in place; default: everything
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
bash "$SBX_ROOT/tools/dev/setup.sh"

[[ $# -gt 0 ]] || { cd "$SBX_ROOT" && set -- .; }
of_type() {
  local suffix="$1"
  sources "${@:2}" | { grep -z "\.\($suffix\)$" || true; }
}

of_type 'cpp\|hpp\|c\|h' "$@" | xargs -0 -r clang-format-19 -i
of_type go "$@" | xargs -0 -r gofmt -w
of_type py "$@" | xargs -0 -r ruff format --quiet
of_type py "$@" | xargs -0 -r ruff check --quiet --fix --select I
