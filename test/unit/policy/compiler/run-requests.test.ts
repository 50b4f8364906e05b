import assert from "node:assert/strict";
import { it } from "node:test";
import { runRequests } from "../../../../src/policy/compiler/run-requests.ts";
import { wasm } from "../../../../src/policy/compiler/web-assembly.ts";
import { wasmModule } from "../../../support/wasm-binary.ts";

const UNREACHABLE = 0x00;
const CALL = 0x10;

/** What every one of two requests is answered when the compiler's start function is `start`. */
function answersOf(start: readonly number[]): unknown[] {
  const lines: unknown[] = [];
  const requests = [Buffer.from("{}\n"), Buffer.from("{}\n")];
  runRequests(new wasm.Module(wasmModule({ limits: [0, 1], start })), requests, (line) => {
    const text = Buffer.from(line).toString();
    assert.ok(text.endsWith("\n"));
    lines.push(JSON.parse(text));
  });
  return lines;
}

it("a compiler that traps gives each request an error of its own", () => {
  const error = { errors: [{ code: "internal", message: "unreachable" }] };
  assert.deepEqual(answersOf([UNREACHABLE]), [error, error]);
});

it("a compiler that never comes back from recursion is told from one that fails", () => {
  for (const answer of answersOf([CALL, 0])) {
    assert.equal((answer as { errors: { code: string }[] }).errors[0]?.code, "nesting_too_deep");
  }
});

it("a compiler that ends without an answer is an error, not an endless loop", () => {
  const error = { errors: [{ code: "internal", message: "the compiler ended early" }] };
  assert.deepEqual(answersOf([]), [error, error]);
});
