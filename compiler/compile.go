package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/internal/compiler/wasm"
	"github.com/open-policy-agent/opa/internal/planner"
	"github.com/open-policy-agent/opa/internal/wasm/encoding"
	"github.com/open-policy-agent/opa/v1/ast"
	astjson "github.com/open-policy-agent/opa/v1/ast/json"
	"github.com/open-policy-agent/opa/v1/ir"
)

const modulePath = "/policy.wasm"

// compile follows v1/compile of OPA step by step, because its output must be the bytes that
// `opa build -t wasm` writes for the same sources; it differs in reporting every error that it finds
// and in handing out the plan that the module was made from.
func compile(r *request) (*answer, []problem) {
	version, problems := regoVersion(r.RegoVersion)
	if problems != nil {
		return nil, problems
	}
	capabilities, problems := capabilitiesFor(version, r)
	entrypoints, invalid := requestedEntrypoints(r.Entrypoints)
	problems = append(problems, nativeProblems(r)...)
	if problems = append(problems, invalid...); len(problems) > 0 {
		return nil, problems
	}
	if r.Capabilities {
		return &answer{Capabilities: capabilities}, nil
	}
	options := ast.ParserOptions{RegoVersion: version, ProcessAnnotation: true, Capabilities: capabilities}
	modules, problems := parseFiles(r.Files, options)
	if len(problems) > 0 {
		return nil, problems
	}
	if problems := annotatedEntrypoints(modules, &entrypoints); len(problems) > 0 {
		return nil, problems
	}
	if len(entrypoints) == 0 && r.Query == "" && !r.Tests {
		return nil, []problem{{Code: codeRequest, Message: "no entrypoint: name at least one package/rule, or mark one with `# METADATA` and `# entrypoint: true`"}}
	}
	schemas, problems := schemaSet(r.Schemas)
	if len(problems) > 0 {
		return nil, problems
	}

	compiler := ast.NewCompiler().
		WithCapabilities(capabilities).
		WithStrict(r.Strict).
		WithEnablePrintStatements(r.Print)
	if schemas != nil {
		compiler = compiler.WithSchemas(schemas).WithUseTypeCheckAnnotations(true)
	}
	var covered *coverage
	if r.Coverage {
		covered = newCoverage(modules)
		covered.addStage(compiler)
	}
	if r.Tests {
		addTestStages(compiler)
	}
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, problemsOf(compiler.Errors, ast.CompileErr, "")
	}
	var list []testRule
	if r.Tests {
		var found entrypointSet
		var err error
		if list, found, err = tests(compiler); err != nil {
			return nil, problemsOf(err, ast.CompileErr, "")
		}
		for _, e := range found {
			entrypoints.add(e.path, e.term)
		}
	} else if !r.PruneUnused {
		if err := entrypoints.addDependents(compiler); err != nil {
			return nil, problemsOf(err, ast.CompileErr, "")
		}
	}
	if problems := entrypoints.undefined(compiler); len(problems) > 0 {
		return nil, problems
	}

	policy, expressions, problems := plan(r, compiler, entrypoints, options)
	if len(problems) > 0 {
		return nil, problems
	}
	if err := rewriteNatives(policy, r); err != nil {
		return nil, problemsOf(err, codeInternal, "")
	}
	compiled, problems := emit(r, version, compiler, entrypoints, policy)
	if compiled != nil {
		compiled.Expressions, compiled.Tests = expressions, list
		if covered != nil {
			compiled.Coverage = covered.files
		}
	}
	return compiled, problems
}

func regoVersion(name string) (ast.RegoVersion, []problem) {
	switch name {
	case "v0":
		return ast.RegoV0, nil
	case "v1":
		return ast.RegoV1, nil
	}
	return ast.RegoUndefined, []problem{{Code: codeRequest, Message: fmt.Sprintf("rego version `%s` is neither v0 nor v1", name)}}
}

// parseFiles reads all files before it reports, so that one run shows the errors of each.
func parseFiles(files []sourceFile, options ast.ParserOptions) (map[string]*ast.Module, []problem) {
	var problems []problem
	modules := make(map[string]*ast.Module, len(files))
	for _, file := range files {
		if _, twice := modules[file.Path]; twice {
			problems = append(problems, problem{Code: codeRequest, Message: "two files have this path", File: file.Path})
			continue
		}
		module, err := ast.ParseModuleWithOpts(file.Path, file.Text, options)
		if err != nil {
			problems = append(problems, problemsOf(err, ast.ParseErr, file.Path)...)
			continue
		}
		modules[file.Path] = module
	}
	return modules, problems
}

func annotatedEntrypoints(modules map[string]*ast.Module, entrypoints *entrypointSet) []problem {
	set, errs := ast.BuildAnnotationSet(sorted(modules))
	if len(errs) > 0 {
		return problemsOf(errs, ast.ParseErr, "")
	}
	if err := entrypoints.addAnnotated(set.Flatten()); err != nil {
		return problemsOf(err, ast.CompileErr, "")
	}
	return nil
}

// schemaSet takes names as `opa check --schema` makes them of paths: "a/b" for schema.a.b, and "" for the
// schema of every input, as when the flag names a single file.
func schemaSet(schemas map[string]any) (*ast.SchemaSet, []problem) {
	if len(schemas) == 0 {
		return nil, nil
	}
	set := ast.NewSchemaSet()
	for name, schema := range schemas {
		path := ast.Ref{ast.SchemaRootDocument}
		for segment := range strings.SplitSeq(name, "/") {
			if name == "" {
				break
			}
			if segment == "" {
				return nil, []problem{{Code: codeRequest, Message: fmt.Sprintf("schema name `%s` has an empty segment", name)}}
			}
			path = path.Append(ast.StringTerm(segment))
		}
		set.Put(path, schema)
	}
	return set, nil
}

