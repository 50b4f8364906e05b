#!/bin/sh
# Proves that builtins.wasm.br is what these sources give: rebuilds, and compares with checksums.json. With
# another version of Go than the recorded one the bytes differ, so then it says so and compares what the
# rebuilt module and the shipped one answer to the recorded calls. Needs `npm run build` first.
# Exit status: 0 the same, 1 not the same or not to be told.
set -eu
cd "$(dirname "$0")"

node verify.js packed
if ! command -v go >/dev/null; then
  echo "go-builtins: go is not installed, so the module cannot be rebuilt" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./build-wasm.sh "$work/raw.wasm"
node pack.js "$work/raw.wasm" "$work" "$(go env GOVERSION)" \
  "$(go list -m -f '{{.Version}}' github.com/open-policy-agent/opa)"
node verify.js rebuilt "$work"
