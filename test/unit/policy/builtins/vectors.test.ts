// Every recorded call of OPA 1.22.2's own builtins must get OPA's answer: its conformance cases, and hostile arguments of
// ours (test/vectors/builtins/, one row per call: value text in, value text, error or undefined out). A byte that is no UTF-8 is
// a lone surrogate in a row, as in the module's dumps.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { BuiltinError, builtinNames, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { parseDump, printValue } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

interface Row {
  readonly name: string;
  readonly builtin: string;
  readonly args: readonly string[];
  readonly now?: string;
  readonly want?: string;
  readonly error?: string;
}

const directory = path.join(packageRoot(), "test/vectors/builtins");
const families = readdirSync(directory).filter((name) => name.endsWith(".json"));
const rowsOf = (file: string): readonly Row[] => JSON.parse(readFileSync(path.join(directory, file), "utf8")) as Row[];

/** The answer as value text; "error" and "undefined" are the two ways to have none. */
function answer({ builtin, args, now }: Row): string {
  const call = findBuiltin(builtin);
  assert.ok(call !== undefined, `no builtin ${builtin}`);
  try {
    const value = call(args.map(parseDump), builtinContextAt(BigInt(now ?? "1700000000123456789")));
    return value === undefined ? "undefined" : printValue(value);
  } catch (error) {
    if (error instanceof BuiltinError) return "error";
    throw error;
  }
}

function expected({ want, error }: Row): string {
  if (error !== undefined) return "error";
  return want === undefined ? "undefined" : printValue(parseDump(want));
}

describe("builtins answer as OPA does", () => {
  for (const file of families) {
    it(file, () => {
      const rows = rowsOf(file);
      assert.ok(rows.length > 0);
      const differences = rows
        .map((row) => ({ row, got: answer(row), want: expected(row) }))
        .filter(({ got, want }) => got !== want);
      assert.deepEqual(differences, []);
    });
  }

  it("has a recorded call for every builtin whose answer is not random", () => {
    const recorded = new Set(families.flatMap((file) => rowsOf(file).map(({ builtin }) => builtin)));
    const unrecorded = builtinNames.filter((name) => !recorded.has(name));
    assert.deepEqual(unrecorded, ["opa.runtime", "rand.intn", "uuid.rfc4122"]);
  });
});
