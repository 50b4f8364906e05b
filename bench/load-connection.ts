// One connection of a load: gRPC checks in HTTP/2 frames by hand, as Envoy would send them: the header block in full at first, then
// as references to the HPACK table. Many checks are one write, and answers are counted by scanning frames, so that the load costs a
// fraction of what it measures. It is no client: it trusts the server's frames and decodes no header.

import type { Socket } from "node:net";
import { ACK, END_HEADERS, END_STREAM, FRAME, frame, PREFACE } from "../test/support/h2-frames.ts";

/** What a check came to: an answer whose message allows, one whose message does not, or none (an error, or the stream was reset). */
export type CheckOutcome = "allowed" | "denied" | "failed";

export interface LoadConnectionOptions {
  readonly socket: Socket;
  /** gRPC messages, prefix included. */
  readonly bodies: readonly Buffer[];
  /** A check has ended; `waitedMs` since the moment given to `send`. */
  onAnswer(outcome: CheckOutcome, waitedMs: number, body: number): void;
  /** One read batch has been counted. */
  onBatch?(answers: number): void;
  /** The server ended the connection or said GOAWAY; checks that are still open are counted as failed. */
  onEnd?(why: string): void;
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

/** What Envoy sends before a check besides `:method` and `:scheme`: name (or its index in the static table) and value. */
const FIELDS: readonly (readonly [number | string, string])[] = [
  [4, "/envoy.service.auth.v3.Authorization/Check"],
  [1, "ext_authz"],
  ["te", "trailers"],
  ["grpc-timeout", "5S"],
  [31, "application/grpc"],
  ["x-envoy-internal", "true"],
  ["x-forwarded-for", "10.1.2.3"],
];
// SPEC: RFC 7541 §6.1: indexed `:method: POST` and `:scheme: http`; §6.2.1: literals that enter the dynamic table, the last one at 62.
const POST_HTTP = Buffer.from([0x83, 0x86]);
const FIRST_BLOCK = Buffer.concat([
  POST_HTTP,
  ...FIELDS.flatMap(([name, value]) =>
    typeof name === "number"
      ? [Buffer.from([0x40 | name]), text(value)]
      : [Buffer.from([0x40]), text(name), text(value)],
  ),
]);
const NEXT_BLOCK = Buffer.concat([
  POST_HTTP,
  Buffer.from(FIELDS.map((_, index) => 0x80 | (61 + FIELDS.length - index))),
]);

const HEAD_BYTES = 9;
/** SPEC: RFC 9113 §6.9.2. */
const FIRST_WINDOW = 65_535;
/** SPEC: RFC 9113 §4.2. */
const MAX_FRAME_BYTES = 16_384;
const MAX_WINDOW = 2 ** 31 - 1;
/** What we have received is given back in parts of this size. */
const GIVE_BACK_BYTES = 2 ** 28;
/** Streams that are remembered; a stream that is older than that and still open holds the connection up. */
const SLOTS = 4096;
/** What servers announce at least: SETTINGS_MAX_CONCURRENT_STREAMS is not read. */
const MAX_IN_FLIGHT = 1000;
const OPEN = 1;
const SAW_ALLOWED = 2;
const SAW_DENIED = 3;

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** The frames of a check, for a stream that is still to be written into them. */
function unitOf(block: Buffer, body: Buffer): Buffer {
  const frames = [frame(FRAME.HEADERS, END_HEADERS, 0, block)];
  for (let at = 0; at < body.length; at += MAX_FRAME_BYTES) {
    const part = body.subarray(at, at + MAX_FRAME_BYTES);
    frames.push(frame(FRAME.DATA, at + part.length === body.length ? END_STREAM : 0, 0, part));
  }
  return Buffer.concat(frames);
}

/** A connection that is ready to send. */
export class LoadConnection {
  readonly #options: LoadConnectionOptions;
  readonly #socket: Socket;
  readonly #units: readonly Buffer[];
  readonly #sentMs = new Float64Array(SLOTS);
  readonly #body = new Uint32Array(SLOTS);
  readonly #state = new Uint8Array(SLOTS);
  #window = FIRST_WINDOW;
  #received = 0;
  #nextStream = 1;
  #nextBody = 0;
  #rest: Buffer | undefined;
  #ended = false;
  /** Checks without an answer. */
  inFlight = 0;

