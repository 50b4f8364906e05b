// What the line-rate listener relays, in a running `svidgate serve` and by a real grpc-js client: Health/Watch through a drain, and
// reflection; checks go on beside them on the same connection.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Metadata } from "../../src/base/grpc.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { makeFolder } from "../support/open-check-server.ts";
import { startServing } from "../support/serve-process.ts";

const pass = (bytes: Buffer): Buffer => bytes;
/** HealthCheckRequest of `ready`, HealthCheckResponse of SERVING and NOT_SERVING. */
const READY = Buffer.from("\x0a\x05ready");
const SERVING = Buffer.from([0x08, 1]);
const NOT_SERVING = Buffer.from([0x08, 2]);

describe("what is relayed", () => {
  it("is a watch that hears of the drain, beside checks", async (t) => {
    const policy = join(makeFolder(t), "policy.rego");
    writeFileSync(policy, "package envoy.authz\ndefault allow := true\n");
    const serving = await startServing(["--policy", policy, "--audit", "none", "--set", "svidgate.listener=line-rate"]);
    const peer = createGrpcPeer(serving.address);
    t.after(() => peer.close());
    const heard: Buffer[] = [];
    let wake = (): void => undefined;
    const watch = peer.client.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      pass,
      pass,
      READY,
      new Metadata(),
    );
    watch.on("data", (bytes: Buffer) => {
      heard.push(bytes);
      wake();
    });
    const ended = new Promise<void>((resolve) => watch.once("error", () => resolve()).once("end", () => resolve()));
    const hears = async (count: number): Promise<void> => {
      while (heard.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await hears(1);
    for (let at = 0; at < 50; at++) assert.ok("bytes" in (await peer.call(CHECK_PATH, Buffer.alloc(0))));
    const stopped = serving.stop();
    await hears(2);
    assert.deepEqual(heard, [SERVING, NOT_SERVING]);
    await ended;
    assert.equal((await stopped).code, 0);
  });

  it("is reflection, when it was asked for", async (t) => {
    const policy = join(makeFolder(t), "policy.rego");
    writeFileSync(policy, "package envoy.authz\ndefault allow := true\n");
    const serving = await startServing([
      ...["--policy", policy, "--audit", "none"],
      ...["--set", "svidgate.listener=line-rate", "--set", "svidgate.reflection=true"],
    ]);
    const peer = createGrpcPeer(serving.address);
    t.after(() => peer.close());
    const stream = peer.client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      pass,
      pass,
      new Metadata(),
    );
    stream.on("error", () => undefined);
    const ask = (request: Buffer): Promise<Buffer> =>
      new Promise((resolve) => {
        stream.once("data", resolve);
        stream.write(request);
      });
    // list_services, then the file of the larger one; SPEC: ServerReflectionRequest fields 7 and 4.
    assert.ok((await ask(Buffer.from("\x3a\x01*"))).includes("envoy.service.auth.v3.Authorization"));
    const symbol = "envoy.service.auth.v3.CheckRequest";
    const file = await ask(Buffer.from(`\x22${String.fromCharCode(symbol.length)}${symbol}`));
    assert.ok(file.includes("AttributeContext") && file.length > 2000, `${file.length} bytes`);
    stream.end();
    assert.ok("bytes" in (await peer.call(CHECK_PATH, Buffer.alloc(0))));
    peer.close();
    assert.equal((await serving.stop()).code, 0);
  });
});
