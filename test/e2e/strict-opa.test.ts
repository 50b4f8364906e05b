// Strict errors beside OPA's: calls of every builtin, with operands that it was recorded with, wrong ones among them; each must be
// an error, undefined or a value where it is under `opa eval --strict-builtin-errors`. Needs `opa` 1.22.2, named by OPA or
// found on the PATH; skipped with the reason printed otherwise.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, it } from "node:test";
import { OPA, whyNoOpa } from "../support/opa-cli.ts";
import { Random } from "../support/random.ts";
import { comparableBuiltins, randomOperands, recordedCalls } from "../support/random-calls.ts";
import {
  agree,
  answerByOpa,
  answerByUs,
  type StrictAnswer,
  type StrictCall,
  show,
} from "../support/strict-differential.ts";

const CALLS_PER_BUILTIN = 6;
/** Operands of a type that few builtins take in each place. */
const WRONG = ["null", "true", "7", "-1", "1.5", '"x"', '""', "[7]", "{7}", '{"a": {7}}', "[]", "set()", "{}", "1e10"];

/** What is known to differ, each with its reason. */
const KNOWN: readonly { readonly why: string; readonly is: (call: StrictCall) => boolean }[] = [
  { why: "yaml is read by another parser", is: ({ name }) => name === "yaml.unmarshal" || name === "yaml.is_valid" },
];

function randomCalls(): readonly StrictCall[] {
  const random = new Random(6);
  const recorded = recordedCalls();
  return comparableBuiltins(recorded).flatMap((name) =>
    Array.from({ length: CALLS_PER_BUILTIN }, (_, at): StrictCall => {
      const operands = [...randomOperands(random, name, recorded)];
      if (at % 2 === 1 && operands.length > 0) operands[random.below(operands.length)] = random.pick(WRONG);
      return { name, operands };
    }),
  );
}

describe("strict errors are those of OPA", { skip: whyNoOpa() }, () => {
  const calls = randomCalls();
  let ours: readonly StrictAnswer[];
  let theirs: readonly StrictAnswer[];
  before(async () => {
    ours = await answerByUs(calls);
    theirs = answerByOpa(OPA, calls);
  });

  it(`in ${calls.length} calls`, (t) => {
    const rows = calls.map((call, at) => ({ call, ours: ours[at] ?? {}, theirs: theirs[at] ?? {} }));
    const errors = rows.filter((row) => row.theirs.error !== undefined);
    const sameWords = errors.filter((row) => row.ours.error === row.theirs.error);
    t.diagnostic(`${errors.length} of ${calls.length} are errors, ${sameWords.length} of them in the same words`);
    assert.ok(errors.length > calls.length / 4, "too few errors");
    assert.ok(sameWords.length > errors.length * 0.8, "the words differ");
    const different = rows.filter((row) => !agree(row.ours, row.theirs) && !KNOWN.some((known) => known.is(row.call)));
    assert.deepEqual(
      different.map(
        (row) => `${row.call.name}(${row.call.operands.join(", ")}): ${show(row.ours)}, in OPA ${show(row.theirs)}`,
      ),
      [],
    );
  });

  it("an error that OPA shows is one that ends its evaluation where errors are strict", () => {
    const query = (words: readonly string[]): number | null =>
      spawnSync(OPA, ["eval", "--format", "json", "--strict-builtin-errors", ...words], { encoding: "utf8" }).status;
    assert.equal(query(['glob.match("{", [], "a")']), 2);
    assert.equal(query(["max([])"]), 0);
  });
});
