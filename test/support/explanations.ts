// What every explanation must be, whatever it explains: one rule failed, or none; before it nothing that was not gone through.

import assert from "node:assert/strict";
import type { Explanation } from "../../src/identity/explain/checks.ts";

/** Asserts that the explanation tells the verifier's own answer: this reason code, or none, and rows that go with it. */
export function assertTells({ verdict, code, checks }: Explanation, expected: string | undefined, name = ""): void {
  assert.equal(code, expected, name);
  const outcomes = checks.map(({ outcome }) => outcome);
  const failed = checks.filter(({ outcome }) => outcome === "fail");
  if (expected === undefined) {
    assert.ok(verdict === "accepted" || verdict === "incomplete", `${name}: ${verdict}`);
    assert.ok(!outcomes.includes("fail") && !outcomes.includes("not_reached"), name);
    return;
  }
  assert.equal(verdict, "refused", name);
  assert.deepEqual(
    failed.map((row) => row.code),
    [expected],
    name,
  );
  const at = outcomes.indexOf("fail");
  assert.ok(
    outcomes.slice(at + 1).every((outcome) => outcome === "not_reached"),
    `${name}: something behind the rule that failed was reached`,
  );
  // Rules of one search say nothing of each other, so those before it may be open too; nothing else may.
  const before = outcomes.slice(0, at);
  const open = before.indexOf("not_reached");
  const gone = open < 0 ? before : before.slice(0, open);
  assert.ok(
    gone.every((outcome) => outcome === "pass" || outcome === "not_checked"),
    name,
  );
  assert.ok(
    before.slice(gone.length).every((outcome) => outcome === "not_reached"),
    name,
  );
}

/** Whether any `length` characters in a row of `secret` stand in `text`. */
export function leaks(text: string, secret: string, length = 12): string | undefined {
  for (let at = 0; at + length <= secret.length; at++) {
    const window = secret.slice(at, at + length);
    if (text.includes(window)) return window;
  }
  return undefined;
}
