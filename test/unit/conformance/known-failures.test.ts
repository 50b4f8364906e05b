import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareWithKnown, loadKnownFailures, toKnownFailures } from "../../conformance/known-failures.ts";

const REASON = "a reason that is long enough to be one";
const KNOWN = toKnownFailures([{ reason: REASON, cases: ["a", "b"] }]);

describe("the list of known failures", () => {
  it("is in order, each case once and with a reason, and no longer than it was", () => {
    const known = loadKnownFailures();
    assert.ok(known.size <= 6, `${known.size} cases fail: the list may only get shorter`);
    for (const id of known.keys()) assert.match(id, /^(?:v0|v1|assets)\/\S+\.yaml: \S/);
  });

  const broken: readonly unknown[] = [
    {},
    [{ reason: "", cases: ["a"] }],
    [{ reason: "todo", cases: ["a"] }],
    [{ reason: REASON }],
    [{ reason: REASON, cases: [] }],
    [{ reason: REASON, cases: [1] }],
    [{ reason: REASON, cases: ["a", "a"] }],
    [{ cases: ["a"] }],
  ];
  for (const document of broken)
    it(`is refused as ${JSON.stringify(document)}`, () => assert.throws(() => toKnownFailures(document)));
});

describe("a run against the list", () => {
  const run = (passed: Readonly<Record<string, boolean>>, whole = true): string[] =>
    compareWithKnown(
      Object.entries(passed).map(([id, isPassed]) => ({ id, passed: isPassed })),
      KNOWN,
      whole,
    );

  it("is in order when exactly the listed cases fail", () =>
    assert.deepEqual(run({ a: false, b: false, c: true }), []));

  it("is not when another one fails", () =>
    assert.deepEqual(run({ a: false, b: false, c: false }), ["fails, and is not on the list: c"]));

  it("is not when a listed one passes", () =>
    assert.deepEqual(run({ a: true, b: false }), ["passes, so take it off the list: a"]));

  it("is not when a listed one is gone, unless only some cases ran", () => {
    assert.deepEqual(run({ a: false }), ["is on the list, and is no case of OPA's: b"]);
    assert.deepEqual(run({ a: false }, false), []);
  });
});
