#!/usr/bin/env bash
# usage: bench SUITE [--quick] [--json FILE]   measure a suite (core, kernel, bindings, peers)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

suite="${1:-}"
case "$suite" in
  core | kernel | bindings | peers) shift ;;
  *) fail "name a suite: ./dev bench core|kernel|bindings|peers [--quick] [--json FILE]" ;;
esac

# iceoryx2 comes from crates.io and needs a compiler that Debian 12 does not have: where that or the
# network is missing, its rows say so. What it makes of C headers needs libclang.
build_iceoryx2() {
  local folder="$SBX_ROOT/build/release/bench/peers/iceoryx2"
  LIBCLANG_PATH="${LIBCLANG_PATH:-/usr/lib/llvm-19/lib}" cargo build --release --locked \
    --manifest-path "$SBX_ROOT/bench/peers/iceoryx2/Cargo.toml" --target-dir "$folder" && return
  rm -f "$folder/release/libpeer_iceoryx2.so"
  echo "bench: going on without iceoryx2, which needs cargo, rustc 1.89 or newer and crates.io"
}

bash "$SBX_ROOT/tools/dev/setup.sh"
program="$SBX_ROOT/build/release/bench/bench_$suite"
if [[ "$suite" == peers ]]; then
  bash "$SBX_ROOT/tools/dev/setup.sh" --peers >&2 ||
    echo "bench: going on with the peers that are installed" >&2
  build_iceoryx2 >&2
  # Configured each time, because that is when installed peers are found.
  (cd "$SBX_ROOT" && cmake --preset release -DSIGNALBOX_BENCH_PEERS=ON) >&2
  program="$SBX_ROOT/build/release/bench/peers/bench_peers"
fi
# The report of the suite is all that goes to stdout, so that it can be piped.
bash "$SBX_ROOT/tools/dev/build.sh" release "bench_$suite" >&2
followers=()
if [[ "$suite" == bindings ]]; then
  # The programs in Python and Go link the library of the everyday build. That of the release build
  # has the same name, and comes first where the loader looks for it.
  bash "$SBX_ROOT/tools/dev/build.sh" "$SBX_PRESET" signalbox >&2
  bash "$SBX_ROOT/tools/build_languages.sh" >&2
  export LD_LIBRARY_PATH="$SBX_ROOT/build/release/src"
  followers=(--python "$SBX_VENV/bin/python $SBX_ROOT/bench/python_exchange.py"
    --go "$SBX_BUILD/bench/go_exchange")
fi
exec "$program" "${followers[@]}" "$@"
