// Owns the listening sockets: binds them, sets the mode of socket files, caps connections, and hands each accepted
// connection to a listener, through TLS where there is material for it (tls-gate.ts). Knows nothing of HTTP/2. An address that
// other machines can reach is refused without TLS, unless the caller insists.

import { chmodSync } from "node:fs";
import { createServer, isIP, type ListenOptions, type Server, type Socket } from "node:net";
import { isMainThread } from "node:worker_threads";
import { type Clock, systemClock } from "../base/clock.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { isLoopback, type ListenAddress, printListenAddress, toPlainIp } from "./listen-address.ts";
import { createUnverifiedPeer, type Peer } from "./peer.ts";
import { createRefusals, type Refusal, type Refusals } from "./refusals.ts";
import type { ClientTrust } from "./tls-client.ts";
import { createTlsGate } from "./tls-gate.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { clearSocketPath, type SocketPathCode } from "./unix-socket.ts";

export type BindCode = SocketPathCode | "insecure_listen" | "address_in_use" | "address_unavailable";

export interface BindOptions {
  /** Lets a plaintext TCP socket be reachable from other machines. Default false. */
  readonly insecure?: boolean;
  /** Mode of a socket file. Default 0o660: the owner and its group. */
  readonly socketMode?: number;
  /** Connections open at once; more are closed as they arrive, and counted. Default 1024. */
  readonly maxConnections?: number;
}

/** A bound socket. */
export interface BoundSocket {
  /** The address with the port that the system chose, as logs show it. */
  readonly address: ListenAddress;
  readonly text: string;
  /** False when other machines can reach it: the caller announces that. */
  readonly isLoopback: boolean;
}

/** Starts `server` on `address`. Says `insecure_listen` for an address that other machines reach, without `insecure`. */
export async function bindServer(
  server: Server,
  address: ListenAddress,
  options: BindOptions = {},
): Promise<Result<BoundSocket, BindCode>> {
  const insecure = options.insecure ?? false;
  if (!insecure && !isLoopback(address)) return insecureListen(address);
  server.maxConnections = options.maxConnections ?? 1024;
  if (address.kind === "unix") {
    const cleared = await clearSocketPath(address.path);
    if (!cleared.ok) return cleared;
  }
  const mode = options.socketMode ?? 0o660;
  const error = await listen(server, address, mode);
  if (error !== undefined) return listenFailure(address, error);
  if (address.kind === "unix") {
    try {
      chmodSync(address.path, mode);
    } catch (fault) {
      await closeServer(server);
      return listenFailure(address, fault as NodeJS.ErrnoException);
    }
    return ok({ address, text: printListenAddress(address), isLoopback: true });
  }
  const actual = server.address();
  if (actual === null || typeof actual === "string") throw new Error("a TCP server has no TCP address");
  // SECURITY: `localhost` may resolve to anything; what counts is the interface that was bound.
  const reached: ListenAddress = { kind: "tcp", host: actual.address, port: actual.port };
  if (!insecure && !isLoopback(reached)) {
    await closeServer(server);
    return insecureListen(reached);
  }
  const shown: ListenAddress = { ...address, port: actual.port };
  return ok({ address: shown, text: printListenAddress(shown), isLoopback: isLoopback(reached) });
}

/** Resolves with the error that kept the server from listening, if any. */
function listen(server: Server, address: ListenAddress, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException) => resolve(error);
    server.once("error", onError);
    const onListening = () => {
      server.off("error", onError);
      resolve(undefined);
    };
    const target: ListenOptions =
      address.kind === "unix"
        ? { path: address.path }
        : { port: address.port, ...(address.host === undefined ? {} : { host: address.host }) };
    // SECURITY: the file must not exist with a wider mode even for a moment. Binding a path is synchronous in Node, so the
    // mask holds just for it; worker threads cannot set one, and there the mode is narrowed right after.
    const narrow = address.kind === "unix" && isMainThread;
    const before = narrow ? process.umask(0o777 & ~mode) : 0;
    try {
      server.listen(target, onListening);
    } finally {
      if (narrow) process.umask(before);
    }
  });
}

function insecureListen(address: ListenAddress): Result<never, BindCode> {
  return fail(
    "insecure_listen",
    `\`${printListenAddress(address)}\` is reachable from other machines without TLS: listen on 127.0.0.1 or a unix socket, set \`svidgate.tls.certificate\`, or pass \`--insecure-listen\``,
  );
}

