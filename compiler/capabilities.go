package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/internal/compiler/wasm"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// compiledOut are builtins that need nothing at run time: the compiler rewrites or erases each call.
var compiledOut = []string{
	ast.RegoMetadataChain.Name,
	ast.RegoMetadataRule.Name,
}

// conformanceBuiltins are those that OPA's conformance cases call beside OPA's own; they exist where the host
// offers them by name.
var conformanceBuiltins = []*ast.Builtin{
	{Name: "test.sleep", Decl: types.NewFunction(types.Args(types.S), types.NewNull())},
	{Name: "custom_builtin_test", Decl: types.NewFunction(types.Args(types.N), types.N)},
	{Name: "custom_builtin_test_impure", Decl: types.NewFunction(nil, types.N)},
	{Name: "custom_builtin_test_memoization", Decl: types.NewFunction(nil, types.N)},
}

// abi is what the host needs of a module at least, and what this compiler writes.
var abi = ast.WasmABIVersion{Version: 1, Minor: 2}

// capabilitiesFor is this OPA version with only the builtins that the module brings along and those
// that the host offers, so that a call of any other is an "undefined function" with its place in the
// source instead of a surprise at run time.
func capabilitiesFor(version ast.RegoVersion, r *request) (*ast.Capabilities, []problem) {
	var problems []problem
	known := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(version), ast.CapabilitiesExperimentalKeywords(r.ExperimentalKeywords))
	known.Builtins = append(known.Builtins, conformanceBuiltins...)
	for _, name := range r.Builtins {
		if !known.ContainsBuiltin(name) {
			problems = append(problems, problem{Code: codeBuiltinUnknown, Message: fmt.Sprintf("builtin `%s` is not one of this OPA version", name)})
		}
	}
	known.Builtins = slices.DeleteFunc(known.Builtins, func(b *ast.Builtin) bool {
		erasedPrint := b.Name == ast.Print.Name // with or without r.Print: calls become internal.print or nothing
		return !wasm.IsWasmEnabled(b.Name) && !erasedPrint && !slices.Contains(compiledOut, b.Name) && !slices.Contains(r.Builtins, b.Name)
	})
	known.WasmABIVersions = []ast.WasmABIVersion{abi}
	known.AllowNet = []string{} // a schema may not refer to a URL
	return known, problems
}
