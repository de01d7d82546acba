#!/usr/bin/env bash
# usage: new example NAME   start a new example from a template (later: transport, command)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

kind="${1:-}"
name="${2:-}"
template="$SBX_ROOT/tools/templates/$kind"
if [[ -z "$kind" || ! -d "$template" ]]; then
  fail "there is no template for \"$kind\"; there is: $(ls "$SBX_ROOT/tools/templates")"
fi
if [[ ! "$name" =~ ^[a-z][a-z0-9_]*$ ]]; then
  fail "the name of a new $kind is lower-case words joined by _, not \"$name\""
fi
bash "$template/make.sh" "$SBX_ROOT" "$name"
