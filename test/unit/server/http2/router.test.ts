import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpenStream } from "../../../../src/server/http2/stream.ts";
import { grpcMessage } from "../../../support/h2-frames.ts";
import { createRouterWorld } from "../../../support/router-world.ts";

const body = grpcMessage(Buffer.from("check"));
const WATCH = "/grpc.health.v1.Health/Watch";

describe("a request's way", () => {
  it("leads a Check to the handler, and its answer back", () => {
    const world = createRouterWorld();
    assert.deepEqual(world.send(body).outcome(), { bytes: Buffer.from("check") });
    assert.deepEqual(world.requests, [Buffer.from("check")]);
    assert.equal(world.started(), 1);
    assert.equal(world.inFlight(), 0);
  });

  for (const path of [
    "/envoy.service.auth.v2.Authorization/Check",
    "/envoy.service.auth.v3.Authorization/check",
    "/envoy.service.auth.v3.Authorization/Check/",
    "/envoy.service.auth.v3.Authorization/Check?x",
    "//envoy.service.auth.v3.Authorization/Check",
    "/no.such.Service/Check",
    "/",
    "*",
    WATCH,
  ]) {
    it(`ends at UNIMPLEMENTED from the headers alone: ${path}`, () => {
      const world = createRouterWorld();
      const call = world.call({ ":path": path });
      assert.equal(call.receiver, undefined);
      assert.deepEqual(call.stream.outcome(), { code: 12, message: "unknown method" });
      assert.equal(world.counts.streamRefusals.unimplemented, 1);
      assert.equal(world.started(), 0);
    });
  }

  const notGrpc: readonly (readonly [what: string, lines: Readonly<Record<string, string | undefined>>])[] = [
    ["GET", { ":method": "GET" }],
    ["PUT", { ":method": "PUT" }],
    ["post", { ":method": "post" }],
    ["no content-type", { "content-type": undefined }],
    ["JSON", { "content-type": "application/json" }],
    ["gRPC-Web", { "content-type": "application/grpc-web" }],
    ["gRPC-Web+proto", { "content-type": "application/grpc-web+proto" }],
    ["another case", { "content-type": "Application/Grpc" }],
    ["half of it", { "content-type": "application/grp" }],
    ["GET of nothing known", { ":method": "GET", ":path": "/", "content-type": undefined }],
    ["CONNECT", { ":method": "CONNECT", ":path": undefined, ":scheme": undefined }],
  ];
  for (const [what, lines] of notGrpc) {
    it(`ends at 415 with a sentence for what is no gRPC: ${what}`, () => {
      const world = createRouterWorld();
      for (const endStream of [true, false]) {
        const call = world.call(lines, { endStream });
        if (!endStream) {
          call.data(Buffer.from("a body"));
          assert.equal(call.stream.answers, 0);
          call.end();
        }
        const { headers, body: text } = call.stream.answer();
        assert.deepEqual(headers, {
          ":status": "415",
          "content-type": "text/plain; charset=utf-8",
          "content-length": `${text.length}`,
        });
        assert.match(`${text}`, /application\/grpc/);
      }
      assert.equal(world.counts.streamRefusals.not_grpc, 2);
      assert.deepEqual(world.requests, []);
    });
  }

  it("ends at 415 before the end of a long body, and once only", () => {
    const call = createRouterWorld().call({ ":method": "PUT" });
    call.data(Buffer.alloc(16 * 1024));
    assert.equal(call.stream.answers, 0);
    call.data(Buffer.alloc(1));
    assert.equal(call.stream.answer().headers[":status"], "415");
    call.data(Buffer.alloc(1));
    call.end();
    call.reset();
    assert.equal(call.stream.answers, 1);
  });

  it("has no body at the end of HEAD, and no answer when it was reset", () => {
    const head = createRouterWorld().call({ ":method": "HEAD" }, { endStream: true });
    assert.equal(head.stream.answer().body.length, 0);
    const reset = createRouterWorld().call({ ":method": "GET" });
    reset.reset();
    reset.end();
    assert.equal(reset.stream.answers, 0);
  });

  for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;x=y", "application/grpc+json"]) {
    it(`is that of gRPC: ${type}`, () => {
      assert.deepEqual(createRouterWorld().send(body, { "content-type": type }).outcome(), {
        bytes: Buffer.from("check"),
      });
    });
  }

  it("is not that of gRPC with two content types", () => {
    const world = createRouterWorld();
    const list = [":method,POST", "content-type,application/grpc", "content-type,application/grpc"].map((line) => {
      const [name = "", value = ""] = line.split(",");
      return { name, value };
    });
    const { stream } = world.call();
    assert.equal(world.open(stream, { fields: list, bytes: 0 }, true), undefined);
    assert.equal(stream.answer().headers[":status"], "415");
  });

  it("leads what is relayed to the relay as it came, answered or not", () => {
    const seen: unknown[] = [];
    const receiver = { onData: () => undefined, onEnd: () => undefined, onReset: () => undefined };
    const relay: OpenStream = (stream, list, endStream) => {
      seen.push([stream.id, list.fields.length, endStream]);
      return endStream ? undefined : receiver;
    };
    const world = createRouterWorld(undefined, { relay, relayedPaths: (path) => path === WATCH });
    assert.equal(world.call({ ":path": WATCH }).receiver, receiver);
    assert.equal(world.call({ ":path": WATCH }, { endStream: true }).receiver, undefined);
    assert.deepEqual(seen, [
      [1, 6, false],
      [1, 6, true],
    ]);
    assert.deepEqual(world.call({ ":path": "/other/Path" }).stream.outcome(), { code: 12, message: "unknown method" });
  });

  it("is the same for a header list that comes again, and for more lists than are remembered", () => {
    const world = createRouterWorld();
    const lists = Array.from({ length: 40 }, (_, i) => ({
      ":path": i % 4 === 3 ? "/x/Y" : "/envoy.service.auth.v3.Authorization/Check",
    }));
    for (let round = 0; round < 3; round++) {
      for (const [i, lines] of lists.entries()) {
        const outcome = world.send(body, lines).outcome();
        assert.deepEqual(
          outcome,
          i % 4 === 3 ? { code: 12, message: "unknown method" } : { bytes: Buffer.from("check") },
        );
      }
    }
  });
});

