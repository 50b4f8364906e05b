// Where OPA's server panics, `json.patch` answers as RFC 6902 says, or is undefined; and what is kept is never changed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BuiltinError, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { parseValue, printValue } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

const patch = (document: string, patches: string): string => {
  const result = findBuiltin("json.patch")?.([parseValue(document), parseValue(patches)], builtinContextAt(0n));
  return result === undefined ? "undefined" : printValue(result);
};

const ANSWERED: readonly (readonly [what: string, document: string, patches: string, want: string])[] = [
  [
    "a scalar between composites is shifted along with them",
    "[]",
    '[{"op":"add","path":"/0","value":{"x":1}},{"op":"add","path":"/0","value":5},{"op":"add","path":"/0","value":7}]',
    '[7, 5, {"x": 1}]',
  ],
  [
    "a root that becomes an object is edited as one",
    "1",
    '[{"op":"add","path":"","value":{"x":1}},{"op":"add","path":"/y","value":2}]',
    '{"x": 1, "y": 2}',
  ],
  [
    "a root that was removed comes back",
    '{"a"}',
    '[{"op":"remove","path":""},{"op":"add","path":"","value":[1]},{"op":"add","path":"/-","value":2}]',
    "[1, 2]",
  ],
];

const REFUSED: readonly (readonly [what: string, document: string, patches: string])[] = [
  ["nothing is left of the document", "{}", '[{"op":"remove","path":""}]'],
  [
    "a member of a set is looked at after it was removed",
    '{"a"}',
    '[{"op":"remove","path":["a"]},{"op":"test","path":["a"],"value":"a"}]',
  ],
];

describe("json.patch beyond OPA", () => {
  for (const [what, document, patches, want] of ANSWERED) {
    it(what, () => assert.equal(patch(document, patches), want));
  }

  for (const [what, document, patches] of REFUSED) {
    it(`is undefined: ${what}`, () => assert.throws(() => patch(document, patches), BuiltinError));
  }

  it("leaves the document and what was copied out of it as they were", () => {
    const document = parseValue('{"a": {"b": [1]}, "s": {[1]}}');
    const before = printValue(document);
    const patches = parseValue(
      '[{"op":"copy","from":"/a","path":"/c"},{"op":"add","path":"/c/b/0","value":0},{"op":"add","path":["s",[1],0],"value":2}]',
    );
    const patched = findBuiltin("json.patch")?.([document, patches], builtinContextAt(0n));
    assert.equal(printValue(patched ?? null), '{"a": {"b": [1]}, "c": {"b": [0, 1]}, "s": {[2, 1]}}');
    assert.equal(printValue(document), before);
  });
});
