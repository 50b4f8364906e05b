// Limits of the listener on the running program: what is configured holds, and the log, the metrics and GET /status say so.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { literals, ping } from "../support/h2-frames.ts";
import { openRawPeer } from "../support/h2-raw-peer.ts";
import { CHECK_FIELDS, check, MESSAGE } from "../support/line-rate.ts";
import { type Serving, startServing } from "../support/serve-process.ts";

const ENHANCE_YOUR_CALM = 0xb;

describe("a svidgate with limits of its own", () => {
  let folder: string;
  let server: Serving;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-"));
    const policy = join(folder, "policy.rego");
    writeFileSync(policy, "package envoy.authz\n\ndefault allow := false\n");
    const limits = ["control_frames_per_second=20", "max_header_list=4KiB", "max_continuations=0"];
    const set = limits.flatMap((limit) => ["--set", `svidgate.limits.${limit}`]);
    server = await startServing(["--policy", policy, "--audit", "none", ...set]);
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const counted = async (series: string): Promise<number> => {
    const text = await (await fetch(`${server.admin}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${series} `));
    return Number(line?.split(" ")[1] ?? Number.NaN);
  };

  it("ends a connection that floods, answers the one beside it, and tells whose it was", async () => {
    const quiet = openRawPeer(server.address);
    const loud = openRawPeer(server.address, { acks: false });
    loud.send(...Array.from({ length: 100 }, () => ping()));
    assert.equal(await loud.goodbye(), ENHANCE_YOUR_CALM);
    quiet.send(check(1));
    const answer = await quiet.answer(1);
    assert.equal(answer.blocks.at(-1)?.["grpc-status"], "0");
    quiet.socket.destroy();
    await server.logged("connection ended");
    assert.equal(await counted('svidgate_http2_connections_ended_total{reason="control_flood"}'), 1);
    assert.equal(await counted('svidgate_http2_connections_ended_total{reason="protocol_error"}'), 0);
  });

  it("refuses a call whose header list is too large, and keeps its connection", async () => {
    const peer = openRawPeer(server.address);
    const large = literals([...CHECK_FIELDS, ["x-filler", "x".repeat(4_096)]]);
    peer.send(check(1, MESSAGE, large), check(3));
    const [refused, answered] = await Promise.all([peer.answer(1), peer.answer(3)]);
    assert.notEqual(refused.blocks.at(-1)?.["grpc-status"], "0");
    assert.equal(answered.blocks.at(-1)?.["grpc-status"], "0");
    peer.socket.destroy();
    assert.equal(await counted('svidgate_http2_streams_refused_total{reason="header_list"}'), 1);
  });

  it("tells its limits in GET /status", async () => {
    const status = (await (await fetch(`${server.admin}/status`)).json()) as {
      listener: { kind: string; limits: Record<string, number | null> };
    };
    const { kind, limits } = status.listener;
    assert.equal(kind, "line-rate");
    assert.deepEqual(
      [limits["control_frames_per_second"], limits["max_header_list_bytes"], limits["max_continuations"]],
      [20, 4096, 0],
    );
    assert.deepEqual([limits["max_connection_age_seconds"], limits["idle_timeout_seconds"]], [null, 3600]);
  });

  it("says what the log line holds: the reason and the address, once", async () => {
    const { err } = await server.stop();
    const ended = err.split("\n").filter((line) => line.includes('"msg":"connection ended"'));
    assert.equal(ended.length, 1, ended.join("\n"));
    const { level, reason, address } = JSON.parse(ended[0] ?? "{}") as Record<string, string>;
    assert.deepEqual([level, reason, address], ["warn", "control_flood", "127.0.0.1"]);
  });
});
