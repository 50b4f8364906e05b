// Command gobuiltins offers builtins of OPA, with OPA's own code, to a host that is not Go.
//
// It is built for WASI as a reactor and driven by src/policy/go-builtins: the host asks for room, writes one array of
// values into it (the builtin's name, then its operands), calls, and reads the answer. It opens no file and no
// connection; what time it is it asks the host.
package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// What an answer is. The host has the same table.
const (
	statusUndefined uint32 = iota // no text
	statusValue                   // the result as value text
	statusError                   // OPA's sentence
	statusFault                   // the request is not one of the host's
)

const (
	// maxStack is far above what the stack of the host lets recursion reach.
	maxStack = 64 << 20
	// heapBytes is what the heap has from the start, so that ordinary calls do not make the memory grow: a memory of
	// the first size can be put back to its first state.
	heapBytes      = 24 << 20
	heapPieceBytes = 4 << 10
)

var (
	request []byte
	answer  []byte
	header  [3]uint32 // status, address, length
	schemas = &valueCache{}
)

// Collections happen when the host asks for one, because their work must not count as that of a call.
func init() {
	debug.SetGCPercent(-1)
	debug.SetMaxStack(maxStack)
	// Small pieces, because each costs the allocator a record, and those make the memory grow too.
	var heap [heapBytes / heapPieceBytes][]byte
	for i := range heap {
		heap[i] = make([]byte, heapPieceBytes)
	}
	runtime.KeepAlive(&heap)
	runtime.GC()
}

func main() {}

// room returns the address of room for a request of that many bytes.
//
//go:wasmexport room
func room(length uint32) uint32 {
	request = make([]byte, length)
	return address(request)
}

// call runs the request that is in the room; the address of status, address and length of the answer.
//
//go:wasmexport call
func call() uint32 {
	status, text := run(request)
	request, answer = nil, text // kept until the next call
	header = [3]uint32{status, address(answer), uint32(len(answer))}
	return uint32(uintptr(unsafe.Pointer(&header)))
}

// collect frees what earlier calls have left. The answer of the last call is gone afterwards.
//
//go:wasmexport collect
func collect() {
	answer = nil
	runtime.GC()
}

func address(bytes []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes))))
}

// run answers a panic of OPA's code as OPA's server does: as an error of this call alone.
func run(text []byte) (status uint32, result []byte) {
	defer func() {
		if fault := recover(); fault != nil {
			schemas.entries = nil // what it was working on may be among them
			status, result = statusError, fmt.Appendf(nil, "the builtin failed: %v", fault)
		}
	}()
	terms, err := parseArray(text)
	if err != nil {
		return statusFault, []byte(err.Error())
	}
	name, operands, ok := split(terms)
	if !ok {
		return statusFault, []byte("no such builtin")
	}
	return runBuiltin(name, operands)
}

func split(terms []*ast.Term) (string, []*ast.Term, bool) {
	if len(terms) == 0 {
		return "", nil, false
	}
	name, ok := terms[0].Value.(ast.String)
	declared := ast.BuiltinMap[string(name)]
	return string(name), terms[1:], ok && declared != nil && declared.Decl.Arity() == len(terms)-1
}

func runBuiltin(name string, operands []*ast.Term) (uint32, []byte) {
	builtin := topdown.GetBuiltin(name)
	if builtin == nil {
		return statusFault, []byte("no such builtin")
	}
	status, result := statusUndefined, []byte(nil)
	bctx := topdown.BuiltinContext{Context: context.Background(), InterQueryBuiltinValueCache: schemas}
	err := builtin(bctx, operands, func(term *ast.Term) error {
		status, result = statusValue, appendValue(nil, term.Value)
		return nil
	})
	if err != nil {
		return statusError, []byte(err.Error())
	}
	return status, result
}
