#!/usr/bin/env bash
# usage: check [--full]   every rule that needs no running program; --full: clang-tidy on all files
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
cd "$SBX_ROOT"

full=no
case "${1:-}" in
  "") ;;
  --full) full=yes ;;
  *) fail "check takes no argument but --full, not \"$1\"" ;;
esac
bash tools/dev/setup.sh

failures=()

# Runs one check to its end even if an earlier one failed: a person wants to see all findings.
check() {
  local name="$1"
  shift
  echo "== $name"
  "$@" || failures+=("$name")
}

# Names the files that the formatter would change, and succeeds if there is none.
none_unformatted() {
  local files
  files="$(sort -u)"
  [[ -z "$files" ]] && return
  echo "not formatted (./dev fmt does it):"
  echo "$files"
  return 1
}

format_cpp() {
  sources '*.cpp' '*.hpp' '*.c' '*.h' |
    { xargs -0 -r clang-format-19 --dry-run 2>&1 || true; } |
    sed -n 's/^\([^ :]*\):[0-9].*\(warning\|error\): .*/\1/p' | none_unformatted
}

format_go() { sources '*.go' | xargs -0 -r gofmt -l | none_unformatted; }

# clang-tidy takes seconds a file, so without --full it sees what the last commit or the work tree
# changed. It needs to know how each file is compiled, hence the build folder.
changed_sources() {
  if [[ "$full" == yes ]]; then
    sources '*.cpp'
  else
    {
      git diff -z --name-only --diff-filter=d HEAD -- '*.cpp'
      git diff -z --name-only --diff-filter=d HEAD~1 HEAD -- '*.cpp' 2>/dev/null || true
    } | sort -zu
  fi
}

lint_cpp() {
  local file compiled=() commands=build/dev/compile_commands.json
  [[ -f "$commands" ]] || cmake --preset dev >/dev/null
  # A build without any target writes none.
  [[ -f "$commands" ]] || return 0
  while IFS= read -r -d '' file; do
    if grep -qF "\"file\": \"$SBX_ROOT/$file\"" "$commands"; then
      compiled+=("$file")
    fi
  done < <(changed_sources)
  ((${#compiled[@]})) || return 0
  printf '%s\0' "${compiled[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p build/dev --quiet 2>/dev/null
}

# Shell files are those that end in .sh or begin by saying so.
lint_shell() {
  {
    sources '*.sh'
    sources | xargs -0 -r grep -lZIm1 '^#!.*\bbash$' || true
  } | sort -zu |
    xargs -0 -r shellcheck --external-sources --source-path=SCRIPTDIR --severity=warning
}

lint_go() {
  local module
  for module in bindings/go apps/petcam/server bench/go_exchange tests/scenarios/actors/go; do
    [[ -f "$module/go.mod" ]] || continue
    (cd "$module" && go vet ./...) || return 1
  done
}

tidy() { PYTHONPATH=tools python -m tidy; }

check "clang-format" format_cpp
check "gofmt" format_go
check "ruff format" ruff format --check --quiet
check "ruff" ruff check --quiet
check "shellcheck" lint_shell
check "tidy" tidy
check "docs" bash tools/dev/docs.sh --check
check "go vet" lint_go
check "clang-tidy" lint_cpp

if ((${#failures[@]})); then
  echo "check: failed: ${failures[*]}" >&2
  exit 1
fi
echo "check: clean"
