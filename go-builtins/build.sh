#!/bin/sh
# Builds go-builtins/builtins.wasm.br and go-builtins/checksums.json from the pinned sources.
#
# Needs Go (the version in checksums.json, for the same bytes), Node, and `npm run build` before it; writes
# nothing else. The same Go version gives the same bytes on every machine: verify.sh relies on that.
set -eu
cd "$(dirname "$0")"

./build-wasm.sh builtins.wasm
node pack.js builtins.wasm . "$(go env GOVERSION)" "$(go list -m -f '{{.Version}}' github.com/open-policy-agent/opa)"
rm builtins.wasm
