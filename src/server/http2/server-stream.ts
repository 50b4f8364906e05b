// One stream of a server: the state of both its sides, and what its answerer may do with it. SPEC: RFC 9113 §5.1, §5.2.
// What it does is done by the connection (connection-core.ts); here is what belongs to this stream alone.

import type { Peer } from "../peer.ts";
import type { ErrorCode } from "./error-code.ts";
import { DEFAULT_WINDOW_BYTES } from "./frame.ts";
import type { SendQueue } from "./send-queue.ts";
import type { Http2Stream, StreamReceiver } from "./stream.ts";

/** What a connection does for its streams. */
export interface StreamDuties {
  readonly peer: Peer;
  reply(stream: ServerStream, headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void;
  sendHeaders(stream: ServerStream, block: Uint8Array, endStream: boolean): void;
  /** False when some of it waits. */
  sendData(stream: ServerStream, bytes: Uint8Array, endStream: boolean): boolean;
  reset(stream: ServerStream, code: ErrorCode): void;
  grant(stream: ServerStream, bytes: number): void;
}

/** A stream from its headers to its end. */
export class ServerStream implements Http2Stream {
  readonly id: number;
  readonly openedMs: number;
  readonly #duties: StreamDuties;
  /** Who takes the request's body; undefined before it is known, and where nobody wants it. */
  receiver: StreamReceiver | undefined = undefined;
  isOpen = true;
  /** END_STREAM has come. */
  requestEnded: boolean;
  /** END_STREAM was handed over by the answerer; it may still wait in `queue`. */
  answered = false;
  /** What the peer may still send. */
  receiveWindow: number = DEFAULT_WINDOW_BYTES;
  /** What the peer may still be sent; negative when it lowered its windows (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Octets of the body that are still to come when content-length announced them; -1 when it did not. */
  expectedBytes: number;
  /** What the request's body keeps in memory, as far as it is counted. */
  heldBytes = 0;
  /** What its header lines and the call itself keep, while it is open. */
  headBytes = 0;
  /** What waits to be sent. */
  queue: SendQueue | undefined = undefined;

  constructor(
    duties: StreamDuties,
    id: number,
    openedMs: number,
    sendWindow: number,
    expectedBytes: number,
    requestEnded: boolean,
  ) {
    this.#duties = duties;
    this.id = id;
    this.openedMs = openedMs;
    this.sendWindow = sendWindow;
    this.expectedBytes = expectedBytes;
    this.requestEnded = requestEnded;
  }

  get peer(): Peer {
    return this.#duties.peer;
  }

  reply(headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void {
    if (this.isOpen && !this.answered) this.#duties.reply(this, headers, message, trailers);
  }

  sendHeaders(block: Uint8Array, endStream: boolean): void {
    if (this.isOpen && !this.answered) this.#duties.sendHeaders(this, block, endStream);
  }

  sendData(bytes: Uint8Array, endStream: boolean): boolean {
    return !this.isOpen || this.answered || this.#duties.sendData(this, bytes, endStream);
  }

  reset(code: ErrorCode): void {
    if (this.isOpen) this.#duties.reset(this, code);
  }

  grant(bytes: number): void {
    if (this.isOpen && !this.requestEnded && bytes > 0) this.#duties.grant(this, bytes);
  }
}
