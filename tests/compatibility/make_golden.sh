#!/usr/bin/env bash
# usage: make_golden.sh      writes golden/layout-2.txt anew, from what the library makes today
#
# Only while layout 2 has had no release: afterwards a change of these bytes is another layout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p tests/compatibility/golden
bash tools/dev/build.sh dev compatibility_golden_segment_test
SBX_WRITE_GOLDEN=1 build/dev/tests/compatibility/compatibility_golden_segment_test \
  --gtest_filter='GoldenSegment.*'
git diff --stat -- tests/compatibility/golden
