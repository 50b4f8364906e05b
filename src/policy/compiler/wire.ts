// What goes into and comes out of the Rego compiler: types, the request line, the checked answer line.
// The Go side of the same shapes is compiler/wire.go. Does not start anything.

/** One Rego source. `path` appears in errors and inside the module, so give it as `opa build` would see it. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One compilation. */
export interface CompileRequest {
  readonly files: readonly SourceFile[];
  /** Slash paths such as `envoy/authz/allow`; rules annotated `entrypoint: true` and dependents come on top. */
  readonly entrypoints: readonly string[];
  /** A query to plan under the entrypoint name `eval`, as OPA's Go API does. */
  readonly query?: string;
  readonly regoVersion: "v0" | "v1";
  /** OPA's strict mode: unused imports and variables, deprecated builtins are errors. */
  readonly strict?: boolean;
  /** Keep `print` calls (the host must then offer `internal.print`) instead of erasing them. */
  readonly print?: boolean;
  /** Leave out rules that depend on an entrypoint, as `opa build --prune-unused`. */
  readonly pruneUnused?: boolean;
  /** Names of the builtins that the host offers; those native to OPA's module are always there. */
  readonly builtins: readonly string[];
  /** Manifest roots; the whole of `data` when absent. */
  readonly roots?: readonly string[];
  /** JSON schemas for type checks: `a/b` for `schema.a.b` in annotations, the empty name for every `input`. */
  readonly schemas?: Readonly<Record<string, unknown>>;
  /** Have the query's results hold the value of each expression; `expressions` of the answer says where. */
  readonly values?: boolean;
  /** Find the rules named `test_…`, and make each an entrypoint. The host must then offer {@link TEST_BUILTINS}. */
  readonly tests?: boolean;
  /** Report each expression and rule that runs. The host must then offer {@link COVER_BUILTIN}. */
  readonly coverage?: boolean;
  /** Builtins native to OPA's module whose missing value the host judges, with {@link BUILTIN_FAILED}. */
  readonly guardedBuiltins?: readonly string[];
  /** Builtins native to OPA's module that the host answers instead, each under its name with {@link HOST_PREFIX}. */
  readonly hostBuiltins?: readonly string[];
  /**
   * More of them by the operand (from 0) that decides: where it is a text of the source, and not the empty one, the module's
   * own builtin stays.
   */
  readonly hostUnlessConstant?: Readonly<Record<string, number>>;
  /** Know the keywords that OPA has not made official yet. */
  readonly experimentalKeywords?: boolean;
}

/**
 * Host builtin of modules that were compiled with `coverage`: `internal.cover(file, range)`, indices into `coverage` of
 * the answer and into its `ranges`. An expression reports before it is evaluated, a rule's head when the rule has a value.
 */
export const COVER_BUILTIN = "internal.cover";

/**
 * Host builtin of modules that were compiled with `guardedBuiltins`: `internal.builtin_failed(name, arguments)`, called
 * when a guarded builtin has no value. It throws what OPA calls an error of the builtin, and returns where OPA has undefined.
 */
export const BUILTIN_FAILED = "internal.builtin_failed";

/** Before the names of `hostBuiltins`, in the module's table of builtins. */
export const HOST_PREFIX = "host.";

/** One source and what can be covered of it. SPEC: v1/cover of OPA. */
export interface CoveredFile {
  readonly file: string;
  /** Whether it has rules that are tests. */
  readonly tests?: boolean;
  /** Those that are coverable first, in the order of the text. */
  readonly ranges: readonly CoveredRange[];
}

/** Where a rule's head or an expression stands; rows and columns count from 1, the end is behind the last character. */
export interface CoveredRange {
  readonly row: number;
  readonly col: number;
  readonly end_row: number;
  readonly end_col: number;
  /**
   * Whether it is in the sources as such. The others come of rewriting: OPA counts them among what is covered where they
   * ran, and never as missing. What is missing: coverable ranges that no covered range contains.
   */
  readonly coverable?: boolean;
}

/** Host builtins of modules that were compiled with `tests`: the case, and the expression, that a test is at. */
export const TEST_BUILTINS = { case: "internal.test_case", step: "internal.test_step" } as const;

/** One expression of a query, as `opa eval` names it. */
export interface QueryExpression {
  readonly text: string;
  readonly row: number;
  readonly col: number;
  /** The name under which each result holds its value; absent where the value is true. */
  readonly variable?: string;
}

