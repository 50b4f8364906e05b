package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/internal/ref"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// entrypoint is a decision that the module answers: its slash path, and the reference it stands for.
type entrypoint struct {
	path string
	term *ast.Term
}

// entrypointSet keeps the order of first mention, which is the order of the module's entrypoint ids.
type entrypointSet []entrypoint

// add ignores a reference that is there already, whichever way its path was written.
func (s *entrypointSet) add(path string, term *ast.Term) {
	if !slices.ContainsFunc(*s, func(e entrypoint) bool { return e.term.Equal(term) }) {
		*s = append(*s, entrypoint{path, term})
	}
}

func requestedEntrypoints(paths []string) (set entrypointSet, problems []problem) {
	for _, path := range paths {
		r, err := ref.ParseDataPath(path)
		if err != nil || path == "" {
			problems = append(problems, problem{Code: codeEntrypointInvalid, Message: fmt.Sprintf("entrypoint `%s` is not of the form package/rule", path)})
			continue
		}
		set.add(path, ast.NewTerm(r))
	}
	return set, problems
}

// addAnnotated adds what the sources mark with `entrypoint: true`, as `opa build` does.
func (s *entrypointSet) addAnnotated(annotations []*ast.AnnotationsRef) error {
	for _, a := range annotations {
		if !a.Annotations.Entrypoint {
			continue
		}
		var r ast.Ref
		switch rule, pkg := a.GetRule(), a.GetPackage(); {
		case a.Annotations.Scope == "package" && pkg != nil:
			r = pkg.Path
		case a.Annotations.Scope == "document" && rule != nil:
			r = rule.Ref().GroundPrefix()
		default:
			continue
		}
		path, err := storage.NewPathForRef(r)
		if err != nil {
			return err
		}
		s.add(path.String()[1:], ast.NewTerm(r)) // percent-encoded, so a slash in a segment survives
	}
	return nil
}

// addDependents adds every rule that depends on an entrypoint, as `opa build` does: OPA's evaluator
// cannot reach such rules through a compiled one when `with` is in play.
func (s *entrypointSet) addDependents(compiler *ast.Compiler) error {
	seen := map[*ast.Rule]struct{}{}
	var visit func(*ast.Rule)
	visit = func(rule *ast.Rule) {
		for node := range compiler.Graph.Dependents(rule) {
			dependent, ok := node.(*ast.Rule)
			if _, done := seen[dependent]; !ok || done {
				continue
			}
			seen[dependent] = struct{}{}
			visit(dependent)
		}
	}
	for _, e := range *s {
		for _, rule := range compiler.GetRules(e.term.Value.(ast.Ref)) {
			visit(rule)
		}
	}
	found := ast.NewSet()
	for rule := range seen {
		found.Add(ast.NewTerm(rule.Module.Package.Path.Extend(rule.Head.Ref().GroundPrefix())))
	}
	for _, term := range found.Slice() { // in OPA's order of values
		path, err := term.Value.(ast.Ref).Ptr()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(*s, func(e entrypoint) bool { return e.path == path }) {
			*s = append(*s, entrypoint{path, term})
		}
	}
	return nil
}

// undefined names the entrypoints that no rule and no package answers for. OPA reports only the first.
func (s entrypointSet) undefined(compiler *ast.Compiler) (problems []problem) {
	for _, e := range s {
		if len(compiler.GetRules(e.term.Value.(ast.Ref))) == 0 {
			problems = append(problems, problem{Code: codeEntrypointUndefined, Message: fmt.Sprintf("entrypoint `%s` does not refer to a rule or package of these policies", e.path)})
		}
	}
	return problems
}
