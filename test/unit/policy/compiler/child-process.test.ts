// The limits that the parent keeps and what the child must not inherit.
import assert from "node:assert/strict";
import { it } from "node:test";
import { type CompileRequest, compileRego, compileRegoBatch } from "../../../../src/policy/compiler/index.ts";

const request: CompileRequest = {
  files: [{ path: "p.rego", text: "package p\nallow := true" }],
  entrypoints: ["p/allow"],
  regoVersion: "v1",
  builtins: [],
};

it("a compiler that is late is killed, and every request says so", async () => {
  const results = await compileRegoBatch([request, request], { timeoutMs: 1 });
  for (const result of results) {
    assert.ok(!result.ok);
    assert.equal(result.code, "compiler_timeout");
    assert.equal(result.detail, "the compiler did not finish within 1 ms");
  }
});

it("a policy that needs more memory than allowed is refused, and the next one compiles", async () => {
  const table = Array.from({ length: 3000 }, (_, i) => `"${i}": {"${i}": input.a${i}}`).join(",\n");
  const large = { ...request, files: [{ path: "p.rego", text: `package p\nallow := {${table}}` }] };
  const [first, second] = await compileRegoBatch([large, request], { maxMemoryBytes: 32 * 1024 * 1024 });
  assert.ok(first !== undefined && !first.ok);
  assert.deepEqual([first.code, first.errors[0]?.code], ["policy_compile", "memory_limit"]);
  assert.equal(second?.ok, true);
});

it("a limit below what the compiler itself needs is our fault, not the policy's", async () => {
  const result = await compileRego(request, { maxMemoryBytes: 1024 * 1024 });
  assert.ok(!result.ok);
  assert.equal(result.code, "compiler_unavailable");
  assert.match(result.detail, /needs \d+ pages, 16 are allowed/);
});

it("the server's NODE_OPTIONS are not for the compiler", async () => {
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = "--require /nonexistent/svidgate-test.cjs";
  try {
    const result = await compileRego(request);
    assert.ok(result.ok, JSON.stringify(result));
  } finally {
    if (before === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = before;
  }
});

it("sources that are far too large are refused without a process", async () => {
  const huge = { ...request, files: [{ path: "p.rego", text: " ".repeat(32 * 1024 * 1024 + 1) }] };
  const results = await compileRegoBatch([huge, huge], { timeoutMs: 60_000 });
  for (const result of results) {
    assert.ok(!result.ok);
    assert.deepEqual([result.code, result.errors[0]?.code], ["policy_compile", "sources_too_large"]);
  }
});

it("no requests, no process, no results", async () => {
  assert.deepEqual(await compileRegoBatch([]), []);
});

it("the same request gives the same bytes in every process", async () => {
  const [first, second] = await Promise.all([compileRego(request), compileRego(request)]);
  assert.deepEqual(first, second);
});
