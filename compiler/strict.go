package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/open-policy-agent/opa/internal/compiler/wasm"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/types"
)

// hostPrefix is put before the name of a native builtin that the host answers instead of the module.
const hostPrefix = "host."

// builtinFailed is called when a guarded builtin has no value, with the builtin's name and its arguments. The
// host knows what OPA makes of them: an error, which it throws, or undefined, for which it returns.
var builtinFailed = &ir.BuiltinFunc{
	Name: "internal.builtin_failed",
	Decl: types.NewFunction([]types.Type{types.S, types.NewArray(nil, types.A)}, nil),
}

// nativeProblems names what is no native builtin of the module, and so can be neither guarded nor replaced.
func nativeProblems(r *request) (problems []problem) {
	for _, name := range slices.Concat(r.HostBuiltins, r.GuardedBuiltins, slices.Sorted(maps.Keys(r.HostUnlessConstant))) {
		if name == ast.Equality.Name || name == ast.Assign.Name || !wasm.IsWasmEnabled(name) {
			problems = append(problems, problem{Code: codeBuiltinUnknown, Message: fmt.Sprintf("builtin `%s` is not one that OPA's module brings along", name)})
		}
	}
	return problems
}

// rewriteNatives changes what the plan does with native builtins. Those that the host answers become calls of the
// host. Those that are guarded stay, and what was
//
//	call name(args) → result
//
// becomes
//
//	block { call name(args) → result }
//	block { is_undefined result; call internal.builtin_failed(name, [args]) }
//	is_defined result
//
// A call without a value leaves the block that it is in, so the call needs one of its own.
func rewriteNatives(policy *ir.Policy, r *request) error {
	if len(r.HostBuiltins) == 0 && len(r.GuardedBuiltins) == 0 && len(r.HostUnlessConstant) == 0 {
		return nil
	}
	w := natives{
		policy: policy, hosted: toSet(r.HostBuiltins), unlessConstant: r.HostUnlessConstant,
		guarded: toSet(r.GuardedBuiltins), strings: map[string]ir.StringIndex{}, used: map[string]struct{}{},
	}
	calls := countCalls(policy, w.guarded)
	for _, f := range policy.Funcs.Funcs {
		w.array = maxLocal(reflect.ValueOf(f)) + 1
		w.blocks(f.Blocks)
	}
	for _, p := range policy.Plans.Plans {
		w.array = maxLocal(reflect.ValueOf(p)) + 1
		w.blocks(p.Blocks)
	}
	if w.guards+w.renamed != calls {
		return fmt.Errorf("%d of %d calls are guarded: the plan has statements that this compiler does not know", w.guards+w.renamed, calls)
	}
	for _, b := range policy.Static.BuiltinFuncs {
		if _, ok := w.used[b.Name]; ok {
			policy.Static.BuiltinFuncs = append(policy.Static.BuiltinFuncs, &ir.BuiltinFunc{Name: hostPrefix + b.Name, Decl: b.Decl})
		}
	}
	if w.guards > 0 {
		policy.Static.BuiltinFuncs = append(policy.Static.BuiltinFuncs, builtinFailed)
	}
	return nil
}

// natives is one rewriting; array is a local that the function at hand does not use.
type natives struct {
	policy          *ir.Policy
	hosted, guarded map[string]struct{}
	unlessConstant  map[string]int
	strings         map[string]ir.StringIndex
	array           ir.Local
	guards, renamed int                 // calls that are guarded, and guarded ones that became the host's
	used            map[string]struct{} // those that became the host's
}

func (w *natives) blocks(blocks []*ir.Block) {
	for _, block := range blocks {
		w.block(block)
	}
}

