#!/usr/bin/env bash
# make.sh ROOT NAME: writes examples/cpp/NAME.cpp and lets ctest run it.
set -euo pipefail
root="$1"
name="$2"
program="$root/examples/cpp/$name.cpp"
list="$root/examples/CMakeLists.txt"

if [[ -e "$program" ]]; then
  echo "examples/cpp/$name.cpp exists already" >&2
  exit 1
fi
sed "s/NAME/$name/" "$root/tools/templates/example/example.cpp" >"$program"
echo "signalbox_example(cpp/$name.cpp UNTIL_END EXPECT \"hello 1\")" >>"$list"

cat <<END
Written: examples/cpp/$name.cpp, and one line at the end of examples/CMakeLists.txt that says what
the example must print. Now make it show your idea, then:
  ./dev test build-dev ctest-dev       builds it, runs it, compares what it prints
END
