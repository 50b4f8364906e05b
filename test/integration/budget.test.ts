// One hostile body beside ordinary requests on the running program. Expected: its own request is denied, by its reason, and
// nobody else notices; the metric says what was spent. How long others wait is measured by bench/hostile.ts.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer, type GrpcPeer } from "../support/grpc-peer.ts";
import { type Serving, startServing } from "../support/serve-process.ts";

const POLICY = `package envoy.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
}

# Doubled items are refused, as people write it.
allow if {
	items := input.parsed_body.items
	count([1 | some x in items; some y in items; x == y]) == count(items)
}
`;
const post = (items: number): Uint8Array =>
  encodeCheckRequest({
    attributes: {
      request: {
        http: {
          method: "POST",
          path: "/",
          headers: { "content-type": "application/json" },
          raw_body: Buffer.from(JSON.stringify({ items: Array.from({ length: items }, (_, n) => n) })),
        },
      },
    },
  });
const get = encodeCheckRequest({ attributes: { request: { http: { method: "GET", path: "/" } } } });

describe("a body that is hostile to a quadratic policy", () => {
  let folder: string;
  let server: Serving;
  let peer: GrpcPeer;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-"));
    writeFileSync(join(folder, "p.rego"), POLICY);
    server = await startServing(["--policy", join(folder, "p.rego"), "--audit", `file:${join(folder, "audit.jsonl")}`]);
    peer = createGrpcPeer(server.address);
  });
  after(async () => {
    peer.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const statusOf = async (request: Uint8Array): Promise<number | undefined> => {
    const ended = await peer.call(CHECK_PATH, request);
    assert.ok("bytes" in ended, JSON.stringify(ended));
    return decodeCheckResponse(ended.bytes).status?.code ?? 0;
  };

  it("is denied while ordinary requests pass and /livez answers", async () => {
    assert.deepEqual([await statusOf(get), await statusOf(post(20))], [0, 0]);
    const asked = Array.from({ length: 20 }, async (_, index) => {
      const hostile = statusOf(post(20_000));
      const ordinary = await Promise.all([statusOf(get), statusOf(post(20)), statusOf(get)]);
      const live = index % 5 === 0 ? (await fetch(`${server.admin}/livez`)).status : 200;
      return { hostile: await hostile, ordinary, live };
    });
    for (const { hostile, ordinary, live } of await Promise.all(asked)) {
      assert.equal(hostile, 7);
      assert.deepEqual(ordinary, [0, 0, 0]);
      assert.equal(live, 200);
    }
  });

  it("is counted by its reason, and every evaluation by its steps", async () => {
    const text = await (await fetch(`${server.admin}/metrics`)).text();
    assert.match(text, /^svidgate_decisions_total\{outcome="deny",reason="policy_budget"\} 20$/m);
    const steps = Number(/^svidgate_evaluation_steps_count (\d+)$/m.exec(text)?.[1]);
    assert.ok(steps >= 82, `${steps}`);
    const few = Number(/^svidgate_evaluation_steps_bucket\{le="10000"\} (\d+)$/m.exec(text)?.[1]);
    assert.ok(few >= 41 && few <= steps - 20, `${few} of ${steps}`);
  });
});
