import assert from "node:assert/strict";
import { it } from "node:test";
import { type CompileRequest, parseAnswerLine, toRequestLine } from "../../../../src/policy/compiler/wire.ts";

const request: CompileRequest = {
  files: [{ path: "p.rego", text: "package p\nallow := true\n" }],
  entrypoints: ["p/allow"],
  regoVersion: "v1",
  builtins: ["sprintf"],
};

it("a request is one line, whatever the sources hold", () => {
  const line = toRequestLine({ ...request, strict: true, query: "data.p\n", pruneUnused: true });
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(line), {
    files: request.files,
    entrypoints: ["p/allow"],
    query: "data.p\n",
    rego_version: "v1",
    strict: true,
    prune_unused: true,
    builtins: ["sprintf"],
  });
});

const good = { wasm: "AGFzbQ==", plan: "{}", manifest: { revision: "", roots: [""], wasm: [], rego_version: 1 } };

it("an answer holds the module's bytes and the plan's text", () => {
  const answer = parseAnswerLine(JSON.stringify({ ...good, annotations: [{ path: [], annotations: {} }] }));
  assert.ok(answer !== undefined && "wasm" in answer);
  assert.deepEqual([...answer.wasm], [0, 0x61, 0x73, 0x6d]);
  assert.equal(answer.plan, "{}");
  assert.equal(answer.annotations.length, 1);
});

it("errors win over a module", () => {
  assert.deepEqual(parseAnswerLine(JSON.stringify({ ...good, errors: [{ code: "c", message: "m" }] })), {
    errors: [{ code: "c", message: "m" }],
  });
});

const unreadable: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a torn line", JSON.stringify(good).slice(0, -2)],
  ["null", "null"],
  ["an array", "[]"],
  ["no module", JSON.stringify({ ...good, wasm: undefined })],
  ["no plan", JSON.stringify({ ...good, plan: { static: {} } })],
  ["no manifest", JSON.stringify({ ...good, manifest: null })],
  ["a manifest without entrypoints", JSON.stringify({ ...good, manifest: { roots: [] } })],
  ["errors without codes", JSON.stringify({ errors: [{ message: "m" }] })],
  ["no errors and no module", JSON.stringify({ errors: [] })],
];
for (const [name, line] of unreadable) {
  it(`is not an answer: ${name}`, () => assert.equal(parseAnswerLine(line), undefined));
}

it("a request asks for more than a module only when it is told to", () => {
  const plain = JSON.parse(toRequestLine(request));
  assert.deepEqual(Object.keys(plain).sort(), ["builtins", "entrypoints", "files", "rego_version"]);
  const asking = JSON.parse(
    toRequestLine({
      ...request,
      values: true,
      tests: true,
      coverage: true,
      guardedBuiltins: ["div"],
      hostBuiltins: ["count"],
      experimentalKeywords: true,
    }),
  );
  const { values, tests, coverage, guarded_builtins, host_builtins, experimental_keywords } = asking;
  assert.deepEqual(
    [values, tests, coverage, guarded_builtins, host_builtins, experimental_keywords],
    [true, true, true, ["div"], ["count"], true],
  );
});

it("an answer has no expressions, tests and coverage unless it says so", () => {
  const plain = parseAnswerLine(JSON.stringify(good));
  assert.ok(plain !== undefined && "wasm" in plain);
  assert.deepEqual([plain.expressions, plain.tests, plain.coverage], [[], [], []]);
  const tests = [{ path: "data.p.test_a", package: "data.p", name: "test_a", file: "p.rego", row: 1, col: 1 }];
  const coverage = [{ file: "p.rego", ranges: [{ row: 1, col: 1, end_row: 1, end_col: 6, coverable: true }] }];
  const told = parseAnswerLine(
    JSON.stringify({ ...good, tests, expressions: [{ text: "1", row: 1, col: 1 }], coverage }),
  );
  assert.ok(told !== undefined && "wasm" in told);
  assert.deepEqual([told.tests, told.expressions.length, told.coverage], [tests, 1, coverage]);
});
