// The families of generated requests that are asked of svidgate and of the real plugin, and how answers are compared.

import assert from "node:assert/strict";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { checkRequest } from "../../src/authz/check-request-fields.ts";
import type { ProtoDescriptor } from "../../src/policy/body/proto-descriptor.ts";
import { writeInput } from "../../src/policy/input.ts";
import { withNumbersAsText } from "./json-oracle.ts";
import type { PluginAnswer } from "./opa-envoy-plugin.ts";
import type { Random } from "./random.ts";
import { randomMessage } from "./random-messages.ts";
import { randomMultipartRequest } from "./random-multipart.ts";
import { randomFormRequest, randomJsonRequest, randomTarget, toRequest } from "./random-requests.ts";
import { stackReader } from "./stack.ts";
import { descriptorSet, randomTypedMessage } from "./test-descriptor.ts";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));

/** The families of generated requests. */
export const FAMILIES: Readonly<Record<string, (random: Random) => Uint8Array>> = {
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

/** What svidgate makes of a request. */
export function ask(request: Uint8Array, protoDescriptor: ProtoDescriptor): PluginAnswer {
  const read = stackReader(request);
  if (!read.ok) return { kind: "unreadable" };
  const written = writeInput(read.value, undefined, { protoDescriptor });
  return written.ok ? { kind: "input", json: written.value } : { kind: "malformed", detail: written.detail ?? "" };
}

/** An answer in a form that compares: numbers as they were written; protobuf's own sentences by their first word. */
export function comparable(answer: PluginAnswer): unknown {
  if (answer.kind === "input") return withNumbersAsText(answer.json);
  if (answer.kind === "malformed" && /^proto:/.test(answer.detail)) return { ...answer, detail: "proto" };
  return answer;
}
