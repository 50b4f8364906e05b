// Ordinary checks beside an attack: one after the other on a connection of their own, each of which must be answered, in time,
// however hostile the neighbours are.

import assert from "node:assert/strict";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createGrpcPeer } from "./grpc-peer.ts";

/** The longest that an ordinary check may take: far above what it takes here, far below what a lost one takes. */
const SLOWEST_MS = 3000;
/** How much more memory the process, which is attacker and server at once, may hold at any moment. */
const MAX_GROWTH_BYTES = 96 * 1024 * 1024;

export interface OrdinaryChecks {
  /** Ends them, and fails when one was refused, lost or late, when none was asked, or when memory has grown without bound. */
  stop(): Promise<void>;
}

/** Begins with one check that is answered; `attackBytes`: what the attacker itself keeps to send. */
export async function startOrdinaryChecks(address: string, attackBytes = 0): Promise<OrdinaryChecks> {
  const peer = createGrpcPeer(address);
  const message = Buffer.from([0x0a, 0x00]);
  const heldBytes = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  let slowestMs = 0;
  let answered = 0;
  let failure: string | undefined;
  const once = async (): Promise<void> => {
    const begunMs = performance.now();
    const ended = await peer.call(CHECK_PATH, message, { deadlineMs: 10_000 });
    slowestMs = Math.max(slowestMs, performance.now() - begunMs);
    if ("bytes" in ended && message.equals(ended.bytes)) answered++;
    else failure ??= JSON.stringify(ended);
  };
  await once();
  const before = heldBytes();
  let most = before;
  let stopped = false;
  const loop = (async () => {
    while (!stopped && failure === undefined) {
      await once();
      most = Math.max(most, heldBytes());
    }
    // The attack may have been over before a check could be: one more shows that it has left nothing behind.
    await once();
  })();
  return {
    stop: async () => {
      stopped = true;
      await loop;
      peer.close();
      assert.equal(failure, undefined, "an ordinary check was harmed");
      assert.ok(answered > 1);
      assert.ok(slowestMs < SLOWEST_MS, `an ordinary check took ${slowestMs} ms`);
      assert.ok(most - before < MAX_GROWTH_BYTES + 2 * attackBytes, `memory grew by ${most - before} bytes`);
    },
  };
}
