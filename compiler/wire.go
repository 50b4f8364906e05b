package main

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// request is one compilation. The TypeScript side of the same shape is src/policy/compiler/wire.ts.
type request struct {
	Files       []sourceFile   `json:"files"`
	Entrypoints []string       `json:"entrypoints"`
	Query       string         `json:"query"`        // one more plan, named "eval", as rego.Compile makes it
	RegoVersion string         `json:"rego_version"` // "v0" or "v1"
	Strict      bool           `json:"strict"`
	Print       bool           `json:"print"`        // keep print calls instead of erasing them
	PruneUnused bool           `json:"prune_unused"` // as `opa build --prune-unused`
	Builtins    []string       `json:"builtins"`     // those the host offers, besides the native ones
	Roots       []string       `json:"roots"`
	Schemas     map[string]any `json:"schemas"` // "a/b" (schema.a.b) or "" (every input) → JSON schema
	Values      bool           `json:"values"`  // make the query's results hold the value of each expression
	Tests       bool           `json:"tests"`   // find the tests, and make each an entrypoint

	Coverage        bool     `json:"coverage"`         // report each expression and rule that runs
	GuardedBuiltins []string `json:"guarded_builtins"` // native ones whose missing value the host is to judge
	HostBuiltins    []string `json:"host_builtins"`    // native ones that the host answers instead

	// HostUnlessConstant are more of them by the operand (from 0) that decides: where it is a text of the source, and
	// not the empty one, the native builtin stays.
	HostUnlessConstant map[string]int `json:"host_unless_constant"`

	ExperimentalKeywords bool `json:"experimental_keywords"` // as ast.CapabilitiesExperimentalKeywords

	// Capabilities asks for nothing but the capabilities of a host with these builtins.
	Capabilities bool `json:"capabilities"`
}

type sourceFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// answer holds either errors or everything else.
type answer struct {
	Wasm        []byte          `json:"wasm,omitempty"` // base64
	Plan        string          `json:"plan,omitempty"` // JSON text, so that its bytes can be hashed
	Manifest    *manifest       `json:"manifest,omitempty"`
	Annotations json.RawMessage `json:"annotations,omitempty"`
	Errors      []problem       `json:"errors,omitempty"`

	Expressions  []expression      `json:"expressions,omitempty"`
	Tests        []testRule        `json:"tests,omitempty"`
	Coverage     []*coveredFile    `json:"coverage,omitempty"`
	Capabilities *ast.Capabilities `json:"capabilities,omitempty"`
}

// manifest has the fields of OPA's bundle manifest, in OPA's order, that a compilation decides.
type manifest struct {
	Revision    string         `json:"revision"`
	Roots       []string       `json:"roots"`
	Wasm        []wasmResolver `json:"wasm"`
	RegoVersion int            `json:"rego_version"`
}

type wasmResolver struct {
	Entrypoint  string             `json:"entrypoint"`
	Module      string             `json:"module"`
	Annotations []*ast.Annotations `json:"annotations,omitempty"`
}
