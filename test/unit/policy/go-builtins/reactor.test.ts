// The instance of the module of Go builtins: what it answers, and that no fault of a call is seen by the next one.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { loadReactor } from "../../../../src/policy/go-builtins/artifact.ts";
import type { GoAnswer, GoReactor } from "../../../../src/policy/go-builtins/reactor.ts";
import { WARM_UP, WARM_UP_UNIX_NS } from "../../../../src/policy/go-builtins/warm-up.ts";
import { PolicyError } from "../../../../src/policy/policy-error.ts";

const MANY_UNITS = 20_000_000;
let reactor: GoReactor;
before(() => {
  reactor = loadReactor(join(packageRoot(), "go-builtins"));
});

function call(request: readonly unknown[], maxUnits = MANY_UNITS, nowUnixNs = WARM_UP_UNIX_NS): GoAnswer {
  return reactor.call(Buffer.from(JSON.stringify(request)), nowUnixNs, maxUnits).answer;
}

const EXAMPLE = ["json.match_schema", { a: 1 }, { required: ["b"] }] as const;
const ANSWER = '[false,[{"desc":"b is required","error":"(Root): b is required","field":"(Root)","type":"required"}]]';

/** The instance is whole when it answers as ever. */
function assertWhole(): void {
  assert.deepEqual(call(EXAMPLE), { kind: "value", text: ANSWER });
}

it("answers with a value, with OPA's sentence, and says how much work it was", () => {
  assertWhole();
  assert.deepEqual(call(["json.match_schema", 1, {}]), {
    kind: "error",
    message: "wrong type, expected string or object",
  });
  const { units } = reactor.call(Buffer.from(JSON.stringify(EXAMPLE)), 0n, MANY_UNITS);
  assert.ok(units > 1_000 && units < 1_000_000, `${units} units`);
});

it("asks its caller what time it is", () => {
  const name = "crypto.x509.parse_and_verify_certificates";
  const verify = (unixNs: bigint) => call([name, ...(WARM_UP[name] ?? [])], MANY_UNITS, unixNs);
  assert.match(textOf(verify(WARM_UP_UNIX_NS)), /^\[true,/);
  assert.equal(textOf(verify(0n)), "[false,[]]");
});

const textOf = (answer: GoAnswer): string => (answer.kind === "value" ? answer.text : answer.kind);

describe("a call that does not come to an end", () => {
  const RANGES = `${"{{range $.x}}".repeat(8)}${"{{end}}".repeat(8)}`;
  const FAULTS: readonly (readonly [what: string, request: readonly unknown[], outOfUnits: boolean])[] = [
    [
      "eight loops in one another",
      ["strings.render_template", RANGES, { x: Array.from({ length: 100 }, () => 1) }],
      true,
    ],
    ["a loop of thousand millions", ["strings.render_template", "{{range 1000000000}}{{end}}", {}], true],
    ["a query of 100,000 fields", ["graphql.parse_query", `{${"a ".repeat(100_000)}}`], true],
    ["a module nested 50,000 deep", ["rego.parse_module", "a", `package a\np := ${"[".repeat(50_000)}`], false],
    ["a query nested 100,000 deep", ["graphql.parse_query", "{a".repeat(100_000)], false],
    ["a schema that refers to itself", ["json.match_schema", {}, { allOf: [{ $ref: "#" }] }], false],
  ];
  for (const [what, request, outOfUnits] of FAULTS) {
    it(`is stopped: ${what}`, () => {
      const answer = call(request);
      assert.equal(answer.kind, "fault");
      assert.ok(answer.kind === "fault" && answer.outOfUnits === outOfUnits, JSON.stringify(answer));
      assertWhole();
    });
  }

  it("is stopped wherever it is, and nothing is lost or grows", () => {
    const request = Buffer.from(JSON.stringify(["graphql.parse_query", `{${"a ".repeat(2_000)}}`]));
    assert.equal(reactor.call(request, 0n, MANY_UNITS).answer.kind, "value");
    reactor.settle();
    const memoryBytes = reactor.memoryBytes;
    for (let units = 1; units < 200_000; units = Math.ceil(units * 1.3)) {
      assert.equal(reactor.call(request, 0n, units).answer.kind, "fault");
      assertWhole();
    }
    assert.equal(reactor.memoryBytes, memoryBytes);
  });
});

it("starts from the first state in another memory when the memory has grown", () => {
  const before = reactor.memoryBytes;
  const text = '{{printf "%999999d" 1}}'.repeat(6);
  assert.deepEqual(call(["strings.render_template", text, {}], 100_000_000), {
    kind: "error",
    message: "the result is too long",
  });
  assert.ok(reactor.memoryBytes > before);
  assertWhole();
  assert.equal(call(["graphql.parse_query", "{a".repeat(100_000)]).kind, "fault");
  assert.equal(reactor.memoryBytes, before);
  assertWhole();
});

it("is stopped at the end of its memory, and answers again", () => {
  const answer = call(["strings.render_template", '{{printf "%999999d" 1}}'.repeat(30), {}], 200_000_000);
  assert.ok(answer.kind === "fault" && !answer.outOfUnits, JSON.stringify(answer));
  assertWhole();
});

it("takes no more memory for ten thousand calls", () => {
  for (let count = 0; count < 2_000; count++) assertWhole();
  const memoryBytes = reactor.memoryBytes;
  for (let count = 0; count < 8_000; count++) assertWhole();
  assert.equal(reactor.memoryBytes, memoryBytes);
});

it("makes a panic of OPA's code an error", () => {
  const answer = call(["graphql.is_valid", { Operations: [null] }, "type Query { a: Int }"]);
  assert.ok(answer.kind === "error" && answer.message.startsWith("the builtin failed: runtime error"));
  assertWhole();
});

for (const ref of ["http://127.0.0.1:1/x", "https://example.com/x", "file:///etc/hosts", "ftp://example.com/x"]) {
  it(`reads nothing from outside for a schema: ${ref}`, () => {
    const answer = call(["json.match_schema", {}, { $ref: ref }]);
    assert.ok(answer.kind === "error" && answer.message.startsWith("remote reference loading disabled: "));
    assert.equal(call(["json.verify_schema", { $ref: "http://json-schema.org/draft-07/schema#" }]).kind, "value");
  });
}

it("says that a request of the host is not one", () => {
  for (const request of [
    "",
    "1",
    "[]",
    "[1]",
    '["nope"]',
    '["graphql.parse_query"]',
    '["http.send",{}]',
    "[1",
    "[1]x",
  ]) {
    const { answer } = reactor.call(Buffer.from(request), 0n, MANY_UNITS);
    assert.ok(answer.kind === "fault" && !answer.outOfUnits, request);
  }
  assertWhole();
});

describe("the artifact", () => {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-go-builtins-"));
  after(() => rmSync(folder, { recursive: true }));
  const refused = (why: RegExp) =>
    assert.throws(
      () => loadReactor(folder),
      (error) => error instanceof PolicyError && error.code === "policy_missing_builtin" && why.test(error.message),
    );

  it("is refused when it is not there, or not what the checksums name, or no module", () => {
    refused(/cannot be loaded: .*checksums\.json/);
    const sha256 = "0".repeat(64);
    const checksums = { go: "go1", opa: "v1", wasm: { bytes: 9, sha256 }, brotli: { bytes: 9, sha256 } };
    writeFileSync(join(folder, "checksums.json"), JSON.stringify(checksums));
    writeFileSync(join(folder, "builtins.wasm.br"), brotliCompressSync(Buffer.from("no module")));
    refused(/is not the module of Go builtins that checksums\.json names/);
  });
});