func (w *natives) block(block *ir.Block) {
	stmts := make([]ir.Stmt, 0, len(block.Stmts))
	for _, stmt := range block.Stmts {
		switch s := stmt.(type) {
		case *ir.BlockStmt:
			w.blocks(s.Blocks)
		case *ir.ScanStmt:
			w.block(s.Block)
		case *ir.NotStmt:
			w.block(s.Block)
		case *ir.WithStmt:
			w.block(s.Block)
		case *ir.CallStmt:
			_, guarded := w.guarded[s.Func]
			if w.isHosted(s) {
				w.used[s.Func] = struct{}{}
				s.Func = hostPrefix + s.Func
				if guarded {
					w.renamed++
				}
			} else if guarded {
				stmts = append(stmts, w.guard(s)...)
				continue
			}
		}
		stmts = append(stmts, stmt)
	}
	block.Stmts = stmts
}

func (w *natives) isHosted(call *ir.CallStmt) bool {
	if _, ok := w.hosted[call.Func]; ok {
		return true
	}
	operand, ok := w.unlessConstant[call.Func]
	if !ok || operand >= len(call.Args) {
		return ok
	}
	text, constant := call.Args[operand].Value.(ir.StringIndex)
	return !constant || w.policy.Static.Strings[text].Value == ""
}

func (w *natives) guard(call *ir.CallStmt) []ir.Stmt {
	w.guards++
	at := call.Location
	failed := &ir.Block{Stmts: []ir.Stmt{
		&ir.IsUndefinedStmt{Source: call.Result, Location: at},
		&ir.MakeArrayStmt{Capacity: int32(len(call.Args)), Target: w.array, Location: at},
	}}
	for _, arg := range call.Args {
		failed.Stmts = append(failed.Stmts, &ir.ArrayAppendStmt{Value: arg, Array: w.array, Location: at})
	}
	failed.Stmts = append(failed.Stmts, &ir.CallStmt{
		Func:     builtinFailed.Name,
		Args:     []ir.Operand{{Value: w.constant(call.Func)}, {Value: w.array}},
		Result:   call.Result, // never set: the function has no result
		Location: at,
	})
	return []ir.Stmt{
		&ir.BlockStmt{Blocks: []*ir.Block{{Stmts: []ir.Stmt{call}}}, Location: at},
		&ir.BlockStmt{Blocks: []*ir.Block{failed}, Location: at},
		&ir.IsDefinedStmt{Source: call.Result, Location: at},
	}
}

// constant is the index of a text among the plan's, where it is put at first use.
func (w *natives) constant(text string) ir.StringIndex {
	index, ok := w.strings[text]
	if !ok {
		index = ir.StringIndex(len(w.policy.Static.Strings))
		w.policy.Static.Strings = append(w.policy.Static.Strings, &ir.StringConst{Value: text})
		w.strings[text] = index
	}
	return index
}

func toSet(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[name] = struct{}{}
	}
	return set
}

// countCalls leaves the walk to OPA, which knows every kind of statement.
func countCalls(policy *ir.Policy, names map[string]struct{}) int {
	counter := &callCounter{names: names}
	_ = ir.Walk(counter, policy) // fails when the visitor does, and this one never does
	return counter.count
}

type callCounter struct {
	names map[string]struct{}
	count int
}

func (*callCounter) Before(any) {}
func (*callCounter) After(any)  {}

func (c *callCounter) Visit(x any) (ir.Visitor, error) {
	if call, ok := x.(*ir.CallStmt); ok {
		if _, named := c.names[call.Func]; named {
			c.count++
		}
	}
	return c, nil
}

// maxLocal is the highest local anywhere in x, a function or plan.
func maxLocal(x reflect.Value) (highest ir.Local) {
	switch x.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !x.IsNil() {
			highest = maxLocal(x.Elem())
		}
	case reflect.Struct:
		for i := range x.NumField() {
			highest = max(highest, maxLocal(x.Field(i)))
		}
	case reflect.Slice:
		for i := range x.Len() {
			highest = max(highest, maxLocal(x.Index(i)))
		}
	case reflect.Int:
		if x.Type() == reflect.TypeFor[ir.Local]() {
			highest = ir.Local(x.Int())
		}
	}
	return highest
}
