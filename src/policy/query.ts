// Evaluates any Rego query, as `opa eval` does, in the evaluator that decides in production.
// SPEC: the result is OPA's: for each way in which the query holds, the values of its expressions and its variables.
// Differences: values come out of WASM, so sets are sorted arrays and results have no order of their own.

import type { Clock } from "../base/clock.ts";
import { builtinNames, findBuiltin, nativeRequest } from "./builtins/index.ts";
import { compileRego, formatCompileErrors, type QueryExpression } from "./compiler/index.ts";
import { loadPolicy } from "./evaluator.ts";
import { createNetworkBuiltins, type NetworkOptions, networkNames, withNetworkHints } from "./network-builtins.ts";
import { PolicyError } from "./policy-error.ts";
import { PRINT_BUILTIN } from "./print-builtin.ts";
import { type PolicySource, readPolicySource } from "./source.ts";
import { parseValue, RegoObject, toJson, type Value } from "./value.ts";

/** What to evaluate and on what. */
export interface QueryOptions {
  readonly query: string;
  readonly paths: readonly string[];
  readonly dataFiles: readonly string[];
  /** Used where a bundle's manifest does not say. */
  readonly regoVersion: "v0" | "v1";
  /** JSON text; undefined is no input, unlike `null`. */
  readonly input?: string;
  readonly strictBuiltinErrors: boolean;
  readonly clock: Clock;
  /** What the query may reach outside; nothing unless set. */
  readonly network?: NetworkOptions;
  /** Gets each line that is printed. */
  readonly onPrint: (line: string) => void;
}

/** The value of one expression. */
export interface ExpressionValue {
  readonly value: Value;
  readonly text: string;
  readonly row: number;
  readonly col: number;
}

/** One way in which the query holds. */
export interface QueryResult {
  readonly expressions: readonly ExpressionValue[];
  /** Variables of the query by name. */
  readonly bindings: readonly (readonly [name: string, value: Value])[];
}

/** Results; or why it could not be compiled, or why its evaluation failed (then `code` is the PolicyError's). */
export type QueryOutcome =
  | { readonly ok: true; readonly results: readonly QueryResult[] }
  | { readonly ok: false; readonly code?: string; readonly problems: readonly string[] };

/** The name under which errors speak of the query. */
const QUERY_FILE = "query";
const ENTRYPOINT = "eval";

/** Reads, compiles and evaluates. */
export async function evaluateQuery(options: QueryOptions): Promise<QueryOutcome> {
  const read = await readPolicySource(options.paths, options.dataFiles);
  if (!read.ok) return read;
  const { source } = read;
  if (source.wasm !== undefined) {
    return { ok: false, problems: ["the policy is compiled already: a query needs the Rego sources"] };
  }
  const compiled = await compileRego({
    files: source.modules,
    entrypoints: [],
    query: options.query,
    values: true,
    regoVersion: source.regoVersion ?? options.regoVersion,
    builtins: [...builtinNames, ...networkNames(options.network), PRINT_BUILTIN],
    print: true,
    ...nativeRequest(options.strictBuiltinErrors),
  });
  if (!compiled.ok) {
    // Errors without a file are those of the query, and their place is one in its text.
    const errors = compiled.errors.map((error) =>
      error.file === undefined && error.row !== undefined ? { ...error, file: QUERY_FILE } : error,
    );
    const files = [...source.modules, { path: QUERY_FILE, text: options.query }];
    return { ok: false, problems: [formatCompileErrors(withNetworkHints(errors), files)] };
  }
  try {
    return { ok: true, results: await evaluate(compiled.value.wasm, compiled.value.expressions, source, options) };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { ok: false, code: error.code, problems: [`${error.code}: ${error.message}`] };
  }
}

async function evaluate(
  wasm: Uint8Array,
  expressions: readonly QueryExpression[],
  source: PolicySource,
  options: QueryOptions,
): Promise<readonly QueryResult[]> {
  const network = createNetworkBuiltins(options.network ?? {}, { clock: options.clock });
  try {
    const policy = loadPolicy(wasm, {
      data: toJson(source.data),
      clock: options.clock,
      strictBuiltinErrors: options.strictBuiltinErrors,
      onPrint: options.onPrint,
      findBuiltin: (name) => network.find(name) ?? findBuiltin(name),
    });
    const results = parseValue(await policy.evaluateAsync(options.input, { entrypoint: ENTRYPOINT }));
    return (Array.isArray(results) ? results : []).map((result) => toResult(result, expressions));
  } finally {
    network.close();
  }
}

function toResult(result: Value, expressions: readonly QueryExpression[]): QueryResult {
  const variables = new Map(
    (result instanceof RegoObject ? result.entries : []).map(([name, value]) => [String(name), value] as const),
  );
  return {
    expressions: expressions.map(({ text, row, col, variable }) => {
      const value = variable === undefined ? undefined : variables.get(variable);
      return { value: value === undefined ? true : value, text, row, col }; // `null` is a value, and no reason for `true`
    }),
    bindings: [...variables].filter(([name]) => isOfTheQuery(name)),
  };
}

/** Variables of the compiler's own begin with characters that no name of Rego has, or with `__local`. */
const isOfTheQuery = (name: string): boolean => !/^(?:\^|\$|__local)/.test(name);
