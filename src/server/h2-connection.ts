// Between a socket and an HTTP/2 session of Node, for one frame that Node cannot send.
// SPEC: RFC 9113 §6.8: a graceful shutdown starts with a GOAWAY that admits every stream, so that the peer stops by itself while
// what is already on the wire is still taken. Node's `session.goaway()` makes nghttp2 ignore new streams at once, whatever
// stream it names, so those calls would be lost. And writing to the socket under a session that owns it ends the process (an
// assertion in Node). A stream in between is a place where that frame can be written: Node writes whole frames.
// PERF: 14 µs of CPU a check (bench/README.md).

import type { Socket } from "node:net";
import { Duplex } from "node:stream";

// Length 8, type GOAWAY, stream 0; last stream 2^31-1; NO_ERROR.
const GOAWAY_NOTICE = Buffer.from("0000080700000000007fffffff00000000", "hex");

type Done = (error?: Error | null) => void;

const noticeNothing: Done = () => undefined;

/** A socket as a stream to give to an HTTP/2 server. */
export class H2Connection extends Duplex {
  readonly #socket: Socket;
  readonly #lingerMs: number;
  #spoke = false;
  #noticeWanted = false;
  #turn: { readonly chunk: Buffer; readonly done: Done | undefined }[] | undefined;

  /** After the session has ended, the peer has `lingerMs` to close its side. */
  constructor(socket: Socket, lingerMs = 5000) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#lingerMs = lingerMs;
    socket.on("data", (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", () => this.destroy());
    socket.on("close", () => this.destroy());
    socket.pause();
  }

  /** Tells the peer to open no more streams here; those that it opens before it has read this are still served. */
  sendGoawayNotice(): void {
    // SPEC: RFC 9113 §3.4: our first frame is SETTINGS, which the session may not have written yet.
    if (!this.#spoke) this.#noticeWanted = true;
    else if (this.writable) this.write(GOAWAY_NOTICE);
  }

  override _read(): void {
    this.#socket.resume();
  }

  /** For `end(chunk)`, which the Writable hands on by itself. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, done);
  }

  override cork(): void {
    this.#turn ??= [];
  }

  /**
   * PERF: Node hands a turn's frames over in four pieces a call, between `cork` and `uncork`. They go around the Writable's own
   * queue, which costs more for each piece than all else that happens to it here, and reach the kernel in one write.
   */
  override write(chunk: Buffer, encodingOrDone?: BufferEncoding | Done, done?: Done): boolean {
    const whenDone = typeof encodingOrDone === "function" ? encodingOrDone : done;
    if (!this.writable) {
      whenDone?.(new Error("the connection has ended"));
      return false;
    }
    if (this.#turn === undefined) this.#send(chunk, whenDone ?? noticeNothing);
    else this.#turn.push({ chunk, done: whenDone });
    return true;
  }

  override uncork(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (turn === undefined || turn.length === 0) return;
    this.#send(Buffer.concat(turn.map(({ chunk }) => chunk)), (error) => {
      for (const { done } of turn) done?.(error);
    });
  }

  override _final(done: Done): void {
    const timer = setTimeout(() => this.destroy(), this.#lingerMs);
    timer.unref();
    this.once("close", () => clearTimeout(timer));
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }

  #send(bytes: Buffer, done: Done): void {
    this.#socket.write(bytes, done);
    if (this.#spoke) return;
    this.#spoke = true;
    // The frames of this turn may still be on their way into this stream; the notice must not come between their parts.
    if (this.#noticeWanted) setImmediate(() => this.sendGoawayNotice());
  }
}
