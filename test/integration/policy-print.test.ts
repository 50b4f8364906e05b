// `print` and `trace` of a policy that decides: lines of the log at debug, and nothing at all, not even in the module, otherwise.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type LoadOptions, loadActivePolicy, loadProgram } from "../../src/policy/load.ts";
import { PRINT_BUILTIN, withPrint } from "../../src/policy/print-builtin.ts";
import { RegoSet } from "../../src/policy/value.ts";
import { builtinContextAt } from "../support/builtin-context.ts";
import { encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { startServing } from "../support/serve-process.ts";
import { itOnStack, STACK_ENGINE } from "../support/stack.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-print-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const PRINTING = file(
  "print.rego",
  `package envoy.authz

default allow := false

allow if {
	print("asked for", input.parsed_path, {1, 2}, input.missing)
	trace(sprintf("note of %s", [input.attributes.request.http.method]))
	input.parsed_path == ["ok"]
}
`,
);
const SILENT = file(
  "silent.rego",
  `package envoy.authz

default allow := false

allow if {

	trace(sprintf("note of %s", [input.attributes.request.http.method]))
	input.parsed_path == ["ok"]
}
`,
);

const optionsOf = (path: string, over: Partial<LoadOptions> = {}): LoadOptions => ({
  paths: [path],
  dataFiles: [],
  regoVersion: "v1",
  entrypoint: "envoy/authz/allow",
  engine: STACK_ENGINE,
  strictBuiltinErrors: false,
  maxMemoryBytes: 64 * 1024 * 1024,
  clock: createManualClock(),
  ...over,
});

const signal = (): AbortSignal => new AbortController().signal;
const REQUEST = { parsed_path: ["ok"], attributes: { request: { http: { method: "GET" } } } };

async function serveOnce(level: string): Promise<readonly Record<string, unknown>[]> {
  const serving = await startServing(["--policy", PRINTING, "--log-level", level]);
  const peer = createGrpcPeer(serving.address);
  const http = { method: "GET", path: "/ok", headers: {} };
  await peer.call(
    "/envoy.service.auth.v3.Authorization/Check",
    encodeCheckRequest({ attributes: { request: { http } } }),
  );
  peer.close();
  const { err } = await serving.stop();
  const lines = err.split("\n").filter((line) => line.startsWith("{"));
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => String(msg).startsWith("policy print") || String(msg).startsWith("policy trace"));
}

describe("print and trace of a policy that decides", () => {
  itOnStack("policy-print", "go to the log of serve at debug", async () => {
    const lines = await serveOnce("debug");
    const told = lines.map(({ level, msg, text, note }) => ({ level, msg, said: text ?? note }));
    const once = [
      { level: "debug", msg: "policy print", said: 'asked for ["ok"] {1, 2} <undefined>' },
      { level: "debug", msg: "policy trace", said: "note of GET" },
    ];
    // The policy is evaluated once on a made-up request before it decides, which may speak too.
    for (const line of once)
      assert.ok(
        told.some((other) => JSON.stringify(other) === JSON.stringify(line)),
        JSON.stringify(told),
      );
  });

  it("are nowhere at info", async () => assert.deepEqual(await serveOnce("info"), []));

  it("are not even in the module when nobody listens: the compiler erases print and its operands", async () => {
    const [printing, silent] = [await loadProgram(optionsOf(PRINTING)), await loadProgram(optionsOf(SILENT))];
    assert.ok(printing.ok && silent.ok);
    assert.ok(!Buffer.from(printing.wasm).includes("asked for"));
    const kept = await loadProgram(optionsOf(PRINTING, { onPrint: () => undefined }));
    assert.ok(kept.ok && Buffer.from(kept.wasm).includes("asked for"));
  });

  itOnStack("policy-print", "decide nothing: the answer is the same with and without a listener", async () => {
    const lines: string[] = [];
    const notes: string[] = [];
    const listening = { onPrint: (line: string) => lines.push(line), onTrace: (note: string) => notes.push(note) };
    const answers: string[] = [];
    for (const over of [{}, listening]) {
      const loaded = await loadActivePolicy(optionsOf(PRINTING, over));
      assert.ok(loaded.ok);
      lines.length = 0;
      notes.length = 0;
      for (const path of [["ok"], ["no"]]) {
        answers.push(String(await loaded.policy.evaluate(JSON.stringify({ ...REQUEST, parsed_path: path }), signal)));
      }
    }
    assert.deepEqual(answers.slice(0, 2), answers.slice(2));
    assert.notEqual(answers[0], answers[1]);
    assert.deepEqual(lines, ['asked for ["ok"] {1, 2} <undefined>', 'asked for ["no"] {1, 2} <undefined>']);
    assert.deepEqual(notes, ["note of GET", "note of GET"]);
  });

  it("are bounded: combinations of long operands end at a million characters", () => {
    const lines: string[] = [];
    const print = withPrint(
      () => undefined,
      (line) => lines.push(line),
      undefined,
    )(PRINT_BUILTIN);
    const long = RegoSet.of(Array.from({ length: 100 }, (_, at) => `${at}`.padEnd(1_000)));
    assert.equal(print?.([[long, long]], builtinContextAt(0n)), undefined);
    const characters = lines.reduce((sum, line) => sum + line.length, 0);
    assert.ok(characters > 900_000 && characters <= 1_048_576, String(characters));
  });
});
