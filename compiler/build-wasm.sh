#!/bin/sh
# Builds the raw module to the path given. Every setting that could change a byte is fixed here and not
# taken from the environment; GOTOOLCHAIN=local keeps Go from fetching another toolchain.
set -eu
out=$(realpath -m "$1")
cd "$(dirname "$0")"
go mod download
export GOENV=off GOPROXY=off
export GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOWASM= GOEXPERIMENT= GOFLAGS= GOWORK=off GOTOOLCHAIN=local
exec go build -mod=readonly -trimpath -buildvcs=false -ldflags="-s -w -buildid=" -o "$out" .
