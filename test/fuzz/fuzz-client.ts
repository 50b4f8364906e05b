// A client that does all that a client may do, at random, and nothing that it may not: the next frames of a conversation, and
// which answers it must get. It sees the server through server-watch.ts. SPEC: RFC 9113.

import { FLAG, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import type { Random } from "../support/random.ts";
import { type ClientFrame, clientFrame, EMPTY, words } from "./client-frame.ts";
import { HeaderWriter } from "./header-writer.ts";
import { createRequest, type FuzzRequest } from "./requests.ts";
import type { ServerWatch } from "./server-watch.ts";

export interface FuzzClientOptions {
  readonly random: Random;
  readonly watch: ServerWatch;
  readonly maxStreams: number;
  readonly maxMessageBytes: number;
  readonly maxContinuations: number;
  readonly headerTableBytes: number;
  /** Requests that it makes before it is content. */
  readonly requests: number;
  /** Whether some messages are packed. */
  readonly usesThreads: boolean;
  /** Bodies that fit the first windows of any server, all together. */
  readonly isSmall?: boolean;
  /** Bodies that exceed windows, most of them. */
  readonly isBulky?: boolean;
}

/** One request on its way. */
export interface SentRequest extends FuzzRequest {
  readonly id: number;
  /** Octets of the body that have been sent. */
  at: number;
  ended: boolean;
  wasReset: boolean;
  /** With padding, what counts for the window. */
  flowBytes: number;
}

const DEFAULT_WINDOW = 65_535;
const MAX_PART = 16_384;
const CANCEL = 8;

export class FuzzClient {
  readonly requests: SentRequest[] = [];
  readonly #options: FuzzClientOptions;
  readonly #writer = new HeaderWriter();
  #open: SentRequest[] = [];
  #nextId = 1;
  #flowBytes = 0;
  #owesAck = true;
  #window = DEFAULT_WINDOW;

  constructor(options: FuzzClientOptions) {
    this.#options = options;
  }

  /** All that it wanted has been sent. */
  get isContent(): boolean {
    return (
      this.requests.length >= this.#options.requests && this.#open.every((request) => request.ended) && !this.#owesAck
    );
  }

  /** The frames of one step; perhaps none while windows are closed. */
  next(): ClientFrame[] {
    const { random, maxStreams } = this.#options;
    const { streams } = this.#options.watch;
    this.#open = this.#open.filter((request) => {
      const stream = streams.get(request.id);
      if (stream?.state === "ended" || stream?.state === "reset") request.ended = true;
      return !request.wasReset && (!request.ended || (stream?.state !== "ended" && stream?.state !== "reset"));
    });
    const frames: ClientFrame[] = [];
    for (let actions = 1 + random.below(8); actions > 0; actions--) {
      const action = random.below(100);
      const isMore = this.requests.length < this.#options.requests && this.#open.length < maxStreams;
      if (action < 50 && isMore) this.#request(frames);
      else if (action < 84) this.#goOn(frames);
      else this.#other(frames, action);
    }
    if (this.requests.length >= this.#options.requests) {
      this.#acknowledge(frames);
      for (const request of this.#open) if (random.chance(60)) this.#part(frames, request);
      if (random.chance(30)) this.#widen(frames);
    }
    return frames;
  }

  #other(frames: ClientFrame[], action: number): void {
    const { random } = this.#options;
    if (action < 88) this.#acknowledge(frames);
    else if (action < 91) this.#settings(frames);
    else if (action < 94) this.#widen(frames);
    else if (action < 96) frames.push(clientFrame(FRAME_TYPE.PING, 0, 0, words(random.next(), random.next())));
    else if (action < 97)
      frames.push(
        clientFrame(0x0a + random.below(240), random.below(256), random.below(9), Buffer.alloc(random.below(40), 7)),
      );
    else if (action < 98)
      frames.push(
        clientFrame(
          FRAME_TYPE.PRIORITY,
          0,
          2 * random.below(100) + 1,
          Buffer.concat([words(2 * random.below(100)), Buffer.of(9)]),
        ),
      );
    // At last it waits for what it asked: a stream that does not go on must not be freed by chance.
    else if (this.requests.length < this.#options.requests) this.#reset(frames);
  }

  #request(frames: ClientFrame[]): void {
    const { random, maxMessageBytes, usesThreads, isSmall = false, isBulky = false } = this.#options;
    const id = this.#nextId;
    this.#nextId += random.chance(95) ? 2 : 2 * (1 + random.below(20));
    const sent: SentRequest = {
      ...createRequest(random, { maxMessageBytes, usesThreads, isSmall, isBulky }),
      id,
      at: 0,
      ended: false,
      wasReset: false,
      flowBytes: 0,
    };
    this.requests.push(sent);
    this.#open.push(sent);
    const isWhole = sent.body.length === 0 && sent.trailers === undefined && random.chance(80);
    sent.ended = isWhole;
    this.#headers(frames, id, sent.fields, isWhole);
    if (random.chance(85)) while (!sent.ended && random.chance(95) && this.#part(frames, sent));
  }

  #headers(frames: ClientFrame[], id: number, fields: FuzzRequest["fields"], endStream: boolean): void {
    const { random, maxContinuations } = this.#options;
    const block = this.#writer.write(fields, random);
    const cuts = random.chance(90)
      ? []
      : Array.from({ length: random.below(maxContinuations + 1) }, () => random.below(block.length + 1));
    const ends = [...cuts.sort((a, b) => a - b), block.length];
    let at = 0;
    ends.forEach((end, part) => {
      const flags = part === ends.length - 1 ? FLAG.END_HEADERS : 0;
      const bytes = block.subarray(at, end);
      if (part === 0) frames.push(this.#decorated(id, bytes, flags | (endStream ? FLAG.END_STREAM : 0)));
      else frames.push(clientFrame(FRAME_TYPE.CONTINUATION, flags, id, bytes));
      at = end;
    });
  }

  /** HEADERS with or without padding and priority. */
  #decorated(id: number, block: Buffer, flags: number): ClientFrame {
    const { random } = this.#options;
    const padding = random.chance(10) ? random.below(256) : undefined;
    const hasPriority = random.chance(10);
    if (padding === undefined && !hasPriority) return clientFrame(FRAME_TYPE.HEADERS, flags, id, block);
    const parts = [
      ...(padding === undefined ? [] : [Buffer.of(padding)]),
      ...(hasPriority
        ? [words(random.chance(50) ? 0 : 0x8000_0000 + 2 * random.below(50)), Buffer.of(random.below(256))]
        : []),
      block,
      Buffer.alloc(padding ?? 0),
    ];
    const more = (padding === undefined ? 0 : FLAG.PADDED) | (hasPriority ? FLAG.PRIORITY : 0);
    return clientFrame(FRAME_TYPE.HEADERS, flags | more, id, Buffer.concat(parts));
  }

  #goOn(frames: ClientFrame[]): void {
    const request = this.#open.length === 0 ? undefined : this.#options.random.pick(this.#open);
    if (request !== undefined) this.#part(frames, request);
  }

  /** The next part of a body; false when its window is closed. */
  #part(frames: ClientFrame[], request: SentRequest): boolean {
    const { random, watch } = this.#options;
    if (request.ended) return false;
    const { body } = request;
    const granted = watch.streams.get(request.id)?.granted ?? 0;
    const most = Math.min(
      DEFAULT_WINDOW + granted - request.flowBytes,
      DEFAULT_WINDOW + watch.connectionGranted - this.#flowBytes,
      MAX_PART,
    );
    const left = body.length - request.at;
    let length = Math.min(left, most, random.chance(60) ? MAX_PART : random.below(600));
    if (length < 0 || (length === 0 && left > 0 && most <= 0)) return false;
    const padding = random.chance(8) ? random.below(256) : undefined;
    const extra = padding === undefined ? 0 : 1 + padding;
    const isPadded = padding !== undefined && length + extra <= most;
    if (length === 0 && left > 0 && random.chance(90)) length = Math.min(1, most);
    const isLast = length === left && request.trailers === undefined && (left > 0 || random.chance(90));
    const part = body.subarray(request.at, request.at + length);
    const payload = isPadded ? Buffer.concat([Buffer.of(padding), part, Buffer.alloc(padding)]) : part;
    if (payload.length > most && payload.length > 0) return false;
    request.at += length;
    request.flowBytes += payload.length;
    this.#flowBytes += payload.length;
    // Where only trailers are missing, empty DATA before them is rare.
    if (left > 0 || request.trailers === undefined || random.chance(10)) {
      const flags = (isLast ? FLAG.END_STREAM : 0) | (isPadded ? FLAG.PADDED : 0);
      frames.push(clientFrame(FRAME_TYPE.DATA, flags, request.id, payload));
      request.ended = isLast;
    }
    if (request.at === body.length && request.trailers !== undefined && random.chance(80)) {
      request.ended = true;
      this.#headers(frames, request.id, request.trailers, true);
    }
    return true;
  }

  #acknowledge(frames: ClientFrame[]): void {
    if (!this.#owesAck) return;
    this.#owesAck = false;
    frames.push(clientFrame(FRAME_TYPE.SETTINGS, FLAG.ACK, 0));
    this.#writer.setLimit(this.#options.headerTableBytes);
  }

  #settings(frames: ClientFrame[]): void {
    const { random } = this.#options;
    const entries = Buffer.alloc(6 * random.below(4));
    for (let at = 0; at < entries.length; at += 6) {
      const [id, value] = random.pick([
        [1, random.pick([0, 100, 4096, 65_536])],
        [2, 0],
        [3, random.below(1000)],
        [4, random.pick([0, 1, 10, 1_000, 65_535, 100_000, 1_000_000])],
        [5, random.pick([16_384, 100_000, 0xff_ffff])],
        [6, random.below(100_000)],
        [0x99, random.next()],
      ] as const);
      entries.writeUInt16BE(id, at);
      entries.writeUInt32BE(value, at + 2);
      if (id === 4) this.#window = value;
    }
    frames.push(clientFrame(FRAME_TYPE.SETTINGS, 0, 0, entries));
  }

  #widen(frames: ClientFrame[]): void {
    const { random } = this.#options;
    const bytes = 1 + random.below(random.chance(50) ? 100 : 200_000);
    if (random.chance(50)) frames.push(clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, 0, words(bytes)));
    const request = this.#open.length === 0 ? undefined : random.pick(this.#open);
    if (request !== undefined) frames.push(clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, request.id, words(bytes)));
  }

  /** Opens all windows, so that everything that waits can come. */
  openUp(): ClientFrame[] {
    const frames =
      this.#window < DEFAULT_WINDOW ? [clientFrame(FRAME_TYPE.SETTINGS, 0, 0, Buffer.from("0004000f4240", "hex"))] : [];
    this.#window = 1_000_000;
    frames.push(clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, 0, words(10_000_000)));
    for (const { id } of this.#open) frames.push(clientFrame(FRAME_TYPE.WINDOW_UPDATE, 0, id, words(10_000_000)));
    return frames;
  }

  #reset(frames: ClientFrame[]): void {
    const { random } = this.#options;
    const request = this.#open.length === 0 ? undefined : random.pick(this.#open);
    if (request === undefined) return;
    request.ended = true;
    request.wasReset = true;
    frames.push(
      clientFrame(FRAME_TYPE.RST_STREAM, 0, request.id, words(random.chance(80) ? CANCEL : random.below(14))),
    );
  }

  /** A new conversation's first octets, after the preface. */
  static firstSettings(random: Random): ClientFrame {
    const isEmpty = random.chance(50);
    return clientFrame(FRAME_TYPE.SETTINGS, 0, 0, isEmpty ? EMPTY : Buffer.from("000200000000", "hex"));
  }
}
