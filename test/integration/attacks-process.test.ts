// Attacks on the running program: storms of signals, sources that turn bad under it, a killed compiler, readers that go away.
// Expected: the policy in force goes on, whole, and says so.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { decodeCheckResponse, encodeCheckRequest, toPlainMetadata } from "../support/check-messages.ts";
import { createGrpcPeer, type GrpcPeer } from "../support/grpc-peer.ts";
import { lookalikeModule } from "../support/lookalike-module.ts";
import { runSvidgate, startServing } from "../support/serve-process.ts";

// Code and data carry the same number, so that an answer from two generations would show.
const policyOf = (generation: number): string => `package envoy.authz

default allow := false

allow := {"allowed": true, "dynamic_metadata": {"code": ${generation}, "data": data.generation}}
`;
const request = encodeCheckRequest({ attributes: { request: { http: { method: "GET", path: "/" } } } });

async function generationOf(peer: GrpcPeer): Promise<number> {
  const ended = await peer.call(CHECK_PATH, request);
  assert.ok("bytes" in ended, JSON.stringify(ended));
  const response = decodeCheckResponse(ended.bytes);
  const { code, data } = toPlainMetadata(response);
  assert.equal(response.status?.code ?? 0, 0);
  assert.equal(code, data);
  return Number(code);
}

describe("a running svidgate", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "svidgate-"));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  function sources(name: string): { folder: string; write(generation: number): void } {
    const folder = join(root, name);
    mkdirSync(folder);
    const write = (generation: number): void => {
      writeFileSync(join(folder, "p.rego"), policyOf(generation));
      writeFileSync(join(folder, "data.json"), JSON.stringify({ generation }));
    };
    write(1);
    return { folder, write };
  }

  it("decides by one whole policy in a storm of 50 reloads, and by the last one in the end", async () => {
    const { folder, write } = sources("storm");
    const server = await startServing(["--policy", folder, "--audit", "none"]);
    const peer = createGrpcPeer(server.address);
    try {
      for (let storm = 0; storm < 50; storm++) {
        server.signal("SIGHUP");
        assert.equal(await generationOf(peer), 1);
      }
      write(2);
      server.signal("SIGHUP");
      while ((await generationOf(peer)) !== 2);
    } finally {
      peer.close();
    }
    const { code, err } = await server.stop();
    assert.equal(code, 0);
    assert.ok(err.split('"msg":"reloaded"').length - 1 < 50, "signals that come during a reload share the next one");
  });

  it("keeps its policy when sources become unreadable, and takes them again when they are mended", async () => {
    const { folder, write } = sources("bad");
    const server = await startServing(["--policy", folder, "--audit", "none"]);
    const peer = createGrpcPeer(server.address);
    const refused = "reload failed: configuration and policy in force stay";
    try {
      const pipe = join(folder, "pipe.json");
      execFileSync("mkfifo", [pipe]);
      server.signal("SIGHUP");
      await server.logged(refused, 1);
      assert.equal(await generationOf(peer), 1);
      rmSync(pipe);

      rmSync(folder, { recursive: true });
      server.signal("SIGHUP");
      await server.logged(refused, 2);
      assert.equal(await generationOf(peer), 1);

      mkdirSync(folder);
      write(3);
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assert.equal(await generationOf(peer), 3);
    } finally {
      peer.close();
    }
    assert.equal((await server.stop()).code, 0);
  });

  it("keeps its policy when the module is replaced by one that only looks like OPA's", async () => {
    const { folder } = sources("module");
    const bundle = join(root, "bundle.tar.gz");
    assert.equal((await runSvidgate(["build", "--policy", folder, "--output", bundle])).code, 0);
    const server = await startServing(["--policy", bundle, "--audit", "none"]);
    const peer = createGrpcPeer(server.address);
    try {
      writeFileSync(bundle, lookalikeModule("wrong_type"));
      server.signal("SIGHUP");
      await server.logged("reload failed: configuration and policy in force stay");
      assert.equal(await generationOf(peer), 1);
    } finally {
      peer.close();
    }
    assert.equal((await server.stop()).code, 0);
  });

  it("is not ended by a SIGHUP or SIGTERM that comes as soon as it says that it serves", async () => {
    const { folder } = sources("early");
    const server = await startServing(["--policy", folder, "--audit", "none"]);
    server.signal("SIGHUP");
    assert.equal((await server.stop("SIGTERM")).code, 0);
  });

  it("stops at once at the second SIGTERM", async () => {
    const { folder } = sources("twice");
    const lameDuck = ["--set", "svidgate.drain.lame_duck=60s"];
    const server = await startServing(["--policy", folder, "--audit", "none", ...lameDuck]);
    server.signal("SIGTERM");
    await server.logged("draining");
    assert.equal((await server.stop("SIGTERM")).code, 0);
  });
});
