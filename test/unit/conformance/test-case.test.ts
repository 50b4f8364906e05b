import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { parseValue, printValue } from "../../../src/policy/value.ts";
import { readCaseFile } from "../../conformance/case-files.ts";
import { parseCaseYaml } from "../../conformance/case-yaml.ts";
import { findOpaSource, opaVersion } from "../../conformance/opa-source.ts";
import type { Suite, TestCase } from "../../conformance/test-case.ts";

const read = (fields: string, suite: Suite = "v1"): TestCase => {
  const text = `cases:\n  - note: a\n    query: data.p.q = x\n    want_defined: true\n${fields.replace(/^/gm, "    ")}`;
  const [testCase] = readCaseFile(text, suite, "time/a.yaml");
  assert.ok(testCase);
  return testCase;
};

describe("the YAML of cases", () => {
  const rows: readonly (readonly [yaml: string, value: string])[] = [
    ["9223372036854775808", "9223372036854775808"],
    ["0x10", "16"],
    ["1.0", "1"],
    ["1e3", "1000"],
    ['"1"', '"1"'],
    ["~", "null"],
    ["[true, {a: [1, x]}]", '[true, {"a": [1, "x"]}]'],
    ['"\\u00e9\\ud83d\\ude00"', '"é😀"'],
  ];
  for (const [yaml, value] of rows)
    it(`reads ${yaml} as ${value}`, () => assert.equal(printValue(parseCaseYaml(yaml)), printValue(parseValue(value))));

  it("refuses what is no YAML", () => assert.throws(() => parseCaseYaml("a: [1"), /not YAML/));
});

describe("a case", () => {
  it("has its data as JSON text, `{}` when there is none", () => {
    assert.equal(read("data: {a: [1, 123456789012345678901]}").data, '{"a":[1,123456789012345678901]}');
    assert.equal(read("data: null").data, "{}");
    assert.equal(read("modules: []").data, "{}");
  });

  it("has an input, or none", () => {
    assert.equal(read("modules: []").input, undefined);
    assert.equal(read("input: null").input, undefined);
    assert.equal(read("input: 0").input, "0");
    assert.equal(read("input: {x: true}").input, '{"x":true}');
  });

  it("has a term as input where one is given, sets and last commas included", () => {
    assert.equal(
      read(`input: 1\ninput_term: '{"x": {1, "a,}"}, "y": [set(),],}'`).input,
      '{"x": {1, "a,}"}, "y": [set()]}',
    );
  });

  it("of the assets has no input where their runner gives none", () => {
    for (const input of ["0", "false", '""', "null"]) assert.equal(read(`input: ${input}`, "assets").input, undefined);
    assert.equal(read("input: {}", "assets").input, "{}");
  });

  it("is named after suite, file and note, and counted where a file has the note twice", () => {
    const one = "\n  - {note: n, query: x, want_defined: true}";
    const ids = readCaseFile(`cases:${one}${one}${one}`, "v0", "units/b.yaml").map(({ id }) => id);
    assert.deepEqual(ids, ["v0/units/b.yaml: n", "v0/units/b.yaml: n (2)", "v0/units/b.yaml: n (3)"]);
  });

  it("knows its folder, an asset's file being one", () => {
    assert.equal(read("modules: []").folder, "time");
    const [asset] = readCaseFile("cases: [{note: n, query: x, want_defined: true}]", "assets", "018_builtins.yaml");
    assert.equal(asset?.folder, "builtins");
  });

  it("is refused when a field is not known, or nothing is wanted", () => {
    assert.throws(() => read("env: {A: b}"), /time\/a\.yaml: a: field `env` is not known/);
    assert.throws(() => readCaseFile("cases: [{note: n, query: x}]", "v1", "a/b.yaml"), /wants nothing/);
    assert.throws(() => readCaseFile("cases: [{note: n, want_defined: true}]", "v1", "a/b.yaml"), /no query/);
    assert.throws(() =>
      readCaseFile("cases: [{note: n, query: x, modules: [1], want_defined: true}]", "v1", "a/b.yaml"),
    );
    assert.throws(() => readCaseFile("other: 1", "v1", "a/b.yaml"), /v1\/a\/b\.yaml: no list of cases/);
  });
});

describe("the folder of OPA's sources", () => {
  it("is refused when it has no cases, with what to do", () => {
    const folder = mkdtempSync(`${tmpdir()}/svidgate-conformance-`);
    try {
      assert.throws(
        () => findOpaSource(folder),
        /has no `v1\/test\/cases\/testdata\/v1`: name a folder with OPA's sources v1\./,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is of the version that the compiler is made of", () => assert.match(opaVersion(), /^v1\.\d+\.\d+$/));
});
