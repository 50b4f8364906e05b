// The path lies below OPA's own, because Go lets only such a module import OPA's internal packages.
// Nothing is published under it.
module github.com/open-policy-agent/opa/gobuiltins

go 1.26.0

require github.com/open-policy-agent/opa v1.22.2

require (
	github.com/agnivade/levenshtein v1.2.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/lestrrat-go/jwx/v3 v3.3.0 // indirect
	github.com/vektah/gqlparser/v2 v2.5.58 // indirect
	github.com/xeipuuv/gojsonpointer v0.0.0-20190905194746-02993c407bfb // indirect
	github.com/xeipuuv/gojsonreference v0.0.0-20180127040603-bd5ef7bd5415 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/lestrrat-go/jwx/v3 => ./jwx
