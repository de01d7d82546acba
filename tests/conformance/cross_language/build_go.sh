#!/usr/bin/env bash
# usage: build_go.sh PROGRAM LIBRARY_FOLDER   build the Go program against that libsignalbox.so
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/../../../tools/environment.sh"
export CGO_LDFLAGS="-L$2 -Wl,-rpath,$2"
cd "$here/go"
go build -o "$1" .
