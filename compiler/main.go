// Command rego2wasm compiles Rego policies to WASM with OPA's own compiler.
//
// It is built for WASI and driven by src/policy/compiler: one JSON request a line on stdin, one JSON
// answer a line on stdout, in the same order, until stdin ends. It opens no file and no connection.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow fivefold between collections: the process lives for one or a few
// compilations, and a collection has to walk the planner's deep stack every time.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rego2wasm:", err)
		os.Exit(1)
	}
}

// serve answers every line of in. An error is one of reading or writing; whatever a request does
// wrong is in its answer.
func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	answers := bufio.NewWriterSize(out, 64<<10)
	encoder := json.NewEncoder(answers) // ends each value with a line feed
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answerLine(line)); err != nil {
				return err
			}
			if err := answers.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answerLine never panics: a fault in the compiler becomes an answer with the code `internal`, and
// its stack goes to stderr.
func answerLine(line []byte) (a *answer) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n%s\n", fault, debug.Stack())
			a = refused(problem{Code: codeInternal, Message: fmt.Sprintf("the compiler failed: %v", fault)})
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return refused(problem{Code: codeRequest, Message: "the request is not what this compiler takes: " + err.Error()})
	}
	compiled, problems := compile(&r)
	if len(problems) > 0 {
		return refused(problems...)
	}
	return compiled
}
