// The boundary between a connection, which knows frames and windows (and the five bytes before a gRPC message), and what answers
// its requests, which knows gRPC.
// A connection opens a stream when a request's headers are complete and well-formed HTTP/2; what takes it (`OpenStream`) answers
// at once or gives a receiver for what follows. Both directions are synchronous: whatever is sent while a read batch is worked
// on leaves in one write at its end; what is sent later leaves at the end of that turn.

import type { Peer } from "../peer.ts";
import type { ErrorCode } from "./error-code.ts";
import type { HeaderList } from "./header-list.ts";

/** What stands before a gRPC message: one byte that says whether it is compressed, four of length. */
export const MESSAGE_PREFIX_BYTES = 5;

/** The answering side of one stream. Calls after the stream has ended do nothing. */
export interface Http2Stream {
  readonly id: number;
  /** Who is at the other end of the connection. */
  readonly peer: Peer;
  /** False once the stream has ended, either way. */
  readonly isOpen: boolean;
  /**
   * A whole gRPC answer: response headers, one message (without its five bytes of prefix, which are added), trailers; the
   * blocks are HPACK without dynamic references. PERF: the path of every check; one copy into the output.
   */
  reply(headers: Uint8Array, message: Uint8Array, trailers: Uint8Array): void;
  /** A header block, or trailers behind whatever data still waits. */
  sendHeaders(block: Uint8Array, endStream: boolean): void;
  /** Keeps what the peer's windows do not admit; false when some of it waits, until `onDrain`. */
  sendData(bytes: Uint8Array, endStream: boolean): boolean;
  /** RST_STREAM, and the end of the stream. */
  reset(code: ErrorCode): void;
  /** Lets the peer send `bytes` more on this stream than its first window holds. */
  grant(bytes: number): void;
}

/** The request's side of one stream, after its headers. After `onReset` nothing is called, nor after both sides have ended. */
export interface StreamReceiver {
  /** A part of the body; the bytes never change afterwards. */
  onData(bytes: Buffer): void;
  /** The request is complete. Trailers, if any, were well-formed and are dropped. */
  onEnd(): void;
  /** The peer has reset the stream, or the connection is gone. */
  onReset(): void;
  /** All that waited has been sent. */
  onDrain?(): void;
  /** True for a stream that may stay open for as long as the peer likes: it is not a slow sender. */
  readonly isLongLived?: boolean;
}

/**
 * Takes a request. `endStream`: there is no body. Undefined when it has been answered already, and nothing that follows matters:
 * SPEC: RFC 9113 §8.1: after a whole answer to an unfinished request the connection sends RST_STREAM(NO_ERROR).
 * Must not throw.
 */
export type OpenStream = (stream: Http2Stream, list: HeaderList, endStream: boolean) => StreamReceiver | undefined;