/** One rule named `test_…` or `todo_test_…`; the names are those of `opa test`. */
export interface TestRule {
  /** Absent for tests that are not to run. */
  readonly entrypoint?: string;
  /** The rule's full path, such as `data.p_test.test_x`. */
  readonly path: string;
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly row: number;
  readonly col: number;
  readonly todo?: boolean;
  /** Whether the rule makes an object of cases: name → result. */
  readonly cases?: boolean;
  /** Whether it has arguments, so that nothing can run it. */
  readonly function?: boolean;
}

/** One error; `row` and `col` count from 1 and are absent where the error has no place. */
export interface CompileError {
  /** OPA's `rego_…` code, or one of ours: request, entrypoint_invalid, entrypoint_undefined, builtin_unknown, … */
  readonly code: string;
  readonly message: string;
  readonly file?: string;
  readonly row?: number;
  readonly col?: number;
  /** Further lines, such as the types that were found and wanted. */
  readonly details?: readonly string[];
}

/** One row of the manifest's `wasm`. */
export interface WasmResolver {
  readonly entrypoint: string;
  readonly module: string;
  readonly annotations?: readonly unknown[];
}

/** The fields of OPA's bundle manifest that a compilation decides. */
export interface CompiledManifest {
  readonly revision: string;
  readonly roots: readonly string[];
  readonly wasm: readonly WasmResolver[];
  readonly rego_version: 0 | 1;
}

/** One `# METADATA` block as `opa inspect -a` shows it. */
export interface PolicyAnnotation {
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly path: readonly { readonly type: string; readonly value: unknown }[];
  readonly location?: { readonly file: string; readonly row: number; readonly col: number };
}

/** What the compiler says of one request. */
export type CompilerAnswer =
  | { readonly errors: readonly CompileError[] }
  | {
      readonly wasm: Uint8Array;
      /** OPA's plan (IR) of exactly this module, as JSON text. */
      readonly plan: string;
      readonly manifest: CompiledManifest;
      readonly annotations: readonly PolicyAnnotation[];
      /** Of the request's query, when it asked for `values`. */
      readonly expressions: readonly QueryExpression[];
      /** In the order of files and rows, when the request asked for `tests`. */
      readonly tests: readonly TestRule[];
      /** In the order of paths, when the request asked for `coverage`. */
      readonly coverage: readonly CoveredFile[];
    };

/** The request as one line of JSON, line feed included. */
export function toRequestLine(request: CompileRequest): string {
  return `${JSON.stringify({
    files: request.files.map(({ path, text }) => ({ path, text })),
    entrypoints: request.entrypoints,
    query: request.query,
    rego_version: request.regoVersion,
    strict: request.strict,
    print: request.print,
    prune_unused: request.pruneUnused,
    builtins: request.builtins,
    roots: request.roots,
    schemas: request.schemas,
    values: request.values,
    tests: request.tests,
    coverage: request.coverage,
    guarded_builtins: request.guardedBuiltins,
    host_builtins: request.hostBuiltins,
    host_unless_constant: request.hostUnlessConstant,
    experimental_keywords: request.experimentalKeywords,
  })}\n`;
}

/** The line that asks for the capabilities of a host with these builtins. */
export const toCapabilitiesLine = (builtins: readonly string[]): string =>
  `${JSON.stringify({ files: [], entrypoints: [], rego_version: "v1", builtins, capabilities: true })}\n`;

/** Reads one answer line; undefined when it is not one (a torn line of a compiler that was killed). */
export function parseAnswerLine(line: string): CompilerAnswer | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(answer)) return undefined;
  const { errors, wasm, plan, manifest, annotations, expressions, tests, coverage } = answer;
  if (Array.isArray(errors) && errors.length > 0 && errors.every(isCompileError)) return { errors };
  if (typeof wasm !== "string" || typeof plan !== "string" || !isManifest(manifest)) return undefined;
  return {
    wasm: new Uint8Array(Buffer.from(wasm, "base64")),
    plan,
    manifest,
    annotations: Array.isArray(annotations) ? (annotations as PolicyAnnotation[]) : [],
    expressions: Array.isArray(expressions) ? (expressions as QueryExpression[]) : [],
    tests: Array.isArray(tests) ? (tests as TestRule[]) : [],
    coverage: Array.isArray(coverage) ? (coverage as CoveredFile[]).map(withRanges) : [],
  };
}

/** Go writes no ranges as null: a source without rules. */
const withRanges = (file: CoveredFile): CoveredFile => ({ ...file, ranges: file.ranges ?? [] });

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCompileError(value: unknown): value is CompileError {
  return isRecord(value) && typeof value["code"] === "string" && typeof value["message"] === "string";
}

function isManifest(value: unknown): value is CompiledManifest {
  return isRecord(value) && Array.isArray(value["wasm"]) && Array.isArray(value["roots"]);
}
