#!/bin/sh
# Builds the raw module to the path given. Every setting that could change a byte is fixed here and not
# taken from the environment; GOTOOLCHAIN=local keeps Go from fetching another toolchain. The build runs on a
# copy of OPA's sources, which go.sum pins, with the files of overlay/ in it.
set -eu
out=$(realpath -m "$1")
cd "$(dirname "$0")"
go mod download
opa=$(go list -m -f '{{.Dir}}' github.com/open-policy-agent/opa)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/module" "$work/opa"
cp -r ./*.go go.mod go.sum jwx "$work/module/"
cp -r "$opa/go.mod" "$opa/capabilities" "$opa/internal" "$opa/v1" "$work/opa/"
chmod -R u+w "$work"
node overlay.js "$work/opa"
cd "$work/module"
go mod edit -replace github.com/open-policy-agent/opa=../opa
export GOENV=off GOPROXY=off
export GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOWASM= GOEXPERIMENT= GOFLAGS= GOWORK=off GOTOOLCHAIN=local
go build -mod=readonly -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o "$out" .
