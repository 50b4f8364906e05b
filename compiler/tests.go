package main

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/types"
)

// The prefixes of `opa test`: a rule with the second is listed and not run.
const (
	testPrefix = "test_"
	todoPrefix = "todo_test_"
)

// testStep is called before each expression of a test's body with its row and column, so that the host
// knows how far a test that failed had come. It exists in modules that were compiled for tests only.
var testStep = &ast.Builtin{
	Name: "internal.test_step",
	Decl: types.NewFunction([]types.Type{types.N, types.N}, nil),
}

// testRule is one test, in the words of `opa test --format json` where those exist.
type testRule struct {
	Entrypoint string `json:"entrypoint,omitempty"` // none when it is not to run
	Path       string `json:"path"`                 // what --run matches: data.p.test_x
	Package    string `json:"package"`
	Name       string `json:"name"`
	File       string `json:"file"`
	Row        int    `json:"row"`
	Col        int    `json:"col"`
	Todo       bool   `json:"todo,omitempty"`
	Cases      bool   `json:"cases,omitempty"`    // the rule makes an object: case name → result
	Function   bool   `json:"function,omitempty"` // has arguments, so nothing can run it
}

// testRef is the part of a rule's name that names a test: it ends at the first segment with a prefix.
func testRef(head *ast.Head) (ref ast.Ref, todo, found bool) {
	ground := head.Ref().GroundPrefix()
	for i, term := range ground {
		name := segment(term)
		if todo = strings.HasPrefix(name, todoPrefix); todo || strings.HasPrefix(name, testPrefix) {
			return ground[:i+1], todo, true
		}
	}
	return nil, false, false
}

func segment(term *ast.Term) string {
	switch v := term.Value.(type) {
	case ast.Var:
		return string(v)
	case ast.String:
		return string(v)
	}
	return ""
}

// addTestStages makes the compiler do to tests what `opa test` does: number those of one name, and report
// the case that a data-driven one is at. And what it does not: report the expression.
func addTestStages(compiler *ast.Compiler) {
	add := func(after ast.StageID, name string, stage func(*ast.Rule)) {
		compiler.WithStageAfterID(after, ast.CompilerStageDefinition{Name: name, MetricName: name, Stage: func(c *ast.Compiler) *ast.Error {
			for _, module := range sorted(c.Modules) {
				for _, rule := range module.Rules {
					stage(rule)
				}
			}
			return nil
		}})
	}
	add(ast.StageRewriteRuleHeadRefs, "number_tests", numberTests())
	add(ast.StageRewriteLocalVars, "report_cases", reportCases)
	add(ast.StageBuildComprehensionIndices, "report_steps", reportSteps)
}

// tests lists them in the order of files and rows, and the entrypoints of those that run.
func tests(compiler *ast.Compiler) (list []testRule, set entrypointSet, err error) {
	for _, module := range sorted(compiler.Modules) {
		for _, rule := range module.Rules {
			ref, todo, found := testRef(rule.Head)
			if !found {
				continue
			}
			full := module.Package.Path.Extend(ref)
			test := testRule{
				Path: full.String(), Package: module.Package.Path.String(), Name: ref.String(), Todo: todo,
				Cases: rule.Head.DocKind() == ast.PartialObjectDoc, Function: len(rule.Head.Args) > 0,
			}
			if at := rule.Loc(); at != nil {
				test.File, test.Row, test.Col = at.File, at.Row, at.Col
			}
			if !todo && !test.Function {
				path, err := storage.NewPathForRef(full)
				if err != nil {
					return nil, nil, err
				}
				test.Entrypoint = path.String()[1:]
				set.add(test.Entrypoint, ast.NewTerm(full))
			}
			list = append(list, test)
		}
	}
	return list, set, nil
}
