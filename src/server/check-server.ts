// Sockets, listener and health as one thing with a life: opened, drained, closed.
// The order of a drain: health says so at once, checks are served through the lame-duck time so that whoever watches health
// goes elsewhere by itself, then no new connections, then GOAWAY to those that stayed, then what is left is cut.

import { setTimeout as delay } from "node:timers/promises";
import { ok, type Result } from "../base/result.ts";
import { type AcceptOptions, type Acceptor, type BindCode, openAcceptor } from "./accept.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { Listener, ListenerOptions } from "./listener.ts";

export interface CheckServerOptions {
  /** At least one. */
  readonly addresses: readonly ListenAddress[];
  readonly accept?: AcceptOptions;
  readonly listener: ListenerOptions;
  /** Which listener, e.g. `createGrpcJsListener`. */
  readonly createListener: (options: ListenerOptions) => Listener;
}

export interface DrainOptions {
  /** How long to keep serving after health has turned. */
  readonly lameDuckMs: number;
  /** How long open connections then have to finish. */
  readonly graceMs: number;
}

export interface CheckServer {
  /** One per address, in order. */
  readonly acceptors: readonly Acceptor[];
  readonly listener: Listener;
  /** Ends the service without losing a check; later calls get the first one's outcome. `cut`: connections cut by force. */
  drain(options: DrainOptions): Promise<{ readonly cut: number }>;
  /** Ends the service now, also in the middle of a drain. */
  close(): Promise<void>;
}

/** Opens every address, or none. */
export async function openCheckServer(options: CheckServerOptions): Promise<Result<CheckServer, BindCode>> {
  const listener = options.createListener(options.listener);
  const acceptors: Acceptor[] = [];
  const stop = () => Promise.all(acceptors.map((acceptor) => acceptor.stop()));
  for (const address of options.addresses) {
    const opened = await openAcceptor(address, listener.take, options.accept);
    if (!opened.ok) {
      await stop();
      listener.close();
      return opened;
    }
    acceptors.push(opened.value);
  }
  const lameDuck = new AbortController();
  let draining: Promise<{ readonly cut: number }> | undefined;
  const drain = async ({ lameDuckMs, graceMs }: DrainOptions) => {
    options.listener.health.drain();
    await delay(lameDuckMs, undefined, { signal: lameDuck.signal }).catch(() => undefined);
    await stop();
    return { cut: await listener.drain(lameDuck.signal.aborted ? 0 : graceMs) };
  };
  return ok({
    acceptors,
    listener,
    drain: (times) => {
      draining ??= drain(times);
      return draining;
    },
    close: async () => {
      options.listener.health.drain();
      lameDuck.abort();
      await stop();
      listener.close();
      await draining;
    },
  });
}
