package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// expression is one of a query's, in the words of `opa eval`. Where variable is set, each result holds the
// expression's value under that name; elsewhere the value is true.
type expression struct {
	Text     string `json:"text"`
	Row      int    `json:"row"`
	Col      int    `json:"col"`
	Variable string `json:"variable,omitempty"`
}

// keptValues are the variables that hold the values of expressions. Compilation changes expressions in
// place, so they are known again by their address.
type keptValues map[*ast.Expr]string

// addStage makes a query's expressions leave their value in a variable, as OPA's Go API does: `data.x`
// becomes `data.x = ^term1` and `f(1)` becomes `f(1, ^term1)`.
func (k keptValues) addStage(qc ast.QueryCompiler, compiler *ast.Compiler) {
	qc.WithStageAfterID(ast.StageResolveRefs, ast.QueryCompilerStageDefinition{
		Name:       "keep_values",
		MetricName: "keep_values",
		Stage: func(_ ast.QueryCompiler, query ast.Body) (ast.Body, error) {
			// A lone expression answers with false; beside others, or iterating, it must hold.
			mustHold := len(query) > 1 || iterates(query)
			for _, expr := range query {
				if expr.Negated || expr.IsAssignment() || expr.IsEquality() {
					continue
				}
				kept := ast.VarTerm(fmt.Sprintf("^term%d", len(k)+1))
				if !keepValue(expr, kept, compiler) {
					continue
				}
				k[expr] = string(kept.Value.(ast.Var))
				if mustHold {
					check := ast.NewExpr(kept).SetLocation(expr.Loc())
					check.Generated = true
					query.Append(check)
				}
			}
			return query, nil
		},
	})
}

func keepValue(expr *ast.Expr, kept *ast.Term, compiler *ast.Compiler) bool {
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		expr.Terms = ast.Equality.Expr(terms, kept).Terms
		return true
	case []*ast.Term:
		function := compiler.TypeEnv.GetByValue(terms[0].Value)
		if types.Void(function) || types.Arity(function) != len(terms)-1 {
			return false
		}
		expr.Terms = append(terms, kept)
		return true
	}
	return false
}

// expressions lists those that the query was written with.
func (k keptValues) expressions(query ast.Body) (list []expression) {
	for _, expr := range query {
		if expr.Generated {
			continue
		}
		e := expression{Variable: k[expr]}
		if at := expr.Loc(); at != nil {
			e.Text, e.Row, e.Col = string(at.Text), at.Row, at.Col
		}
		list = append(list, e)
	}
	return list
}

// iterates tells whether a reference of the query, outside of comprehensions, can have several values.
func iterates(query ast.Body) (found bool) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Term:
			return found || ast.IsComprehension(x.Value)
		case ast.Ref:
			if builtin := ast.BuiltinMap[x.String()]; builtin != nil && builtin.Relation {
				found = true
			}
			for _, term := range x[1:] {
				if _, variable := term.Value.(ast.Var); variable {
					found = true
				}
			}
		}
		return found
	}).Walk(query)
	return found
}
