// In place of most of OPA's package topdown: what its builtins' files (crypto.go, encoding.go, graphql.go, jsonschema.go,
// parse.go, template.go, which are kept as they are) need of the evaluator. See overlay.js.

package topdown

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// BuiltinContext has those fields of OPA's that the kept files read. The time comes from the clock of the host.
type BuiltinContext struct {
	Context                     context.Context
	InterQueryBuiltinValueCache cache.InterQueryValueCache
	Capabilities                *ast.Capabilities
}

// BuiltinFunc is OPA's: calls iter with each defined result.
type BuiltinFunc func(bctx BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error

var builtinFunctions = map[string]BuiltinFunc{}

// RegisterBuiltinFunc is called by the kept files.
func RegisterBuiltinFunc(name string, f BuiltinFunc) {
	builtinFunctions[name] = f
}

// GetBuiltin returns a builtin, or nil.
func GetBuiltin(name string) BuiltinFunc {
	return builtinFunctions[name]
}
