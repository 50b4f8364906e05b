#!/bin/sh
# Builds compiler/rego.wasm.br and compiler/checksums.json from the pinned sources.
#
# Needs Go (the version in checksums.json, for the same bytes) and Node; writes nothing else. The same Go
# version gives the same bytes on every machine: verify.sh relies on that.
set -eu
cd "$(dirname "$0")"

./build-wasm.sh rego.wasm
node pack.js rego.wasm "$(go env GOVERSION)" "$(go list -m -f '{{.Version}}' github.com/open-policy-agent/opa)"
rm rego.wasm