// plan turns each entrypoint into the query `result = data.<entrypoint>` and plans all of them.
func plan(r *request, compiler *ast.Compiler, entrypoints entrypointSet, options ast.ParserOptions) (*ir.Policy, []expression, []problem) {
	var expressions []expression
	queries := make([]planner.QuerySet, 0, len(entrypoints)+1)
	for _, e := range entrypoints {
		qc := compiler.QueryCompiler()
		body, err := qc.Compile(ast.NewBody(ast.Equality.Expr(ast.VarTerm("result"), e.term)))
		if err != nil {
			return nil, nil, inEntrypoint(e, problemsOf(err, ast.CompileErr, ""))
		}
		queries = append(queries, planner.QuerySet{Name: e.path, Queries: []ast.Body{body}, RewrittenVars: qc.RewrittenVars()})
	}
	if r.Query != "" {
		parsed, err := ast.ParseBodyWithOpts(r.Query, options)
		if err != nil {
			return nil, nil, problemsOf(err, ast.ParseErr, "")
		}
		qc := compiler.QueryCompiler().WithEnablePrintStatements(r.Print)
		kept := keptValues{}
		if r.Values {
			kept.addStage(qc, compiler)
		}
		body, err := qc.Compile(parsed)
		if err != nil {
			return nil, nil, problemsOf(err, ast.CompileErr, "")
		}
		if r.Values {
			expressions = kept.expressions(body)
		}
		queries = append(queries, planner.QuerySet{Name: "eval", Queries: []ast.Body{body}, RewrittenVars: qc.RewrittenVars()})
	}
	declarations := make(map[string]*ast.Builtin, len(options.Capabilities.Builtins))
	for _, b := range options.Capabilities.Builtins {
		declarations[b.Name] = b
	}
	if r.Tests {
		declarations[testStep.Name] = testStep
	}
	if r.Coverage {
		declarations[coverBuiltin.Name] = coverBuiltin
	}
	policy, err := planner.New().
		WithQueries(queries).
		WithModules(sorted(compiler.Modules)).
		WithBuiltinDecls(declarations).
		Plan()
	if err != nil {
		return nil, nil, problemsOf(err, ast.CompileErr, "")
	}
	return policy, expressions, nil
}

// inEntrypoint names the entrypoint in errors about it, which have no place in a source.
func inEntrypoint(e entrypoint, problems []problem) []problem {
	for i := range problems {
		problems[i].Message = fmt.Sprintf("entrypoint `%s`: %s", e.path, problems[i].Message)
	}
	return problems
}

// emit writes plan, module, manifest and annotations.
func emit(r *request, version ast.RegoVersion, compiler *ast.Compiler, entrypoints entrypointSet, policy *ir.Policy) (*answer, []problem) {
	planText, err := json.Marshal(policy) // before the backend runs: it must not matter if that changes the policy
	if err != nil {
		return nil, problemsOf(err, codeInternal, "")
	}
	module, err := wasm.New().WithPolicy(policy).Compile()
	if err != nil {
		return nil, problemsOf(err, ast.CompileErr, "")
	}
	var binary bytes.Buffer
	if err := encoding.WriteModule(&binary, module); err != nil {
		return nil, problemsOf(err, codeInternal, "")
	}
	flat := compiler.GetAnnotationSet().Flatten()
	annotations, err := located(flat)
	if err != nil {
		return nil, problemsOf(err, codeInternal, "")
	}
	m := &manifest{Roots: r.Roots, Wasm: make([]wasmResolver, 0, len(entrypoints))}
	if len(m.Roots) == 0 {
		m.Roots = []string{""} // the whole of data, as OPA has it without a word about roots
	}
	if version == ast.RegoV1 {
		m.RegoVersion = 1
	}
	for _, e := range entrypoints {
		m.Wasm = append(m.Wasm, wasmResolver{Entrypoint: e.path, Module: modulePath, Annotations: annotationsOf(e, compiler, flat)})
	}
	return &answer{Wasm: binary.Bytes(), Plan: string(planText), Manifest: m, Annotations: annotations}, nil
}

// located writes annotations with the place of what they annotate, as `opa inspect -a` does. The setting
// is global in OPA, so it is put back for the manifest.
func located(annotations []*ast.AnnotationsRef) ([]byte, error) {
	astjson.SetOptions(astjson.Options{MarshalOptions: astjson.MarshalOptions{IncludeLocation: astjson.NodeToggle{AnnotationsRef: true}}})
	defer astjson.SetOptions(astjson.Defaults())
	return json.Marshal(annotations)
}

// annotationsOf lists those of the entrypoint's own path; a package has none here, as in OPA.
func annotationsOf(e entrypoint, compiler *ast.Compiler, flat []*ast.AnnotationsRef) (own []*ast.Annotations) {
	for _, module := range compiler.Modules {
		if module.Package.Path.Equal(e.term.Value) {
			return nil
		}
	}
	for _, a := range flat {
		if e.term.Value.(ast.Ref).Equal(a.Path) {
			own = append(own, a.Annotations)
		}
	}
	return own
}

func sorted(modules map[string]*ast.Module) []*ast.Module {
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]*ast.Module, 0, len(names))
	for _, name := range names {
		list = append(list, modules[name])
	}
	return list
}