  constructor(options: LoadConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#units = options.bodies.map((body) => unitOf(NEXT_BLOCK, body));
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", () => undefined);
    this.#socket.once("close", () => this.#end("closed"));
    this.#socket.write(Buffer.concat([PREFACE, frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - FIRST_WINDOW))]));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends up to `count` checks, as the server's window and our memory admit; gives how many. They wait since `sinceMs`. */
  send(count: number, sinceMs: number): number {
    if (this.#ended) return 0;
    const parts: Buffer[] = [];
    let bytes = 0;
    let sent = 0;
    for (const most = Math.min(count, MAX_IN_FLIGHT - this.inFlight); sent < most; sent++) {
      const body = this.#nextBody;
      const slot = (this.#nextStream >>> 1) % SLOTS;
      const unit = this.#nextStream === 1 ? unitOf(FIRST_BLOCK, this.#bodyAt(body)) : this.#unitAt(body);
      const bodyBytes = this.#bodyAt(body).length;
      if (this.#state[slot] !== 0 || bodyBytes > this.#window) break;
      this.#window -= bodyBytes;
      this.#state[slot] = OPEN;
      this.#sentMs[slot] = sinceMs;
      this.#body[slot] = body;
      this.#nextStream += 2;
      this.#nextBody = body + 1 === this.#units.length ? 0 : body + 1;
      parts.push(unit);
      bytes += unit.length;
    }
    if (sent === 0) return 0;
    const out = Buffer.allocUnsafe(bytes);
    let at = 0;
    let stream = this.#nextStream - 2 * sent;
    for (const unit of parts) {
      unit.copy(out, at);
      const end = at + unit.length;
      for (; at < end; at += HEAD_BYTES + out.readUIntBE(at, 3)) out.writeUInt32BE(stream, at + 5);
      stream += 2;
    }
    this.inFlight += sent;
    this.#socket.write(out);
    return sent;
  }

  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  #bodyAt(index: number): Buffer {
    return this.#options.bodies[index] as Buffer;
  }

  #unitAt(index: number): Buffer {
    return this.#units[index] as Buffer;
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    const nowMs = performance.now();
    let answers = 0;
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const start = at + HEAD_BYTES;
      const end = start + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const type = bytes[at + 3];
      const flags = bytes[at + 4] as number;
      if (type === FRAME.DATA || type === FRAME.HEADERS || type === FRAME.RST_STREAM) {
        const slot = (bytes.readUInt32BE(at + 5) >>> 1) % SLOTS;
        // A CheckResponse that allows begins with an empty status.
        if (type === FRAME.DATA && end >= start + 7 && this.#state[slot] === OPEN)
          this.#state[slot] = bytes[start + 5] === 0x0a && bytes[start + 6] === 0 ? SAW_ALLOWED : SAW_DENIED;
        if ((type === FRAME.RST_STREAM || (flags & END_STREAM) !== 0) && this.#state[slot] !== 0) {
          answers++;
          this.#answered(slot, nowMs, type === FRAME.RST_STREAM);
        }
      } else this.#control(type, flags, bytes, at, end);
      at = end;
    }
    this.#rest = at === bytes.length ? undefined : bytes.subarray(at);
    this.#received += chunk.length;
    if (this.#received > GIVE_BACK_BYTES) {
      this.#socket.write(frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(this.#received)));
      this.#received = 0;
    }
    if (answers > 0) this.#options.onBatch?.(answers);
  }

  #answered(slot: number, nowMs: number, reset: boolean): void {
    const state = this.#state[slot];
    this.#state[slot] = 0;
    this.inFlight--;
    const outcome = reset || state === OPEN ? "failed" : state === SAW_ALLOWED ? "allowed" : "denied";
    this.#options.onAnswer(outcome, nowMs - (this.#sentMs[slot] as number), this.#body[slot] as number);
  }

  #control(type: number | undefined, flags: number, bytes: Buffer, at: number, end: number): void {
    const start = at + HEAD_BYTES;
    if (type === FRAME.SETTINGS && (flags & ACK) === 0)
      this.#socket.write(frame(FRAME.SETTINGS, ACK, 0, Buffer.alloc(0)));
    else if (type === FRAME.PING && (flags & ACK) === 0)
      this.#socket.write(frame(FRAME.PING, ACK, 0, bytes.subarray(start, end)));
    else if (type === FRAME.WINDOW_UPDATE && bytes.readUInt32BE(at + 5) === 0)
      this.#window += bytes.readUInt32BE(start);
    else if (type === FRAME.GOAWAY) this.#end(`GOAWAY ${bytes.readUInt32BE(start + 4)}`);
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const nowMs = performance.now();
    for (let slot = 0; slot < SLOTS; slot++) if (this.#state[slot] !== 0) this.#answered(slot, nowMs, true);
    this.#options.onEnd?.(why);
  }
}
