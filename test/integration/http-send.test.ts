// A policy that asks outside, on the running program: who waits and who does not, what ends a wait, what is counted and what
// is told. The server outside answers when the test says so.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { Metadata } from "../../src/base/grpc.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer, type Ended, type GrpcPeer } from "../support/grpc-peer.ts";
import { startHttpServer, type TestServer } from "../support/http-send-world.ts";
import { type Serving, startServing } from "../support/serve-process.ts";
import { itOnStack } from "../support/stack.ts";

const SECRET = "s3cr3t";
const policyOf = (url: string): string => `package envoy.authz

default allow := false

path := input.attributes.request.http.path

allow if path == "/plain"

allow if {
	startswith(path, "/ask")
	http.send({"method": "get", "url": concat("", ["${url}", path]), "headers": {"authorization": "${SECRET}"}}).status_code == 200
}

allow if {
	startswith(path, "/kept")
	answer := http.send({"method": "get", "url": "${url}/kept", "force_cache": true, "force_cache_duration_seconds": 600})
	answer.status_code == 200
}

allow if {
	path == "/many"
	every n in numbers.range(1, 65) { http.send({"method": "get", "url": sprintf("${url}/now/%d", [n])}).status_code == 200 }
}

allow if {
	path == "/elsewhere"
	http.send({"method": "get", "url": "http://localhost:1/?token=${SECRET}"}).status_code == 200
}
`;

const requestOf = (path: string): Uint8Array =>
  encodeCheckRequest({ attributes: { request: { http: { method: "GET", path } } } });
const codeOf = (ended: Ended): number =>
  "bytes" in ended ? (decodeCheckResponse(ended.bytes).status?.code ?? 0) : ended.code;
const isAllow = (ended: Ended): boolean => "bytes" in ended && codeOf(ended) === 0;

/** What the server outside has been asked and has not answered, by path. */
const open = new Map<string, ServerResponse>();
const connections = new Set<Socket>();
const waiting = new Map<string, () => void>();
const arrival = async (path: string): Promise<ServerResponse> => {
  if (!open.has(path)) await new Promise<void>((resolve) => waiting.set(path, resolve));
  const response = open.get(path);
  assert.ok(response !== undefined);
  return response;
};

let outside: TestServer;
let folder: string;
let serving: Serving;
let peer: GrpcPeer;
const policy = (): string => join(folder, "p.rego");
before(async () => {
  outside = await startHttpServer((request, response) => {
    connections.add(request.socket);
    const path = request.url ?? "";
    if (path.startsWith("/now") || path.startsWith("/kept")) return void response.end("x");
    if (path.startsWith("/ask/drop")) return void response.destroy();
    open.set(path, response);
    waiting.get(path)?.();
  });
  folder = mkdtempSync(join(tmpdir(), "svidgate-http-send-"));
  writeFileSync(policy(), policyOf(outside.url));
  serving = await startServing([
    ...["--policy", policy(), "--audit", `file:${join(folder, "audit.jsonl")}`],
    ...["--set", "svidgate.policy.http_send.allowed_hosts=127.0.0.1", "--set", "svidgate.policy.max_waiting=2"],
    ...["--set", "svidgate.on_error=grpc_error", "--set", "svidgate.policy.budget=off"],
  ]);
  peer = createGrpcPeer(serving.address);
});
after(async () => {
  peer.close();
  await serving.stop();
  await outside.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  open.clear();
  waiting.clear();
  outside.requests.length = 0;
});

const check = (path: string, deadlineMs = 10_000): Promise<Ended> =>
  peer.call(CHECK_PATH, requestOf(path), { deadlineMs });

async function counted(line: string): Promise<number> {
  const text = await (await fetch(`${serving.admin}/metrics`)).text();
  const found = text.split("\n").find((each) => each.startsWith(`${line} `));
  assert.ok(found !== undefined, `no ${line}`);
  return Number(found.slice(line.length));
}
const outcome = (name: string): Promise<number> => counted(`svidgate_http_send_requests_total{outcome="${name}"}`);

const allows = (): Promise<number> => counted('svidgate_decisions_total{outcome="allow",reason="policy_allowed"}');

