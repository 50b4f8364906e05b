// What `compatibility: opa-envoy-plugin` leaves out of input and answers.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { ActivePolicy } from "../../../src/policy/active-policy.ts";
import { decodeCheckResponse, encodeCheckRequest, toPlainMetadata } from "../../support/check-messages.ts";
import { inProcess } from "../../support/in-process.ts";

function ask(path: string, preset: boolean): { readonly input: string; readonly metadata: Record<string, unknown> } {
  let input = "";
  const policy = {
    revision: "r",
    entrypoint: "e",
    evaluate: (text: string) => {
      input = text;
      return '[{"result":{"allowed":false,"dynamic_metadata":{"svidgate":{"own":1},"decision_id":"x"}}}]';
    },
  } as unknown as ActivePolicy;
  const world = inProcess(policy, { metadataReason: !preset }, { withIdentity: !preset });
  const reply = world.check(encodeCheckRequest({ attributes: { request: { http: { path } } } }));
  assert.deepEqual(world.faults, []);
  assert.ok(reply.kind === "message");
  return { input, metadata: toPlainMetadata(decodeCheckResponse(reply.bytes)) };
}

it("gives the policy an identity and Envoy a reason, on a 400 too", () => {
  const { input, metadata } = ask("/", false);
  assert.ok("identity" in (JSON.parse(input) as object));
  assert.deepEqual(metadata["svidgate"], { reason: "policy_denied" });
  assert.deepEqual(ask("/%zz", false).metadata["svidgate"], { reason: "request_malformed" });
});

it("gives neither under the plugin's preset, where a policy's own `svidgate` metadata passes", () => {
  const { input, metadata } = ask("/", true);
  assert.ok(!("identity" in (JSON.parse(input) as object)));
  assert.deepEqual(metadata["svidgate"], { own: 1 });
  assert.match(String(metadata["decision_id"]), /^[0-9a-f-]{36}$/);
  assert.deepEqual(ask("/%zz", true).metadata, {});
});
