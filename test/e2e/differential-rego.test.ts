// Random policies over random inputs: our compiler and engine against `opa eval` of the same version, answer by answer.
// Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with the reason printed otherwise. Some thousand evaluations;
// SVIDGATE_DIFFERENTIAL=100000 runs that many, SVIDGATE_DIFFERENTIAL_SEED others.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OPA, whyNoOpa } from "../support/opa-cli.ts";
import { type Difference, runDifferential } from "../support/rego-differential.ts";

const EVALUATIONS = Number(process.env["SVIDGATE_DIFFERENTIAL"] ?? 3_000);
const SEED = Number(process.env["SVIDGATE_DIFFERENTIAL_SEED"] ?? 1);
/** The many builtins have their turn about twice in this many policies. */
const FEWEST_POLICIES = 45;
const MOST_INPUTS = 200;

/** What is known to differ, each with its reason; docs/policies.md and docs/builtins.md tell users. */
const KNOWN: readonly { readonly why: string; readonly is: (difference: Difference) => boolean }[] = [
  { why: "OPA's process panics", is: ({ theirs }) => theirs.startsWith("opa: panic:") },
  {
    why: "replace of nothing by something: OPA takes characters apart into bytes",
    is: ({ key, theirs }) => key.startsWith("replace ") && theirs.includes("\ufffd"),
  },
  {
    why: "text that replace has taken apart into bytes is no UTF-8, at which OPA's module aborts in lower and upper",
    is: ({ rego, ours }) => rego.includes("replace(") && ours === "policy_trap: abort: string: invalid unicode",
  },
  {
    why: "errors of additional properties come in random order out of OPA",
    is: ({ key, ours, theirs }) => key.startsWith("json.match_schema ") && ours.length === theirs.length,
  },
  {
    why: "template strings print what objects and sets hold in the order of the module",
    is: ({ rego, ours, theirs }) =>
      rego.includes('$"t{') && /^\W*t.*\{/.test(ours) && letters(ours) === letters(theirs),
  },
  {
    why: "of two spellings of one header OPA signs either, as its map has them",
    is: ({ key, ours, theirs }) => key.startsWith("providers.aws.sign_req ") && unsigned(ours) === unsigned(theirs),
  },
  {
    why: "a schema elsewhere is never fetched here; OPA tries to",
    is: ({ key, ours, theirs }) =>
      /^json\.\w+_schema /.test(key) && ours.includes("remote reference") && theirs !== ours,
  },
];

const letters = (text: string): string => [...text].sort().join("");
const unsigned = (text: string): string => text.replace(/Signature=[0-9a-f]{64}/g, "Signature=");

describe("random policies decide as with `opa eval`", { skip: whyNoOpa() }, () => {
  it(`in ${EVALUATIONS} evaluations`, async (t) => {
    const policies = Math.max(FEWEST_POLICIES, Math.ceil(EVALUATIONS / MOST_INPUTS));
    const inputsPerPolicy = Math.ceil(EVALUATIONS / policies);
    const run = await runDifferential({ opa: OPA, seed: SEED, policies, inputsPerPolicy });
    const unknown = run.differences.filter((difference) => !KNOWN.some(({ is }) => is(difference)));
    t.diagnostic(
      `${run.evaluations} evaluations, ${run.answers} answers, ${run.overBudget} over budget, ` +
        `${run.refused} of ${run.policies} policies refused, ${run.differences.length - unknown.length} known differences`,
    );
    assert.equal(run.refused, 0);
    assert.ok(run.answers > run.evaluations, "too little was defined");
    assert.deepEqual(
      unknown.slice(0, 5).map(({ key, ours, theirs, input, rego }) => ({ key, ours, theirs, input, rego })),
      [],
    );
  });
});