function listenFailure(address: ListenAddress, error: NodeJS.ErrnoException): Result<never, BindCode> {
  const text = printListenAddress(address);
  const what = `cannot listen on \`${text}\`: `;
  switch (error.code) {
    case "EADDRINUSE":
      return fail("address_in_use", `${what}the address is in use; stop the process that has it or choose another one`);
    case "EACCES":
    case "EPERM":
      return fail(
        "listen_permission",
        address.kind === "tcp"
          ? `${what}permission denied; choose a port from 1024 upwards`
          : `${what}permission denied; choose a folder that this user may write to`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAFNOSUPPORT":
      return fail(
        "address_unavailable",
        address.kind === "tcp" && address.host !== undefined && isIP(address.host) === 0
          ? `${what}the host name does not resolve to an address of this machine; write an IP address`
          : `${what}this machine does not have that address; choose one that it has`,
      );
    default:
      return fail("listen_failed", `${what}${error.code ?? error.message}`);
  }
}

/** Stops accepting; resolves when the socket is closed and its file is gone. Connections live on. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The callback of `close` waits for the connections too, so the bound handle is what we look at: it closes at once.
    server.close();
    setImmediate(resolve);
  });
}

export interface Acceptor extends BoundSocket {
  /** Connections that were handed over since the start. */
  readonly accepted: number;
  readonly refusals: Refusals;
  /** New connections get this material. Throws when the acceptor was opened without TLS. */
  replaceTls(material: TlsMaterial): void;
  /** Stops accepting and removes the socket file. Connections stay with their listener. */
  stop(): Promise<void>;
}

export interface AcceptOptions extends BindOptions {
  /** Without it, connections are plaintext. */
  readonly tls?: TlsMaterial;
  /** What TLS clients are held against where the material has no `client_ca`. */
  readonly trust?: ClientTrust;
  /** Against which certificates are checked; the machine's unless set. */
  readonly clock?: Clock;
  /** A TLS handshake that is not done by then is closed. Default 10000. */
  readonly handshakeTimeoutMs?: number;
  /** A connection that has sent fewer bytes than an HTTP/2 preface by then is closed; counted from the end of the handshake. Default 10000. */
  readonly prefaceTimeoutMs?: number;
  /** TCP keep-alive probes start after this idle time. Default 60000. */
  readonly tcpKeepAliveMs?: number;
  /** Told of each connection that is closed; must not throw. */
  readonly onRefused?: (refusal: Refusal) => void;
}

// SPEC: RFC 9113 §3.4, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`.
const PREFACE_BYTES = 24;

/** Binds `address` and gives every connection, with what its peer has proven, to `take`. */
export async function openAcceptor(
  address: ListenAddress,
  take: (socket: Socket, peer: Peer) => void,
  options: AcceptOptions = {},
): Promise<Result<Acceptor, BindCode>> {
  const prefaceTimeoutMs = options.prefaceTimeoutMs ?? 10_000;
  const refusals = createRefusals(options.onRefused);
  let accepted = 0;
  const hand = (socket: Socket, peer: Peer): void => {
    accepted++;
    // SECURITY: a peer that connects and says nothing would hold one of `maxConnections` for ever.
    const timer = setTimeout(() => {
      if (socket.destroyed || socket.bytesRead >= PREFACE_BYTES) return;
      refusals.add({ reason: "no_preface", address: peer.pep.address });
      socket.destroy();
    }, prefaceTimeoutMs);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
    take(socket, peer);
  };
  const gate =
    options.tls === undefined
      ? undefined
      : createTlsGate({
          material: options.tls,
          trust: options.trust,
          clock: options.clock ?? systemClock,
          handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
          refusals,
          admit: hand,
        });
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.tcpKeepAliveMs ?? 60_000,
  });
  server.on("drop", (data) => {
    refusals.add({ reason: "connection_limit", address: data?.remoteAddress });
  });
  server.on("connection", (socket) => {
    const { remoteAddress } = socket;
    // Reset while it waited in the backlog: without an address it would pass for a unix socket's peer.
    if (address.kind === "tcp" && remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    // A reset before the listener has its own handler in place must not end the process.
    socket.on("error", () => socket.destroy());
    const peerAddress = address.kind === "unix" || remoteAddress === undefined ? "unix" : toPlainIp(remoteAddress);
    if (gate === undefined) hand(socket, createUnverifiedPeer(peerAddress));
    else gate.take(socket, peerAddress);
  });
  const secured = gate === undefined ? options : { ...options, insecure: true };
  const bound = await bindServer(server, address, secured);
  if (!bound.ok) return bound;
  return ok({
    ...bound.value,
    get accepted() {
      return accepted;
    },
    refusals,
    replaceTls: (material) => {
      if (gate === undefined) throw new Error("this listener was opened without TLS");
      gate.replace(material);
    },
    stop: () => closeServer(server),
  });
}
