package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// coverBuiltin is called with the index of a file and of a range of it as soon as the range runs. It exists in
// modules that were compiled for coverage only.
var coverBuiltin = &ast.Builtin{
	Name: "internal.cover",
	Decl: types.NewFunction([]types.Type{types.N, types.N}, nil),
}

// coveredFile is one source with its ranges, in the order of the text.
type coveredFile struct {
	File   string         `json:"file"`
	Tests  bool           `json:"tests,omitempty"` // has rules that are tests
	Ranges []coveredRange `json:"ranges"`
}

// coveredRange is where a rule's head or an expression stands. A range that is not coverable is one that only
// the compiler makes of others; OPA counts it where it ran, and never as missing.
type coveredRange struct {
	Row       int  `json:"row"`
	Col       int  `json:"col"`
	EndRow    int  `json:"end_row"`
	EndCol    int  `json:"end_col"`
	Coverable bool `json:"coverable,omitempty"`
}

// coverage collects the ranges of all files and puts the calls into the rules. SPEC: v1/cover of OPA: an
// expression is covered when its evaluation begins, a rule's head when the rule has a value.
type coverage struct {
	files   []*coveredFile
	indices map[string]int
	ranges  []map[coveredRange]int
}

// newCoverage takes the modules as they were parsed: those are what has to be covered.
func newCoverage(modules map[string]*ast.Module) *coverage {
	c := &coverage{indices: map[string]int{}}
	for _, module := range sorted(modules) {
		if module.Package == nil || !module.Package.Location.HasFile() {
			continue
		}
		file := &coveredFile{File: module.Package.Location.File}
		c.indices[file.File] = len(c.files)
		c.files = append(c.files, file)
		var found []coveredRange
		collect := func(at *ast.Location) {
			if at.HasFile() {
				found = append(found, rangeOf(at))
			}
		}
		ast.WalkRules(module, func(rule *ast.Rule) bool {
			_, _, test := testRef(rule.Head)
			file.Tests = file.Tests || test
			collect(rule.Head.Location)
			return false
		})
		ast.WalkExprs(module, func(expr *ast.Expr) bool {
			if _, declaration := expr.Terms.(*ast.SomeDecl); !declaration {
				collect(expr.Location)
			}
			return false
		})
		slices.SortFunc(found, compareRanges)
		known := map[coveredRange]int{}
		for _, r := range slices.Compact(found) {
			known[r] = len(file.Ranges)
			r.Coverable = true
			file.Ranges = append(file.Ranges, r)
		}
		c.ranges = append(c.ranges, known)
	}
	return c
}

func rangeOf(at *ast.Location) coveredRange {
	endRow, endCol := at.End()
	return coveredRange{Row: at.Row, Col: at.Col, EndRow: endRow, EndCol: endCol}
}

func compareRanges(a, b coveredRange) int {
	return slices.Compare([]int{a.Row, a.Col, a.EndRow, a.EndCol}, []int{b.Row, b.Col, b.EndRow, b.EndCol})
}

// addStage puts the calls in last: earlier stages would move calls that depend on nothing to the front.
func (c *coverage) addStage(compiler *ast.Compiler) {
	compiler.WithStageAfterID(ast.StageBuildComprehensionIndices, ast.CompilerStageDefinition{
		Name: "report_coverage", MetricName: "report_coverage",
		Stage: func(compiler *ast.Compiler) *ast.Error {
			for _, module := range sorted(compiler.Modules) {
				for _, rule := range module.Rules {
					c.report(rule)
				}
			}
			return nil
		},
	})
}

// report puts calls into every body of the rule, innermost ones included, and into its else branches.
func (c *coverage) report(rule *ast.Rule) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Rule:
			x.Body = c.body(x.Body, x.Head.Location)
		case *ast.ArrayComprehension:
			x.Body = c.body(x.Body, nil)
		case *ast.SetComprehension:
			x.Body = c.body(x.Body, nil)
		case *ast.ObjectComprehension:
			x.Body = c.body(x.Body, nil)
		case *ast.Every:
			x.Body = c.body(x.Body, nil)
		case *ast.Not:
			x.Body = c.body(x.Body, nil)
		case *ast.LogicalAnd:
			x.Lhs, x.Rhs = c.body(x.Lhs, nil), c.body(x.Rhs, nil)
		case *ast.LogicalOr:
			x.Lhs, x.Rhs = c.body(x.Lhs, nil), c.body(x.Rhs, nil)
		}
		return false
	}).Walk(rule)
}

// body has a call before each expression, and one for the place after at its end. Calls have no place of their
// own, so that nothing reports them.
func (c *coverage) body(body ast.Body, after *ast.Location) ast.Body {
	covered := make(ast.Body, 0, 2*len(body)+1)
	var last *ast.Expr
	add := func(at *ast.Location) {
		call := c.call(at)
		if call != nil && (last == nil || !call.Equal(last)) {
			covered = append(covered, call)
			last = call
		}
	}
	for _, expr := range body {
		add(expr.Location)
		covered = append(covered, expr)
	}
	add(after)
	return covered
}

func (c *coverage) call(at *ast.Location) *ast.Expr {
	if !at.HasFile() {
		return nil
	}
	file, known := c.indices[at.File]
	if !known {
		return nil
	}
	place := rangeOf(at)
	index, known := c.ranges[file][place]
	if !known {
		index = len(c.files[file].Ranges)
		c.ranges[file][place] = index
		c.files[file].Ranges = append(c.files[file].Ranges, place)
	}
	return ast.NewExpr([]*ast.Term{ast.NewTerm(coverBuiltin.Ref()), ast.IntNumberTerm(file), ast.IntNumberTerm(index)})
}
