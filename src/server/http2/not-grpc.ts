// A request that is no gRPC call: it is answered 415 when it has ended, so that what is wrong with the rest of it is still said as
// HTTP/2 says it; or sooner, when it is long.

import { sendNotGrpc } from "./grpc-response.ts";
import type { Http2Stream, StreamReceiver } from "./stream.ts";

/** What such a request may send before its answer; less than its window. */
const MAX_DROPPED_BYTES = 16 * 1024;

/** Drops the body and answers. */
export class NotGrpcRequest implements StreamReceiver {
  readonly #stream: Http2Stream;
  readonly #isHead: boolean;
  #isOver = false;
  #dropped = 0;

  constructor(stream: Http2Stream, isHead: boolean) {
    this.#stream = stream;
    this.#isHead = isHead;
  }

  onData(bytes: Buffer): void {
    this.#dropped += bytes.length;
    if (this.#dropped > MAX_DROPPED_BYTES) this.onEnd();
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    sendNotGrpc(this.#stream, this.#isHead);
  }

  onReset(): void {
    this.#isOver = true;
  }
}
