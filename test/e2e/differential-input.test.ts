// Hundreds of generated requests, asked of svidgate's input writer and of the real opa-envoy-plugin: the documents, the
// refusals and their sentences must be equal. The seed is fixed, `SVIDGATE_DIFFERENTIAL_SEED` and `…_ROWS` widen the run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import { checkRequest } from "../../src/authz/check-request-fields.ts";
import { type ProtoDescriptor, parseProtoDescriptor } from "../../src/policy/body/proto-descriptor.ts";
import { writeInput } from "../../src/policy/input.ts";
import { type OpaEnvoyPlugin, type PluginAnswer, pluginMissing, startPlugin } from "../support/opa-envoy-plugin.ts";
import { Random } from "../support/random.ts";
import { randomMessage } from "../support/random-messages.ts";
import { randomMultipartRequest } from "../support/random-multipart.ts";
import { randomFormRequest, randomJsonRequest, randomTarget, toRequest } from "../support/random-requests.ts";
import { descriptorSet, randomTypedMessage } from "../support/test-descriptor.ts";

const missing = pluginMissing();
const seed = Number(process.env["SVIDGATE_DIFFERENTIAL_SEED"] ?? "20261122");
const rows = Number(process.env["SVIDGATE_DIFFERENTIAL_ROWS"] ?? "150");

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));

/** The families of generated requests. */
const FAMILIES: Readonly<Record<string, (random: Random) => Uint8Array>> = {
  "paths and queries": (random) => toRequest(randomTarget(random)),
  "JSON bodies": (random) => toRequest(randomJsonRequest(random)),
  forms: (random) => toRequest(randomFormRequest(random)),
  "multipart forms": (random) => toRequest(randomMultipartRequest(random)),
  messages: (random) => randomMessage(random, checkRequest, 12, random.chance(30)),
  "damaged messages": (random) =>
    random.mutate(Buffer.from(randomMessage(random, checkRequest, 9, true)), 1 + random.below(2)),
  "gRPC bodies": randomGrpcRequest,
};

function randomGrpcRequest(random: Random): Uint8Array {
  const method = random.chance(70) ? "Ask" : random.pick(["AskLegacy", "AskLegacy", "Watch", "Send", "Talk", "None"]);
  const type = registry.getMessage(method === "AskLegacy" ? "svidgate.test.Legacy" : "svidgate.test.Everything");
  assert.ok(type !== undefined);
  let message: Buffer = Buffer.from(randomTypedMessage(random, type, 3));
  if (random.chance(5)) message = random.mutate(message, 1);
  const prefix = Buffer.from([random.chance(97) ? 0 : 1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(Math.max(0, message.length + (random.chance(95) ? 0 : random.below(3) - 1)), 1);
  const path = random.chance(95)
    ? `/svidgate.test.Oracle/${method}`
    : random.pick(["/svidgate.test.Everything/Ask", "/x", "/a/b/c"]);
  const rawBody = random.chance(97) ? Buffer.concat([prefix, message]) : prefix.subarray(0, random.below(5));
  return toRequest({
    path,
    headers: { "content-type": random.pick(["application/grpc", "application/grpc+proto"]) },
    rawBody,
  });
}

function ask(request: Uint8Array, protoDescriptor: ProtoDescriptor): PluginAnswer {
  const read = readCheckRequest(request);
  if (!read.ok) return { kind: "unreadable" };
  const written = writeInput(read.value, undefined, { protoDescriptor });
  return written.ok ? { kind: "input", json: written.value } : { kind: "malformed", detail: written.detail ?? "" };
}

/** An answer in a form that compares: numbers as they were written; protobuf's own sentences by their first word. */
function comparable(answer: PluginAnswer): unknown {
  if (answer.kind === "input") {
    const json = answer.json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (part) =>
      part[0] === '"' ? part : `"number ${part}"`,
    );
    return JSON.parse(json);
  }
  if (answer.kind === "malformed" && /^proto:/.test(answer.detail)) return { ...answer, detail: "proto" };
  return answer;
}

/**
 * The one known difference: where a part without a name fails to decode as quoted-printable, the plugin goes on reading in
 * the middle of that part, at a place that its buffers decide; svidgate goes on after it.
 */
function isMidPart(request: Uint8Array, want: PluginAnswer): boolean {
  const readsOn = want.kind === "malformed" && /^multipart: (?:unexpected line|NextPart: EOF)/.test(want.detail);
  return readsOn && /quoted-printable/i.test(Buffer.from(request).toString("latin1"));
}

test("generated requests get the plugin's input document or its refusal", { skip: missing ?? false }, async (t) => {
  const parsed = await parseProtoDescriptor(descriptorSet);
  assert.ok(parsed.ok);
  const plugin: OpaEnvoyPlugin = await startPlugin(descriptorSet);
  try {
    for (const [index, [family, generate]] of Object.entries(FAMILIES).entries()) {
      await t.test(`${family}: ${rows} rows`, async (t) => {
        const random = new Random(seed + index);
        const kinds: Record<string, number> = {};
        for (let row = 0; row < rows; row++) {
          const request = generate(random);
          const want = await plugin.ask(request);
          kinds[want.kind] = (kinds[want.kind] ?? 0) + 1;
          const got = ask(request, parsed.value);
          if (isMidPart(request, want)) continue;
          assert.deepEqual(comparable(got), comparable(want), `row ${row}: ${Buffer.from(request).toString("base64")}`);
        }
        t.diagnostic(JSON.stringify(kinds));
      });
    }
  } finally {
    await plugin.stop();
  }
});
