// Every recorded call of a builtin that the host answers in place of OPA's module must get the answer of OPA 1.22.2, or its
// error in its words (test/vectors/natives/, one row per call: value text in, value text or sentence out). The rows hold
// malformed globs, line feeds, every kind of delimiter, and paths to the root, on which the module itself traps.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { BuiltinError } from "../../../../src/policy/builtins/builtin.ts";
import { findNative, nativeRequest } from "../../../../src/policy/builtins/natives.ts";
import { HOST_PREFIX } from "../../../../src/policy/compiler/index.ts";
import { parseDump, printValue } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

interface Row {
  readonly builtin: string;
  readonly args: readonly string[];
  readonly want?: string;
  readonly error?: string;
}

const directory = path.join(packageRoot(), "test/vectors/natives");

function answer({ builtin, args }: Row): string {
  const call = findNative(HOST_PREFIX + builtin);
  assert.ok(call !== undefined, `no builtin ${builtin}`);
  try {
    return printValue(call(args.map(parseDump), builtinContextAt(0n)) ?? null);
  } catch (error) {
    if (error instanceof BuiltinError) return `error: ${error.message}`;
    throw error;
  }
}

const expected = ({ want, error }: Row): string =>
  want === undefined ? `error: ${error}` : printValue(parseDump(want));

describe("what the host answers in the module's place is what OPA answers", () => {
  for (const file of readdirSync(directory)) {
    const rows = JSON.parse(readFileSync(path.join(directory, file), "utf8")) as Row[];
    it(`${file}: ${rows.length} calls`, () => {
      assert.ok(rows.length > 0);
      const { hostBuiltins = [], hostUnlessConstant = {} } = nativeRequest(false);
      for (const { builtin } of rows)
        assert.ok(hostBuiltins.includes(builtin) || builtin in hostUnlessConstant, builtin);
      const differences = rows
        .map((row) => ({ row, got: answer(row), want: expected(row) }))
        .filter(({ got, want }) => got !== want);
      assert.deepEqual(differences, []);
    });
  }
});
