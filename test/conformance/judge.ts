// Says whether an outcome is what a case wants. SPEC: OPA internal/wasm/sdk/test/e2e/external_test.go, assert; for the
// assets v1/test/wasm/assets/test.js. Sets count as sorted arrays, numbers are compared exactly, results form a set.

import { isDeepStrictEqual } from "node:util";
import { type PolicyError, toAbortError } from "../../src/policy/policy-error.ts";
import { compareValues, parseValue, printValue, RegoObject, RegoSet, type Value } from "../../src/policy/value.ts";
import type { TestCase, Wanted } from "./test-case.ts";

/** What came of compiling and evaluating a case. */
export type Outcome =
  /** The result set as JSON text. */
  | { readonly kind: "result"; readonly json: string }
  /** The evaluation ended with an error. */
  | { readonly kind: "error"; readonly error: PolicyError }
  /** There was nothing to evaluate: it does not compile, or the module does not load. */
  | { readonly kind: "unusable"; readonly why: string };

/** Passed, or why not. */
export type Judgement = { readonly passed: true } | { readonly passed: false; readonly why: string };

const PASSED: Judgement = { passed: true };
const failed = (why: string): Judgement => ({ passed: false, why });

/** Judges one case. */
export function judge(testCase: TestCase, outcome: Outcome): Judgement {
  const { wanted } = testCase;
  if (outcome.kind === "unusable") return failed(outcome.why);
  if (wanted.kind === "error") return judgeError(wanted, outcome);
  if (outcome.kind === "error") return failed(`${outcome.error.code}: ${outcome.error.message}`);
  const results = parseValue(outcome.json);
  if (!Array.isArray(results)) return failed(`not a result set: ${outcome.json}`);
  if (wanted.kind === "defined") return results.length > 0 === wanted.defined ? PASSED : mismatch(wanted, outcome.json);
  if (wanted.kind === "strict_error") return results.length === 0 ? PASSED : mismatch(wanted, outcome.json);
  const same =
    testCase.suite === "assets"
      ? areSameAsset(wanted.results, outcome.json)
      : areSame(wanted.results, results, wanted.sortBindings);
  return same ? PASSED : mismatch(wanted, outcome.json);
}

/** SPEC: assertErrorCode, and test.js, which looks for a part of the runtime's own message. */
function judgeError(
  wanted: Extract<Wanted, { kind: "error" }>,
  outcome: Exclude<Outcome, { kind: "unusable" }>,
): Judgement {
  if (outcome.kind === "result") return mismatch(wanted, outcome.json);
  const { code, message } = wanted;
  const { error } = outcome;
  // Conflicts have a code of their own here, and their message is OPA's interpreter's instead of its runtime's.
  const isWanted =
    code === undefined
      ? error.message === toAbortError(message ?? "").message
      : code === "eval_conflict_error" && error.code === "policy_conflict";
  return isWanted ? PASSED : failed(`wanted ${describe(wanted)}, got ${error.code}: ${error.message}`);
}

function areSame(wanted: readonly RegoObject[], results: readonly Value[], sortBindings: boolean): boolean {
  const bindings = results.map((result) => (sortBindings ? withSortedBindings(result) : result));
  return compareValues(RegoSet.of(wanted), RegoSet.of(bindings)) === 0;
}

/** Of a case that leaves the order open, only what was got is sorted: what is wanted is written in order. */
function withSortedBindings(result: Value): Value {
  if (!(result instanceof RegoObject)) return result;
  return RegoObject.of(
    result.entries.map(
      ([name, value]) => [name, Array.isArray(value) ? [...value].sort(compareValues) : value] as const,
    ),
  );
}

/** As test.js: as many results, and each wanted one among them. Its numbers are JavaScript's. */
function areSameAsset(wanted: readonly RegoObject[], json: string): boolean {
  const results = JSON.parse(json) as unknown[];
  const texts = wanted.map((result) => JSON.parse(printValue(result)) as unknown);
  return results.length === texts.length && texts.every((text) => results.some((got) => isDeepStrictEqual(text, got)));
}

function mismatch(wanted: Wanted, json: string): Judgement {
  return failed(`wanted ${describe(wanted)}, got ${json}`);
}

function describe(wanted: Wanted): string {
  switch (wanted.kind) {
    case "defined":
      return wanted.defined ? "a result" : "no result";
    case "strict_error":
      return "no result (an error of strict mode only)";
    case "result":
      return `[${wanted.results.map(printValue).join(",")}]`;
    case "error":
      return `the error ${wanted.code ?? wanted.message}`;
  }
}
