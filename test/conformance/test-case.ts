// One case of OPA's: what to compile, what to give it, and what is wanted. SPEC: OPA v1/test/cases/cases.go, TestCase.
// A field that is not known here is refused, so that nothing that a case asks for is passed over in silence.

import { parseValue, printValue, RegoObject, toJson, type Value } from "../../src/policy/value.ts";

/** The three collections of OPA: cases in Rego v1, the same in v0, and those of its WASM backend. */
export type Suite = "v1" | "v0" | "assets";

/** What a case expects; OPA looks at them in this order, and at one only. */
export type Wanted =
  | { readonly kind: "defined"; readonly defined: boolean }
  | { readonly kind: "result"; readonly results: readonly RegoObject[]; readonly sortBindings: boolean }
  /** An error that OPA reports in strict mode only: without it, the result set is empty. */
  | { readonly kind: "strict_error" }
  /** `code` is OPA's (`eval_conflict_error`), `message` a part of the runtime's message; one of them is there. */
  | { readonly kind: "error"; readonly code: string | undefined; readonly message: string | undefined };

/** A case. */
export interface TestCase {
  /** Unique: `v1/units/test-parse-units.yaml: units_parse/zero`, with ` (2)` for the second of a name in its file. */
  readonly id: string;
  readonly suite: Suite;
  /** The folder of the case below its suite; the file of an asset, without number and ending. */
  readonly folder: string;
  readonly query: string;
  readonly modules: readonly string[];
  /** JSON text of the data document. */
  readonly data: string;
  /** Rego value text, so that an input can hold sets; undefined is no input. */
  readonly input: string | undefined;
  readonly experimentalKeywords: boolean;
  readonly wanted: Wanted;
}

/** Where a case comes from. */
export type Origin = Pick<TestCase, "id" | "suite" | "folder">;

const FIELDS = new Set([
  ...["note", "query", "modules", "data", "input", "input_term", "experimental_keywords", "sort_bindings"],
  ...["want_defined", "want_result", "want_error_code", "want_error", "strict_error"],
  "ignore_generated_vars", // of OPA's interpreter only; its WASM tests do not look at it either
]);

/** Reads one case. Throws Error for what is no case, or asks for something that is not known here. */
export function toTestCase(value: Value, origin: Origin): TestCase {
  if (!(value instanceof RegoObject)) throw new Error(`${origin.id}: not an object`);
  for (const [key] of value.entries)
    if (typeof key !== "string" || !FIELDS.has(key)) throw new Error(`${origin.id}: field \`${key}\` is not known`);
  const data = value.get("data") ?? null;
  return {
    ...origin,
    query: text(value, "query") ?? fault(origin, "no query"),
    modules: list(value, "modules").map((module) =>
      typeof module === "string" ? module : fault(origin, "a module is no text"),
    ),
    data: data === null ? "{}" : toJson(data),
    input: toInput(value, origin.suite),
    experimentalKeywords: value.get("experimental_keywords") === true,
    wanted: toWanted(value) ?? fault(origin, "wants nothing"),
  };
}

function toInput(value: RegoObject, suite: Suite): string | undefined {
  const term = text(value, "input_term");
  if (term !== undefined) return printValue(parseValue(withoutLastCommas(term)));
  const input = value.get("input");
  if (input === undefined || input === null) return undefined; // a pointer in OPA's loader: null is nothing
  if (suite === "assets" && (input === false || input === "" || toJson(input) === "0")) return undefined; // test.js: `if (input)`
  return toJson(input);
}

/** Rego lets a comma stand before a closing bracket; value text does not. */
const withoutLastCommas = (term: string): string =>
  term.replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, quoted: string | undefined) => quoted ?? "");

function toWanted(value: RegoObject): Wanted | undefined {
  const defined = value.get("want_defined") ?? null;
  if (typeof defined === "boolean") return { kind: "defined", defined };
  if ((value.get("want_result") ?? null) !== null) {
    const results = list(value, "want_result").filter((result) => result instanceof RegoObject);
    return { kind: "result", results, sortBindings: value.get("sort_bindings") === true };
  }
  const code = text(value, "want_error_code");
  const message = text(value, "want_error");
  if (code === undefined && message === undefined) return undefined;
  return value.get("strict_error") === true ? { kind: "strict_error" } : { kind: "error", code, message };
}

function text(value: RegoObject, field: string): string | undefined {
  const found = value.get(field);
  return typeof found === "string" ? found : undefined;
}

function list(value: RegoObject, field: string): readonly Value[] {
  const found = value.get(field);
  return Array.isArray(found) ? found : [];
}

function fault(origin: Origin, what: string): never {
  throw new Error(`${origin.id}: ${what}`);
}
