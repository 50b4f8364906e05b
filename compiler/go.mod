// The path lies below OPA's own, because Go lets only such a module import OPA's internal packages
// (the planner and the WASM backend). Nothing is published under it.
module github.com/open-policy-agent/opa/rego2wasm

go 1.26.0

require github.com/open-policy-agent/opa v1.22.2

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20190905194746-02993c407bfb // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
