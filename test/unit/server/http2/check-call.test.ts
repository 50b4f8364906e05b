import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CheckCall, CheckReply } from "../../../../src/authz/check-handler.ts";
import type { Peer } from "../../../../src/server/peer.ts";
import { grpcMessage } from "../../../support/h2-frames.ts";
import { createRouterWorld, type OpenedCall } from "../../../support/router-world.ts";

const body = grpcMessage(Buffer.from("check"));
const ALLOW: CheckReply = { kind: "message", bytes: Buffer.from("allow") };
const allowed = { bytes: Buffer.from("allow") };
const internal = { code: 13, message: "internal error" };

/** A handler that answers when the test says so. */
function createLater() {
  const answers: { resolve(reply: CheckReply): void; reject(error: unknown): void }[] = [];
  const seen: CheckCall[] = [];
  const handler = (_bytes: Uint8Array, call: CheckCall): Promise<CheckReply> => {
    seen.push(call);
    return new Promise((resolve, reject) => {
      answers.push({ resolve, reject });
    });
  };
  return { answers, seen, handler };
}

function complete(call: OpenedCall): OpenedCall {
  call.data(body);
  call.end();
  return call;
}

/** Until everything that was settled has been told. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a check's answer", () => {
  it("is the handler's message between constant headers and trailers", () => {
    const {
      headers,
      body: bytes,
      trailers,
    } = createRouterWorld(() => ALLOW)
      .send(body)
      .answer();
    assert.deepEqual(headers, { ":status": "200", "content-type": "application/grpc" });
    assert.deepEqual(bytes, allowed.bytes);
    assert.deepEqual(trailers, { "grpc-status": "0" });
  });

  it("is the same when it is empty", () => {
    const world = createRouterWorld(() => ({ kind: "message", bytes: new Uint8Array(0) }));
    assert.deepEqual(world.send(grpcMessage(Buffer.alloc(0))).outcome(), { bytes: Buffer.alloc(0) });
    assert.deepEqual(world.requests, [Buffer.alloc(0)]);
  });

  const statuses: readonly (readonly [code: number, message: string, told: string])[] = [
    ...Array.from({ length: 16 }, (_, i) => [i + 1, `status ${i + 1}`, `status ${i + 1}`] as const),
    [2, "50% \ud800 gone", "50% \ufffd gone"],
    [2, "", ""],
    [2, " \n ", " \n "],
    [2, "\u00e9\u{1f512}", "\u00e9\u{1f512}"],
  ];
  for (const [code, message, told] of statuses) {
    it(`is the handler's status ${code} ${JSON.stringify(message)}`, async () => {
      const status: CheckReply = { kind: "status", code, message };
      assert.deepEqual(
        createRouterWorld(() => status)
          .send(body)
          .outcome(),
        { code, message: told },
      );
      const later = createRouterWorld(async () => status).send(body);
      await later.answered();
      assert.deepEqual(later.outcome(), { code, message: told });
    });
  }

  for (const code of [0, -1, 17, 1.5, Number.NaN]) {
    it(`is INTERNAL and a fault for a handler's status ${code}, for OK without a message looks like an allow`, async () => {
      for (const handler of [
        (): CheckReply => ({ kind: "status", code, message: "fine" }),
        async (): Promise<CheckReply> => ({ kind: "status", code, message: "fine" }),
      ]) {
        const world = createRouterWorld(handler);
        const stream = world.send(body);
        await stream.answered();
        assert.deepEqual(stream.outcome(), internal);
        assert.equal(world.faults.length, 1);
        assert.equal(world.inFlight(), 0);
      }
    });
  }

  it("is INTERNAL without a word of the fault when the handler throws or rejects", async () => {
    const error = new Error("the token was s3cret");
    for (const handler of [
      (): CheckReply => {
        throw error;
      },
      (): Promise<CheckReply> => Promise.reject(error),
    ]) {
      const world = createRouterWorld(handler);
      const stream = world.send(body);
      await stream.answered();
      assert.deepEqual(stream.outcome(), internal);
      assert.deepEqual(world.faults, [error]);
      assert.equal(stream.answers, 1);
      assert.equal(world.inFlight(), 0);
    }
  });

  it("is given later when it is a promise, each to its own call", async () => {
    const { answers, handler } = createLater();
    const world = createRouterWorld(handler);
    const streams = [0, 1, 2].map(() => world.send(body));
    assert.equal(world.inFlight(), 3);
    for (const index of [2, 0, 1]) {
      answers[index]?.resolve({ kind: "message", bytes: Buffer.from(`answer ${index}`) });
      await streams[index]?.answered();
      assert.deepEqual(streams[index]?.outcome(), { bytes: Buffer.from(`answer ${index}`) });
    }
    assert.equal(world.inFlight(), 0);
    for (const stream of streams) assert.equal(stream.answers, 1);
  });
});

describe("a check that is cancelled", () => {
  const moments: readonly (readonly [when: string, act: (call: OpenedCall) => void])[] = [
    ["after its headers", () => undefined],
    ["in its prefix", (call) => call.data(body.subarray(0, 3))],
    ["in its message", (call) => call.data(body.subarray(0, 7))],
    ["after its message, before its end", (call) => call.data(body)],
  ];
  for (const [when, act] of moments) {
    it(`never reaches the handler, and counts once: ${when}`, () => {
      const world = createRouterWorld();
      const call = world.call({ "grpc-timeout": "1S" });
      act(call);
      assert.equal(world.inFlight(), 1);
      call.reset();
      assert.equal(world.inFlight(), 0);
      call.reset();
      call.data(body);
      call.end();
      world.clock.advanceMs(2000);
      assert.deepEqual(world.requests, []);
      assert.equal(call.stream.answers, 0);
      assert.equal(world.inFlight(), 0);
    });
  }

  it("tells the handler that waits, and forgets its answer", async () => {
    for (const isRejected of [false, true]) {
      const { answers, seen, handler } = createLater();
      const world = createRouterWorld(handler);
      const call = complete(world.call());
      const told: string[] = [];
      seen[0]?.onCancelled?.(() => told.push("first"));
      const forget = seen[0]?.onCancelled?.(() => told.push("forgotten"));
      const twice = (): void => void told.push("twice");
      seen[0]?.onCancelled?.(twice);
      seen[0]?.onCancelled?.(twice);
      forget?.();
      assert.equal(seen[0]?.cancelled(), false);
      call.reset();
      assert.equal(seen[0]?.cancelled(), true);
      assert.deepEqual(told, ["first", "twice", "twice"]);
      seen[0]?.onCancelled?.(() => told.push("after"))();
      assert.equal(told.at(-1), "after");
      if (isRejected) answers[0]?.reject(new Error("too late"));
      else answers[0]?.resolve(ALLOW);
      await turn();
      assert.equal(call.stream.answers, 0);
      assert.equal(world.inFlight(), 0);
      assert.equal(told.length, 4);
      // A fault is one all the same.
      assert.equal(world.faults.length, isRejected ? 1 : 0);
    }
  });

  it("tells every listener, also when one of them throws", () => {
    const { seen, handler } = createLater();
    const world = createRouterWorld(handler);
    const call = complete(world.call());
    let told = 0;
    seen[0]?.onCancelled?.(() => {
      throw new Error("broken");
    });
    seen[0]?.onCancelled?.(() => told++);
    call.reset();
    assert.equal(told, 1);
    assert.equal(world.faults.length, 1);
  });

  it("is none once it has been answered", async () => {
    const { answers, seen, handler } = createLater();
    const world = createRouterWorld(handler);
    const call = complete(world.call());
    let told = 0;
    seen[0]?.onCancelled?.(() => told++);
    answers[0]?.resolve(ALLOW);
    await call.stream.answered();
    seen[0]?.onCancelled?.(() => told++);
    call.reset();
    assert.equal(told, 0);
    assert.equal(seen[0]?.cancelled(), false);
    assert.equal(world.inFlight(), 0);
  });

  it("may be cancelled by what its own handler sets off", () => {
    let call: OpenedCall | undefined;
    const world = createRouterWorld(() => {
      call?.reset();
      return ALLOW;
    });
    call = world.call();
    complete(call);
    assert.equal(call.stream.answers, 0);
    assert.equal(world.inFlight(), 0);
  });
});

describe("a check whose deadline passes", () => {
  it("is DEADLINE_EXCEEDED while its handler waits, which is told, and whose answer is forgotten", async () => {
    const { answers, seen, handler } = createLater();
    const world = createRouterWorld(handler);
    const call = complete(world.call({ "grpc-timeout": "200m" }));
    let told = 0;
    seen[0]?.onCancelled?.(() => told++);
    world.clock.advanceMs(199);
    assert.equal(told, 0);
    world.clock.advanceMs(1);
    assert.deepEqual(call.stream.outcome(), { code: 4, message: "Deadline exceeded" });
    assert.equal(told, 1);
    assert.equal(seen[0]?.cancelled(), true);
    answers[0]?.resolve(ALLOW);
    await turn();
    assert.equal(call.stream.answers, 1);
    assert.equal(world.inFlight(), 0);
  });

  it("is the handler's to answer when its message has come", () => {
    const world = createRouterWorld(() => ALLOW);
    const call = world.call({ "grpc-timeout": "0m" });
    complete(call);
    assert.deepEqual(call.stream.outcome(), allowed);
    assert.equal(world.calls[0]?.deadlineMs, world.calls[0]?.receivedMs);
  });
});

describe("a check's peer", () => {
  const peer = (refusal: () => string | undefined): Peer => ({
    pep: { address: "192.0.2.9", spiffeId: "spiffe://example.org/envoy", verified: true },
    refusal,
  });

  it("is named to the handler, with the call's metadata", () => {
    const world = createRouterWorld();
    const known = peer(() => undefined);
    world.send(body, { traceparent: "00-a-b-01" }, known);
    assert.equal(world.calls[0]?.pep, known.pep);
    assert.equal(world.calls[0]?.metadata?.("traceparent"), "00-a-b-01");
    assert.equal(world.calls[0]?.metadata?.("te"), undefined);
  });

  it("is refused from the moment when it may not ask, and told so before anything is done about it", () => {
    let refusal: string | undefined;
    const order: string[] = [];
    const refused = peer(() => refusal);
    const world = createRouterWorld(undefined, { onRefused: (who) => order.push(who === refused ? "refused" : "?") });
    assert.deepEqual(world.send(body, {}, refused).outcome(), { bytes: Buffer.from("check") });
    const call = world.call({}, { peer: refused });
    call.data(body);
    refusal = "the client certificate has expired";
    call.end();
    assert.deepEqual(call.stream.outcome(), { code: 16, message: refusal });
    assert.deepEqual(order, ["refused"]);
    assert.equal(world.requests.length, 1);
    assert.equal(world.counts.streamRefusals.peer_refused, 1);
    assert.equal(world.inFlight(), 0);
  });

  it("is not asked before its message is whole", () => {
    let asked = 0;
    const refused = peer(() => {
      asked++;
      return "no";
    });
    const world = createRouterWorld();
    world.send(body.subarray(0, 6), {}, refused);
    assert.equal(asked, 0);
  });

  it("that cannot be judged is not let through", () => {
    const world = createRouterWorld(undefined, {});
    const stream = world.send(
      body,
      {},
      peer(() => {
        throw new Error("broken");
      }),
    );
    assert.deepEqual(stream.outcome(), internal);
    assert.equal(world.faults.length, 1);
    assert.deepEqual(world.requests, []);
    assert.equal(world.inFlight(), 0);
  });
});
