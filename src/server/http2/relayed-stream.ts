// One stream through the relay: what the peer sends goes in as fast as the server inside takes it, what that one says goes out
// as fast as the peer takes it, and either end's failure reaches the other.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { ERROR_CODE, type ErrorCode } from "./error-code.ts";
import { encodeHeaderBlock } from "./header-block.ts";
import { toFields } from "./relay-headers.ts";
import type { Http2Stream, StreamReceiver } from "./stream.ts";

/** Windows are given back in steps of this many bytes: half of a stream's first window. */
const GRANT_BYTES = 32 * 1024;

/** Joins a stream of ours to one of the connection inside. */
export class RelayedStream implements StreamReceiver {
  readonly isLongLived = true;
  readonly #stream: Http2Stream;
  readonly #inside: ClientHttp2Stream;
  #onOver: (() => void) | undefined;
  #requestEnded: boolean;
  #answerEnded = false;
  #taken = 0;
  #trailers: Buffer | undefined;

  /** `onOver` runs once, when the stream counts no more. */
  constructor(stream: Http2Stream, inside: ClientHttp2Stream, requestEnded: boolean, onOver: () => void) {
    this.#stream = stream;
    this.#inside = inside;
    this.#requestEnded = requestEnded;
    this.#onOver = onOver;
    inside.on("response", (headers, flags) => {
      const isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (isAll) {
        this.#endAnswer(() => stream.sendHeaders(toBlock(headers), true));
        inside.resume();
      } else {
        stream.sendHeaders(toBlock(headers), false);
        // Only now: Node tells of headers one tick late, and of data at once.
        inside.on("data", (bytes: Buffer) => {
          if (!stream.sendData(bytes, false)) inside.pause();
        });
      }
    });
    inside.on("trailers", (headers) => {
      this.#trailers = toBlock(headers);
    });
    // Comes when all data has been passed on, which trailers do not wait for. An end without trailers is none for gRPC: it is
    // also how Node tells of a connection that has gone.
    inside.on("end", () => {
      const trailers = this.#trailers;
      if (trailers !== undefined) this.#endAnswer(() => stream.sendHeaders(trailers, true));
    });
    // What went wrong is in `rstCode`, once it is closed.
    inside.on("error", () => undefined);
    inside.on("close", () => {
      if (!this.#answerEnded) stream.reset(toErrorCode(inside.rstCode));
      this.#over();
    });
  }

  onData(bytes: Buffer): void {
    // SECURITY: a copy, for a byte that waits here would keep the whole of what was read with it.
    this.#inside.write(Buffer.from(bytes), () => this.#took(bytes.length));
  }

  onEnd(): void {
    this.#requestEnded = true;
    this.#inside.end();
  }

  onReset(): void {
    this.#answerEnded = true;
    this.#inside.close(ERROR_CODE.CANCEL);
    this.#over();
  }

  onDrain(): void {
    this.#inside.resume();
  }

  #took(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < GRANT_BYTES) return;
    this.#stream.grant(this.#taken);
    this.#taken = 0;
  }

  #endAnswer(send: () => void): void {
    if (this.#answerEnded) return;
    this.#answerEnded = true;
    send();
    // Our connection tells its peer that nothing of the request is needed any more; this tells the server inside.
    if (!this.#requestEnded) this.#inside.close(ERROR_CODE.NO_ERROR);
  }

  #over(): void {
    const onOver = this.#onOver;
    this.#onOver = undefined;
    onOver?.();
  }
}

const toBlock = (headers: IncomingHttpHeaders): Buffer => encodeHeaderBlock(toFields(headers));

/** A stream that ends without an answer has failed, also where it says NO_ERROR. */
function toErrorCode(code: number | undefined): ErrorCode {
  const known = Object.values(ERROR_CODE).find((value) => value === code);
  return known === undefined || known === ERROR_CODE.NO_ERROR ? ERROR_CODE.INTERNAL_ERROR : known;
}