describe("health", () => {
  const CHECK = "/grpc.health.v1.Health/Check";
  const LIST = "/grpc.health.v1.Health/List";
  const ask = (service: string): Buffer =>
    grpcMessage(Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]));

  it("is answered for the server, for `ready` and for the service by its name", () => {
    const world = createRouterWorld();
    const statuses = () =>
      ["", "ready", "envoy.service.auth.v3.Authorization"].map((name) =>
        world.send(ask(name), { ":path": CHECK }).outcome(),
      );
    const [serving, not] = [{ bytes: Buffer.from([8, 1]) }, { bytes: Buffer.from([8, 2]) }];
    assert.deepEqual(statuses(), [serving, not, not]);
    world.health.setReady(true);
    assert.deepEqual(statuses(), [serving, serving, serving]);
    world.health.drain();
    assert.deepEqual(statuses(), [not, not, not]);
    assert.equal(world.started(), 0);
  });

  it("is a status for unknown services and for what is no request", () => {
    const world = createRouterWorld();
    assert.deepEqual(world.send(ask("other"), { ":path": CHECK }).outcome(), { code: 5, message: "unknown service" });
    assert.deepEqual(world.send(grpcMessage(Buffer.from([0xff])), { ":path": CHECK }).outcome(), {
      code: 3,
      message: "unreadable request",
    });
    assert.deepEqual(world.send(Buffer.alloc(0), { ":path": CHECK }).outcome(), {
      code: 12,
      message: "no request message",
    });
  });

  it("is listed with every name", () => {
    const world = createRouterWorld();
    const outcome = world.send(grpcMessage(Buffer.alloc(0)), { ":path": LIST }).outcome();
    assert.ok("bytes" in outcome);
    for (const name of ["ready", "envoy.service.auth.v3.Authorization"]) assert.ok(outcome.bytes.includes(name), name);
  });

  it("is told also to a peer whose checks are refused", () => {
    const peer = { pep: { address: "192.0.2.1", verified: false }, refusal: () => "no" };
    const world = createRouterWorld();
    assert.deepEqual(world.send(ask(""), { ":path": CHECK }, peer).outcome(), { bytes: Buffer.from([8, 1]) });
    assert.deepEqual(world.refused, []);
  });
});