describe("a check that waits", () => {
  it("leaves others alone, and is decided by the answer", async () => {
    const slow = check("/ask/slow");
    const response = await arrival("/ask/slow");
    assert.ok(isAllow(await check("/plain")), "an ordinary check is answered meanwhile");
    const refused = check("/ask/refused");
    (await arrival("/ask/refused")).writeHead(403).end();
    assert.equal(codeOf(await refused), 7);
    response.end("yes");
    assert.ok(isAllow(await slow));
  });

  it("is refused when too many wait already, and they go on", async () => {
    const [first, second] = [check("/ask/1"), check("/ask/2")];
    const responses = await Promise.all([arrival("/ask/1"), arrival("/ask/2")]);
    assert.deepEqual(await check("/ask/3"), {
      code: 8,
      details: `http.send to 127.0.0.1:${outside.port}: 2 evaluations wait for answers from outside already`,
    });
    assert.ok(isAllow(await check("/plain")));
    for (const response of responses) response.end();
    assert.deepEqual([isAllow(await first), isAllow(await second)], [true, true]);
    assert.deepEqual(outside.requests, ["GET /ask/1", "GET /ask/2"]);
    assert.equal(await counted('svidgate_decisions_total{outcome="error",reason="policy_overloaded"}'), 1);
  });

  itOnStack("http-send", "asks 64 times and no more", async () => {
    assert.deepEqual(await check("/many"), {
      code: 2,
      details: `http.send to 127.0.0.1:${outside.port}: the evaluation has asked 64 times already`,
    });
    assert.equal(outside.requests.length, 64);
    assert.equal(await counted('svidgate_decisions_total{outcome="error",reason="policy_question_limit"}'), 1);
  });

  it("lets go of its request when the caller goes away", async () => {
    const abandonedBefore = await outcome("abandoned");
    const call = peer.client.makeUnaryRequest(
      CHECK_PATH,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from(requestOf("/ask/gone")),
      new Metadata(),
      {},
      () => undefined,
    );
    const response = await arrival("/ask/gone");
    const closed = new Promise((resolve) => response.once("close", resolve));
    call.cancel();
    await closed;
    assert.equal(response.writableEnded, false, "nobody answered: the connection was ended");
    assert.ok(isAllow(await check("/plain")));
    assert.equal(await outcome("abandoned"), abandonedBefore + 1);
    assert.equal(await counted('svidgate_decisions_total{outcome="error",reason="cancelled"}'), 1);
  });

  it("is never allowed late: the request ends at the deadline, and an answer after it is nobody's", async () => {
    const before = await allows();
    const late = check("/ask/late", 150);
    const response = await arrival("/ask/late");
    const closed = new Promise((resolve) => response.once("close", resolve));
    assert.equal(codeOf(await late), 4);
    await closed;
    response.end("too late");
    assert.ok(isAllow(await check("/plain")));
    assert.equal(await allows(), before + 1, "only the ordinary one");
  });
});

it("counts each request by how it ended, and times what was sent", async () => {
  const names = ["answered", "refused", "cached"] as const;
  const before = await Promise.all(names.map(outcome));
  const timed = await counted("svidgate_http_send_duration_seconds_count");
  assert.equal(codeOf(await check("/elsewhere")), 2);
  assert.deepEqual([isAllow(await check("/kept/1")), isAllow(await check("/kept/2"))], [true, true]);
  const now = await Promise.all(names.map(outcome));
  assert.deepEqual(
    now.map((count, at) => count - (before[at] ?? 0)),
    [1, 1, 1],
  );
  assert.equal(await counted("svidgate_http_send_duration_seconds_count"), timed + 1);
});

it("tells of a host that may not be asked, and nobody of a secret", async () => {
  const ended = await check("/elsewhere");
  assert.ok("details" in ended);
  assert.match(
    ended.details,
    /^http\.send: disallowed host: localhost:1: `svidgate\.policy\.http_send\.allowed_hosts`/,
  );
  const told = await check(`/ask/drop?token=${SECRET}`);
  assert.ok("details" in told);
  assert.equal(told.details, `http.send: Get "${outside.url}/ask/drop?***": EOF`);
  await serving.logged("a policy may not ask this host");
});

it("begins anew at a reload: no kept answer, no kept connection; requests under way are not cut off", async () => {
  assert.ok(isAllow(await check("/kept/3")));
  const slow = check("/ask/over");
  const response = await arrival("/ask/over");
  outside.requests.length = 0;
  const idle = [...connections].filter((socket) => !socket.destroyed && socket !== response.socket);
  const closed = [...connections]
    .filter((socket) => !socket.destroyed)
    .map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  assert.ok(closed.length > 0 && idle.length < closed.length);
  serving.signal("SIGHUP");
  await serving.logged("reloaded");
  assert.ok(isAllow(await check("/kept/4")));
  assert.deepEqual(outside.requests, ["GET /kept"], "asked again");
  response.end();
  assert.ok(isAllow(await slow));
  await Promise.all(closed);
});

it("keeps the policy in force when a reload takes the hosts away from it", async () => {
  writeFileSync(policy(), 'package envoy.authz\n\ndefault allow := false\n\nallow if net.lookup_ip_addr("h")\n');
  serving.signal("SIGHUP");
  await serving.logged("reload failed: configuration and policy in force stay");
  assert.ok(isAllow(await check("/plain")));
});

it("leaves no secret in log and audit", async () => {
  const { err, out } = await serving.stop();
  const audit = readFileSync(join(folder, "audit.jsonl"), "utf8");
  assert.match(audit, /policy_builtin_error/);
  const ours = audit.replaceAll(`/ask/drop?token=${SECRET}`, "");
  assert.ok(![err, out, ours].some((text) => text.includes(SECRET)));
  assert.match(err, /undefined function net\.lookup_ip_addr: name what it may look up/);
  assert.match(err, /p\.rego:5:10/);
});

it("does not start with a policy that may ask nobody, and says where and what to do", async () => {
  writeFileSync(policy(), policyOf(outside.url));
  await assert.rejects(startServing(["--policy", policy()]), (error: Error) => {
    assert.match(error.message, /p\.rego:11:2: .*undefined function http\.send: name the hosts/);
    assert.match(error.message, /`svidgate\.policy\.http_send\.allowed_hosts`/);
    return true;
  });
});
