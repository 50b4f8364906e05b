package main

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Codes of ours beside OPA's rego_* codes.
const (
	codeRequest             = "request"
	codeInternal            = "internal"
	codeEntrypointInvalid   = "entrypoint_invalid"
	codeEntrypointUndefined = "entrypoint_undefined"
	codeBuiltinUnknown      = "builtin_unknown"
)

// problem is one error as the answer carries it; row and column count from 1, 0 means none.
type problem struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	File    string   `json:"file,omitempty"`
	Row     int      `json:"row,omitempty"`
	Col     int      `json:"col,omitempty"`
	Details []string `json:"details,omitempty"`
}

func refused(problems ...problem) *answer {
	return &answer{Errors: problems}
}

// problemsOf lists all that err holds. fallbackCode and file are for errors that OPA leaves plain.
func problemsOf(err error, fallbackCode, file string) []problem {
	var many ast.Errors
	if errors.As(err, &many) {
		problems := make([]problem, 0, len(many))
		for _, one := range many {
			problems = append(problems, problemOf(one, file))
		}
		return problems
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return []problem{problemOf(one, file)}
	}
	return []problem{{Code: fallbackCode, Message: err.Error(), File: file}}
}

func problemOf(e *ast.Error, file string) problem {
	p := problem{Code: e.Code, Message: e.Message, File: file}
	if e.Location != nil {
		if e.Location.File != "" {
			p.File = e.Location.File
		}
		p.Row, p.Col = e.Location.Row, e.Location.Col
	}
	// The details of a parse error are the source line and a caret, which the caller draws itself.
	if e.Details != nil && e.Code != ast.ParseErr {
		p.Details = e.Details.Lines()
	}
	return p
}
