import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CheckHandler } from "../../src/authz/check-handler.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Server } from "../../src/base/grpc.ts";
import type { AcceptOptions } from "../../src/server/accept.ts";
import { type CheckServer, openCheckServer } from "../../src/server/check-server.ts";
import { createGrpcJsListener } from "../../src/server/grpc-js-listener.ts";
import { createHealth, type Health } from "../../src/server/health.ts";
import { createLineRateListener } from "../../src/server/line-rate-listener.ts";
import { parseListenAddress } from "../../src/server/listen-address.ts";
import type { ListenerLimits } from "../../src/server/listener.ts";
import { createGrpcPeer, type GrpcPeer, type PeerTls } from "./grpc-peer.ts";

/** The listeners that there are, as configuration names them. */
export type ListenerName = "line-rate" | "grpc-js";
const NAMES = ["line-rate", "grpc-js"] as const satisfies readonly ListenerName[];

/** Which one tests of any listener run on: what SVIDGATE_TEST_LISTENER says, or `line-rate`. */
export const testedListener: ListenerName = (() => {
  const named = process.env["SVIDGATE_TEST_LISTENER"] ?? "line-rate";
  const found = NAMES.find((name) => name === named);
  assert.ok(found !== undefined, `SVIDGATE_TEST_LISTENER is \`${named}\`: set one of ${NAMES.join(", ")}`);
  return found;
})();

/** A folder that is gone when the test is. */
export function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Answers every Check with the bytes that it got. */
export const echo: CheckHandler = (bytes) => ({ kind: "message", bytes });

export interface TestServer {
  readonly server: CheckServer;
  readonly health: Health;
  /** What `onFault` was told. */
  readonly faults: unknown[];
  /** The first address, as clients write it. */
  readonly address: string;
  /** A new client of the first address. */
  connect(options?: Record<string, string | number>, tls?: PeerTls): GrpcPeer;
}

const createTestedListener = testedListener === "line-rate" ? createLineRateListener : createGrpcJsListener;

/** A server of one test on `testedListener`, on 127.0.0.1 unless told otherwise, gone when the test is. */
export async function openTestServer(
  t: TestContext,
  handler: CheckHandler,
  options: {
    addresses?: readonly string[];
    limits?: ListenerLimits;
    accept?: AcceptOptions;
    addServices?: (server: Server) => void;
  } = {},
): Promise<TestServer> {
  const health = createHealth();
  const faults: unknown[] = [];
  const opened = await openCheckServer({
    addresses: (options.addresses ?? ["127.0.0.1:0"]).map((text) => {
      const address = parseListenAddress(text);
      assert.ok(address.ok, text);
      return address.value;
    }),
    accept: options.accept ?? {},
    listener: {
      handler,
      clock: systemClock,
      health,
      limits: options.limits ?? {},
      onFault: (error) => faults.push(error),
    },
    createListener: (listener) => createTestedListener(listener, options.addServices),
  });
  assert.ok(opened.ok, opened.ok ? "" : opened.detail);
  const server = opened.value;
  t.after(() => server.close());
  const address = server.acceptors[0]?.text ?? "";
  return {
    server,
    health,
    faults,
    address,
    connect: (clientOptions, tls) => {
      const peer = createGrpcPeer(address, clientOptions, tls);
      t.after(() => peer.close());
      return peer;
    },
  };
}
