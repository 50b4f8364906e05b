import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { indentJson, QUERY_FORMATS, toQueryReport } from "../../../src/policy/query-report.ts";
import { parseValue } from "../../../src/policy/value.ts";

it("indentation is that of JSON.stringify, whatever the value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(indentJson(JSON.stringify(value)), JSON.stringify(value, undefined, 2));
    }),
    { seed: 7, numRuns: 500 },
  );
});

it("what looks like JSON within a text stays text", () => {
  const value = { 'a":{[': ['b\\",', "\\\\", "{}", "[]", ":"] };
  assert.equal(indentJson(JSON.stringify(value)), JSON.stringify(value, undefined, 2));
});

it("numbers stay as they are written", () => {
  assert.equal(
    indentJson("[1.10,1e400,-0,12345678901234567890]"),
    "[\n  1.10,\n  1e400,\n  -0,\n  12345678901234567890\n]",
  );
});

const at = { row: 1, col: 1 };

it("JSON has OPA's members in OPA's order, bindings only where there are variables", () => {
  const results = [
    {
      expressions: [{ value: parseValue("{2, 1}"), text: "x := {1, 2}", ...at }],
      bindings: [["x", parseValue("{2, 1}")] as const],
    },
  ];
  assert.equal(
    toQueryReport(results, "json").replace(/\s/g, ""),
    '{"result":[{"expressions":[{"value":[1,2],"text":"x:={1,2}","location":{"row":1,"col":1}}],"bindings":{"x":[1,2]}}]}',
  );
  const lone = [{ expressions: [{ value: "a", text: '"a"', ...at }], bindings: [] }];
  assert.ok(!toQueryReport(lone, "json").includes("bindings"));
});

it("no results are undefined in every format", () => {
  assert.deepEqual(
    QUERY_FORMATS.map((format) => toQueryReport([], format)),
    ["{}\n", "undefined\n", "", "", ""],
  );
});
