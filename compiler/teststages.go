package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// numberTests gives the second and further tests of one name a number, as `opa test` does: two rules of one
// name would otherwise be one test, which passes when either does.
func numberTests() func(*ast.Rule) {
	seen := map[string]int{}
	return func(rule *ast.Rule) {
		ref, todo, found := testRef(rule.Head)
		if !found || todo {
			return
		}
		key := rule.Module.Package.Path.Extend(ref).String()
		count := seen[key]
		seen[key]++
		if count == 0 {
			return
		}
		last := len(ref) - 1
		name := fmt.Sprintf("%s#%02d", segment(ref[last]), count)
		numbered := rule.Head.Ref().Copy()
		if last == 0 {
			numbered[0] = ast.VarTerm(name)
		} else {
			numbered[last] = ast.StringTerm(name)
		}
		rule.Head.SetRef(numbered)
	}
}

// reportCases calls internal.test_case with the name of the case in data-driven tests (`test_x[name] if …`),
// as early as the name is known, so that a case that fails is heard of: it never gets into the rule's object.
// The compiler puts the assignment of the name last, so that is moved up first.
func reportCases(rule *ast.Rule) {
	ref, todo, found := testRef(rule.Head)
	if !found || todo || rule.Default || len(rule.Head.Ref()) == len(ref) || callsTestCase(rule.Body) {
		return
	}
	names := rule.Head.Ref()[len(ref):]
	for _, name := range names {
		for from := len(rule.Body) - 1; from >= 0; from-- {
			expr := rule.Body[from]
			if !expr.Generated || !(expr.IsEquality() || expr.IsAssignment()) || !expr.Operand(0).Equal(name) {
				continue
			}
			if to := afterFirstMentions(rule.Body[:from], localsOf(expr.Operand(1))); to < from {
				rule.Body = slices.Insert(slices.Delete(rule.Body, from, from+1), to, expr)
			}
			break
		}
	}
	wanted := ast.NewVarSet()
	for _, name := range names {
		wanted.Update(localsOf(name))
	}
	call := ast.NewExpr([]*ast.Term{
		ast.NewTerm(ast.InternalTestCase.Ref()),
		ast.NewTerm(ast.NewArray(names.Copy()...)),
	})
	rule.Body = slices.Insert(rule.Body, afterFirstMentions(rule.Body, wanted), call)
}

func callsTestCase(body ast.Body) (found bool) {
	ast.WalkExprs(body, func(expr *ast.Expr) bool {
		found = found || expr.IsCall() && expr.Operator().Equal(ast.InternalTestCase.Ref())
		return found
	})
	return found
}

// localsOf are the variables of a rule's body in x: declared ones are renamed by now.
func localsOf(x any) ast.VarSet {
	vars := ast.NewVarSet()
	ast.WalkVars(x, func(v ast.Var) bool {
		if v.IsGenerated() || v.IsWildcard() {
			vars.Add(v)
		}
		return false
	})
	return vars
}

// afterFirstMentions is the place behind the expressions that mention each variable first.
func afterFirstMentions(body ast.Body, vars ast.VarSet) (place int) {
	for v := range vars {
		for i, expr := range body {
			if localsOf(expr).Contains(v) {
				place = max(place, i+1)
				break
			}
		}
	}
	return place
}

// reportSteps comes last: stages before would move calls that depend on nothing to the front.
func reportSteps(rule *ast.Rule) {
	if _, todo, found := testRef(rule.Head); !found || todo {
		return
	}
	for ; rule != nil; rule = rule.Else {
		body := make(ast.Body, 0, 2*len(rule.Body))
		row, col := 0, 0
		for _, expr := range rule.Body {
			if at := expr.Loc(); at != nil && at.Row > 0 && (at.Row != row || at.Col != col) {
				row, col = at.Row, at.Col
				body = append(body, ast.NewExpr([]*ast.Term{
					ast.NewTerm(testStep.Ref()),
					ast.IntNumberTerm(row),
					ast.IntNumberTerm(col),
				}).SetLocation(at))
			}
			body = append(body, expr)
		}
		rule.Body = body
	}
}
