// Rows of HTTP/2 conformance: what is sent on a fresh connection, and what must come back. Each row ends with an ordinary check
// on the same connection, unless the connection is what has to end: it is answered, so nothing was lost but what had to be.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { ERROR_CODE } from "../../src/server/http2/error-code.ts";
import { FRAME, grpcMessage } from "./h2-frames.ts";
import type { RawPeer, StreamAnswer } from "./h2-raw-peer.ts";
import { check, type LineRateServer, MESSAGE } from "./line-rate.ts";

type ErrorName = keyof typeof ERROR_CODE;

/** Bytes to send, or what to do between two sends. */
export type Step = Uint8Array | ((peer: RawPeer) => Promise<unknown>);

/** Looks at what came back. `survives`: the connection goes on. */
export interface Outcome {
  readonly survives: boolean;
  look(peer: RawPeer): Promise<void>;
}

export type Http2Case = readonly [name: string, steps: readonly Step[], outcome: Outcome];

/** The stream of the check at the end of a row; rows use smaller numbers. */
const LAST_CHECK = 1001;

/** GOAWAY with one of these codes, then the end of the connection. */
export const connectionError = (...codes: readonly ErrorName[]): Outcome => ({
  survives: false,
  look: async (peer) => {
    const code = await peer.goodbye();
    assert.ok(codes.includes(nameOf(code)), `ended with ${nameOf(code)}, not ${codes.join(" or ")}`);
  },
});

/** The end of the connection, whatever is said before it. */
export const closes: Outcome = {
  survives: false,
  look: async (peer) => void (await peer.goodbye()),
};

/** RST_STREAM with one of these codes. */
export const streamError = (stream: number, ...codes: readonly ErrorName[]): Outcome => ({
  survives: true,
  look: async (peer) => {
    const seen = await peer.frame(
      `RST_STREAM of ${stream}`,
      (each) => each.type === FRAME.RST_STREAM && each.stream === stream,
    );
    const code = nameOf(seen.payload.readUInt32BE(0));
    assert.ok(codes.includes(code), `reset with ${code}, not ${codes.join(" or ")}`);
  },
});

/** Nothing on any stream: it was taken note of, or passed over. */
export const ignored: Outcome = {
  survives: true,
  look: async (peer) => {
    await peer.settled();
    const spoken = peer.frames.filter((seen) => seen.stream !== 0 || seen.type === FRAME.GOAWAY);
    assert.deepEqual(spoken, []);
  },
};

/** These streams are answered with the message that each of them brought. */
export const echoes = (streams: readonly number[], message: Uint8Array = MESSAGE): Outcome => ({
  survives: true,
  look: async (peer) => {
    for (const stream of streams) assertEcho(await peer.answer(stream), message);
  },
});

/** Anything that the test wants to see of one stream's answer. */
export const answers = (stream: number, look: (answer: StreamAnswer) => void): Outcome => ({
  survives: true,
  look: async (peer) => look(await peer.answer(stream)),
});

/** A gRPC status other than OK, in one block of headers without a message. */
export const grpcStatus = (stream: number, code: number, message?: RegExp): Outcome =>
  answers(stream, ({ blocks, data, resetCode }) => {
    assert.equal(resetCode, undefined, `reset with ${resetCode}`);
    assert.equal(blocks.length, 1, "trailers only");
    assert.equal(blocks[0]?.[":status"], "200");
    assert.equal(blocks[0]?.["content-type"], "application/grpc");
    assert.equal(blocks[0]?.["grpc-status"], `${code}`, JSON.stringify(blocks));
    if (message !== undefined) assert.match(blocks[0]?.["grpc-message"] ?? "", message);
    assert.equal(data.length, 0);
  });

/** A whole gRPC answer with this message. */
export function assertEcho(answer: StreamAnswer, message: Uint8Array = MESSAGE): void {
  const { blocks, data, resetCode } = answer;
  assert.equal(resetCode, undefined, `reset with ${resetCode}`);
  assert.deepEqual(
    blocks.map((block) => [block[":status"], block["content-type"], block["grpc-status"]]),
    [
      ["200", "application/grpc", undefined],
      [undefined, undefined, "0"],
    ],
    JSON.stringify(blocks),
  );
  assert.deepEqual(data, grpcMessage(message));
}

const nameOf = (code: number | "no goaway"): ErrorName => {
  const entry = Object.entries(ERROR_CODE).find(([, number]) => number === code);
  assert.ok(entry !== undefined, `the connection ended with ${code}`);
  return entry[0] as ErrorName;
};

/** Runs the rows, each on a connection of its own. */
export async function runCases(
  t: TestContext,
  server: LineRateServer,
  cases: readonly Http2Case[],
  tls = false,
): Promise<void> {
  for (const [name, steps, outcome] of cases) {
    await t.test(name, async () => {
      const peer = server.dial({ tls });
      for (const step of steps) {
        if (typeof step === "function") await step(peer);
        else peer.send(step);
      }
      await outcome.look(peer);
      if (outcome.survives) {
        peer.send(check(LAST_CHECK));
        assertEcho(await peer.answer(LAST_CHECK));
        peer.socket.destroy();
      }
      await peer.closed;
      assert.deepEqual(server.faults, []);
    });
  }
}
