// A socket, plain or TLS, under one HTTP/2 connection: what it reads goes in, what comes out is written, reading stops while too
// much waits for the peer, and the end leaves the peer time to read why.
// SPEC: RFC 9113 §5.4.1, RFC 9112 §9.6: closing a socket with bytes unread makes TCP reset it, and the peer may lose the GOAWAY
// that it has not read yet. So the end is a FIN, then reading without looking, and only then the close.

import type { Socket } from "node:net";
import type { HeldConnection, LeaveReason } from "../held-connections.ts";
import type { Peer } from "../peer.ts";
import { type ConnectionOptions, type ConnectionOutput, Http2Connection } from "./connection.ts";

/** What a connection needs besides its socket. */
export interface SocketConnectionOptions extends Omit<ConnectionOptions, "output" | "onEnd"> {
  /** How long the peer has to close its side after ours has ended. Default 5000. */
  readonly lingerMs?: number;
  /** When it is to be asked to leave, in `Clock.monotonicMs` terms. Default never. */
  readonly expiresMs?: number;
  /** Told once, when the socket is closed. */
  onClose(): void;
}

/** What a peer may still send after the end; one that sends more is not reading. */
const MAX_LINGER_BYTES = 16 * 1024 * 1024;
/**
 * What one connection may have worked on before the others have their turn. SECURITY: libuv reads a socket that is full up to 32
 * times on end, which are 3,000 checks and 100 ms: nobody else is answered meanwhile, no timer runs, no audit line is written.
 * Small reads count too: under TLS they are as small as the peer makes its records, however full the socket is.
 */
const TURN_BYTES = 64 * 1024;
/** SECURITY: 64 KiB can be 2,400 checks, of heads that stand in the table and messages of nothing: 100 ms of a policy. */
const TURN_REQUESTS = 256;

/** From the socket's acceptance to its close. */
export class SocketConnection implements HeldConnection, ConnectionOutput {
  readonly peer: Peer;
  readonly expiresMs: number;
  readonly http2: Http2Connection;
  readonly #socket: Socket;
  readonly #lingerMs: number;
  /** Set by `end` and `destroy`, which come from inside `http2` too. */
  #hasEnded = false;
  #lingerBytes = 0;
  #turnBytes = 0;
  #asksTurn = false;
  #timer: NodeJS.Timeout | undefined;

  /** Begins to read at once. */
  constructor(socket: Socket, options: SocketConnectionOptions) {
    this.peer = options.peer;
    this.expiresMs = options.expiresMs ?? Number.POSITIVE_INFINITY;
    this.#socket = socket;
    this.#lingerMs = options.lingerMs ?? 5000;
    const { limits } = options;
    // Below its own high-water mark a socket does not tell when the kernel has taken what waited.
    const maxUnsentBytes = Math.max(limits.maxUnsentBytes, socket.writableHighWaterMark);
    this.http2 = new Http2Connection({
      ...options,
      limits: maxUnsentBytes === limits.maxUnsentBytes ? limits : { ...limits, maxUnsentBytes },
      output: this,
      maxTurnRequests: TURN_REQUESTS,
      onEnd: () => undefined,
    });
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#hasEnded = true;
      clearTimeout(this.#timer);
      this.http2.closed();
      options.onClose();
    });
  }

  /**
   * PERF: under TLS a read comes as one event for each record, and each is answered in a write of its own. To gather them
   * (`setImmediate`) halves the writes and costs a third more of CPU time; `process.nextTick` gathers nothing.
   */
  write(bytes: Buffer): void {
    if (this.#hasEnded || !this.#socket.writable) return;
    this.#socket.write(bytes);
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#socket.end();
    this.#socket.resume();
    this.#endAfter(this.#lingerMs, () => this.#socket.destroy());
  }

  destroy(): void {
    this.#hasEnded = true;
    this.#socket.destroy();
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  sendGoawayNotice(): void {
    this.http2.sendGoawayNotice();
  }

  finish(graceMs: number, reason: LeaveReason): void {
    this.http2.finish(reason);
    if (!this.#hasEnded) this.#endAfter(graceMs, () => this.cut(reason));
  }

  cut(reason: LeaveReason): void {
    this.http2.cut(reason);
    this.destroy();
  }

  #receive(chunk: Buffer): void {
    if (!this.#hasEnded) {
      this.http2.receive(chunk);
      if (this.#hasEnded) return;
      if (!this.http2.wantsRead) this.#wait();
      else this.#count(chunk.length);
      return;
    }
    this.#lingerBytes += chunk.length;
    if (this.#lingerBytes > MAX_LINGER_BYTES) this.#socket.destroy();
  }

  #count(bytes: number): void {
    this.#turnBytes += bytes;
    if (this.#turnBytes < TURN_BYTES) return;
    this.#turnBytes = 0;
    this.#socket.pause();
    this.#askTurn();
  }

  /** For the kernel, which tells when it has drained, or for the next turn. */
  #wait(): void {
    this.#socket.pause();
    if (this.http2.wantsTurn) this.#askTurn();
  }

  #askTurn(): void {
    if (this.#asksTurn) return;
    this.#asksTurn = true;
    setImmediate(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#asksTurn = false;
    if (this.#hasEnded) return;
    if (this.http2.wantsTurn) this.#drained();
    else if (this.http2.wantsRead) this.#socket.resume();
  };

  #drained(): void {
    if (this.#hasEnded) return;
    this.http2.drained();
    if (this.#hasEnded) return;
    if (this.http2.wantsRead) this.#socket.resume();
    else this.#wait();
  }

  #endAfter(ms: number, end: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(end, ms);
    this.#timer.unref();
  }
}
