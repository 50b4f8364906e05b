#!/bin/sh
# Proves that rego.wasm.br is what these sources give: rebuilds, and compares with checksums.json. With
# another version of Go than the recorded one the bytes differ, so then it says so and compares what the
# rebuilt compiler and the shipped one make of this repository's policies (needs `npm run build` first).
# Exit status: 0 the same, 1 not the same or not to be told.
set -eu
cd "$(dirname "$0")"

node verify.js packed
if ! command -v go >/dev/null; then
  echo "compiler: go is not installed, so the compiler cannot be rebuilt" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./build-wasm.sh "$work/rego.wasm"
node verify.js rebuilt "$work/rego.wasm" "$(go env GOVERSION)"
