// Every recorded CheckRequest becomes the input document that opa-envoy-plugin 1.19.1 gave its policy, or the same refusal.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { writeInput } from "../../src/policy/input.ts";
import { stackReader } from "../support/stack.ts";

interface Row {
  readonly name: string;
  readonly request: string;
  readonly want: {
    readonly input?: unknown;
    readonly rejected?: { readonly http_status: number; readonly body: string };
  };
}

const IDENTITY = '{"authenticated":false}';

for (const line of readFileSync(join(packageRoot(), "test/vectors/input.jsonl"), "utf8").trim().split("\n")) {
  const row = JSON.parse(line) as Row;
  test(`recorded request: ${row.name}`, () => {
    const read = stackReader(Buffer.from(row.request, "base64"));
    assert.ok(read.ok);
    const written = writeInput(read.value, IDENTITY, {});
    if (row.want.rejected !== undefined) {
      assert.ok(!written.ok);
      assert.equal(written.code, "request_malformed");
      assert.equal(`request_parse_error: ${written.detail}`, row.want.rejected.body);
      return;
    }
    assert.ok(written.ok);
    const { identity, ...input } = JSON.parse(written.value) as Record<string, unknown>;
    assert.deepEqual(identity, { authenticated: false });
    assert.deepEqual(positiveZeros(input), row.want.input);
    const want = bigIntegersOf(line.slice(line.indexOf('"want"')));
    assert.deepEqual(bigIntegersOf(written.value), want, "integers keep every digit");
  });
}

/** The integers that a double cannot hold: the recording kept them, but made other numbers doubles and -0 a 0. */
function bigIntegersOf(json: string): string[] {
  const withoutStrings = json.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  const numbers = withoutStrings.match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g) ?? [];
  return numbers.filter((text) => /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text))).sort();
}

function positiveZeros(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
