// Reads what any HTTP/2 server writes, ours or another, without judging it: what became of each stream and of the connection.

import { FLAG, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import { FrameSplitter } from "./client-frame.ts";

/** What a client got on one stream. */
export interface Answer {
  status: string | undefined;
  body: string;
  hasEnded: boolean;
  resetCode: number | undefined;
}

export class Answers {
  readonly streams = new Map<number, Answer>();
  /** Of the last GOAWAY. */
  goawayCode: number | undefined;
  /** The connection was closed by the server. */
  hasEnded = false;
  /** Grows with each frame. */
  frames = 0;
  readonly #splitter = new FrameSplitter(0);
  readonly #decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 1 << 20 });
  #block: Buffer[] = [];

  read(bytes: Buffer): void {
    this.#splitter.split(bytes, (type, flags, id, payload) => this.#frame(type, flags, id, payload));
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    this.frames++;
    if (type === FRAME_TYPE.GOAWAY) this.goawayCode = payload.readUInt32BE(4);
    if (id === 0 || type === FRAME_TYPE.WINDOW_UPDATE) return;
    const answer = this.streams.get(id) ?? { status: undefined, body: "", hasEnded: false, resetCode: undefined };
    this.streams.set(id, answer);
    if (type === FRAME_TYPE.RST_STREAM) answer.resetCode = payload.readUInt32BE(0);
    if (type === FRAME_TYPE.DATA) answer.body += payload.toString("latin1");
    if (type === FRAME_TYPE.HEADERS || type === FRAME_TYPE.CONTINUATION) {
      this.#block.push(payload);
      if ((flags & FLAG.END_HEADERS) !== 0) this.#headers(answer);
    }
    if ((type === FRAME_TYPE.DATA || type === FRAME_TYPE.HEADERS) && (flags & FLAG.END_STREAM) !== 0)
      answer.hasEnded = true;
  }

  #headers(answer: Answer): void {
    const block = Buffer.concat(this.#block);
    this.#block = [];
    const list = this.#decoder.decode(block, 0, block.length);
    if (typeof list === "string") throw new Error(`a header block is ${list}`);
    answer.status ??= list.fields.find(({ name }) => name === ":status")?.value;
  }
}
