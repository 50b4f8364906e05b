// A strict reader of what a server writes, beside what it was sent: whatever no client may be sent is a finding.
// SPEC: RFC 9113 §3.4, §5.1, §5.2, §6, §8.1. It sees the client's bytes as they leave, broken or not, and so knows which streams
// may be spoken of and how much each window can hold at most.

import { FLAG, FRAME_TYPE } from "../../src/server/http2/frame.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import { EMPTY, FrameSplitter } from "./client-frame.ts";

/** What the server did and must not. */
export class Finding extends Error {}

/** The answering side of one stream, as a client sees it. */
export interface WatchedStream {
  readonly id: number;
  state: "open" | "headers" | "ended" | "reset";
  status: string | undefined;
  grpcStatus: string | undefined;
  body: Buffer[];
  bodyBytes: number;
  /** WINDOW_UPDATEs of the client. */
  widened: number;
  /** WINDOW_UPDATEs of the server. */
  granted: number;
  resetCode: number | undefined;
  /** The client has sent the end of the request … */
  endWasSent: boolean;
  /** … and the server has read it. */
  requestEnded: boolean;
  /** The client has reset it, and the server has read that. */
  isForgotten: boolean;
}

const DEFAULT_WINDOW = 65_535;
const MAX_WINDOW = 0x7fff_ffff;
const NO_ERROR = 0;
const STREAM_CLOSED = 5;

/** Watches one connection. */
export class ServerWatch {
  readonly streams = new Map<number, WatchedStream>();
  readonly #isStrict: boolean;
  readonly #fromClient: FrameSplitter;
  readonly #fromServer = new FrameSplitter(0);
  readonly #decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 1 << 20 });
  /** The initial window that the server has acknowledged, and those that it has not. */
  #initialWindow = DEFAULT_WINDOW;
  readonly #unacknowledged: (number | undefined)[] = [];
  readonly #pings: string[] = [];
  #connectionWindow = DEFAULT_WINDOW;
  #sentBytes = 0;
  #highestId = 0;
  #sawSettings = false;
  #goaway: { readonly lastId: number; readonly code: number } | undefined;
  /** A header block that is not whole. */
  #block: { readonly stream: WatchedStream; readonly endStream: boolean; readonly parts: Buffer[] } | undefined;
  /** What the client has sent and the server perhaps not read. */
  #resetNow: WatchedStream[] = [];
  #endedNow: WatchedStream[] = [];

  /** What the server may be sent on the connection, beyond what it was. */
  connectionGranted = 0;
  settingsFrames = 0;
  serverPings = 0;

  /** `isStrict`: the client does nothing wrong. */
  constructor(prefaceBytes: number, isStrict: boolean) {
    this.#isStrict = isStrict;
    this.#fromClient = new FrameSplitter(prefaceBytes);
  }

  /** The code of the last GOAWAY; undefined when there was none. */
  get goawayCode(): number | undefined {
    return this.#goaway?.code;
  }

  /** SETTINGS and PING frames of the client that the server has not acknowledged. */
  get unacknowledged(): number {
    return this.#unacknowledged.length + this.#pings.length;
  }

  sending(bytes: Buffer): void {
    this.#fromClient.split(bytes, (type, flags, streamId, payload) => this.#sent(type, flags, streamId, payload));
  }

  /** All that was sent has been read by the server. */
  read(): void {
    for (const stream of this.#resetNow) stream.isForgotten = true;
    for (const stream of this.#endedNow) stream.requestEnded = true;
    this.#resetNow = [];
    this.#endedNow = [];
  }

  receiving(bytes: Buffer): void {
    this.#fromServer.split(bytes, (type, flags, streamId, payload) => this.#received(type, flags, streamId, payload));
    if (this.#fromServer.isLost) throw new Finding("a frame larger than 16,384 octets");
  }

  /** Nothing more will come. */
  end(): void {
    if (this.#fromServer.restBytes > 0) throw new Finding("the connection ends within a frame");
    if (this.#block !== undefined) throw new Finding("the connection ends within a header block");
  }

  #sent(type: number, flags: number, streamId: number, payload: Buffer): void {
    const stream = this.streams.get(streamId);
    switch (type) {
      case FRAME_TYPE.HEADERS:
        if (stream === undefined) this.#open(streamId);
        if ((flags & FLAG.END_STREAM) !== 0) this.#ended(this.streams.get(streamId));
        break;
      case FRAME_TYPE.DATA:
        if ((flags & FLAG.END_STREAM) !== 0) this.#ended(stream);
        break;
      case FRAME_TYPE.RST_STREAM:
        if (stream !== undefined && payload.length === 4) this.#resetNow.push(stream);
        break;
      case FRAME_TYPE.SETTINGS:
        if ((flags & FLAG.ACK) === 0) this.#unacknowledged.push(initialWindowOf(payload));
        break;
      case FRAME_TYPE.PING:
        if ((flags & FLAG.ACK) === 0) this.#pings.push(payload.toString("latin1"));
        break;
      case FRAME_TYPE.WINDOW_UPDATE: {
        if (payload.length !== 4) break;
        const bytes = payload.readUInt32BE(0) & MAX_WINDOW;
        if (streamId === 0) this.#connectionWindow += bytes;
        else if (stream !== undefined) stream.widened += bytes;
        break;
      }
      default:
        break;
    }
  }

  #ended(stream: WatchedStream | undefined): void {
    if (stream === undefined) return;
    stream.endWasSent = true;
    this.#endedNow.push(stream);
  }

  #open(id: number): void {
    if (id > this.#highestId) this.#highestId = id;
    this.streams.set(id, {
      id,
      state: "open",
      status: undefined,
      grpcStatus: undefined,
      body: [],
      bodyBytes: 0,
      widened: 0,
      granted: 0,
      resetCode: undefined,
      endWasSent: false,
      requestEnded: false,
      isForgotten: false,
    });
  }

  #received(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (!this.#sawSettings && (type !== FRAME_TYPE.SETTINGS || (flags & FLAG.ACK) !== 0)) {
      throw new Finding(`frame type ${type} before SETTINGS`);
    }
    if (this.#goaway !== undefined && this.#goaway.code !== NO_ERROR)
      throw new Finding(`frame type ${type} after GOAWAY`);
    if (this.#block !== undefined && (type !== FRAME_TYPE.CONTINUATION || streamId !== this.#block.stream.id)) {
      throw new Finding(`frame type ${type} within a header block`);
    }
    switch (type) {
      case FRAME_TYPE.SETTINGS:
        this.#settings(flags, streamId, payload);
        break;
      case FRAME_TYPE.PING:
        this.#ping(flags, streamId, payload);
        break;
      case FRAME_TYPE.GOAWAY:
        this.#goneAway(streamId, payload);
        break;
      case FRAME_TYPE.WINDOW_UPDATE:
        this.#widened(streamId, payload);
        break;
      case FRAME_TYPE.HEADERS:
        this.#headers(flags, this.#stream(streamId, "HEADERS"), payload);
        break;
      case FRAME_TYPE.CONTINUATION:
        this.#continuation(flags, payload);
        break;
      case FRAME_TYPE.DATA:
        this.#data(flags, this.#stream(streamId, "DATA"), payload);
        break;
      case FRAME_TYPE.RST_STREAM:
        this.#reset(streamId, payload);
        break;
      default:
        throw new Finding(`frame type ${type}, which no server sends`);
    }
  }

  /** A stream that the client opened and that the server may still speak on. */
  #stream(id: number, what: string): WatchedStream {
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Finding(`${what} on stream ${id}, which was never opened`);
    if (stream.state === "ended" || stream.state === "reset")
      throw new Finding(`${what} on stream ${id} after ${stream.state}`);
    if (stream.isForgotten) throw new Finding(`${what} on stream ${id}, which was reset`);
    return stream;
  }

  #settings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw new Finding("SETTINGS on a stream");
    if ((flags & FLAG.ACK) === 0) {
      if (this.#sawSettings) throw new Finding("SETTINGS twice");
      if (payload.length % 6 !== 0) throw new Finding("SETTINGS of a wrong length");
      this.#sawSettings = true;
      this.settingsFrames++;
      return;
    }
    if (payload.length !== 0) throw new Finding("an acknowledgement with a payload");
    if (this.#unacknowledged.length === 0) throw new Finding("an acknowledgement of SETTINGS that were not sent");
    this.#initialWindow = this.#unacknowledged.shift() ?? this.#initialWindow;
  }

  #ping(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0 || payload.length !== 8) throw new Finding("a PING of a wrong shape");
    if ((flags & FLAG.ACK) === 0) this.serverPings++;
    else if (this.#pings.shift() !== payload.toString("latin1"))
      throw new Finding("an acknowledgement of another PING");
  }

  #goneAway(streamId: number, payload: Buffer): void {
    if (streamId !== 0 || payload.length < 8) throw new Finding("a GOAWAY of a wrong shape");
    const lastId = payload.readUInt32BE(0);
    const code = payload.readUInt32BE(4);
    if (code > 0xd) throw new Finding(`GOAWAY with the unknown code ${code}`);
    if (lastId !== MAX_WINDOW && lastId > this.#highestId)
      throw new Finding(`GOAWAY names stream ${lastId}, which was never opened`);
    if (this.#goaway !== undefined && lastId > this.#goaway.lastId) throw new Finding("GOAWAY raises the last stream");
    this.#goaway = { lastId, code };
  }

  #widened(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Finding("a WINDOW_UPDATE of a wrong shape");
    const bytes = payload.readUInt32BE(0);
    if (bytes === 0 || bytes > MAX_WINDOW) throw new Finding(`WINDOW_UPDATE by ${bytes}`);
    if (streamId === 0) {
      this.connectionGranted += bytes;
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) throw new Finding(`WINDOW_UPDATE on stream ${streamId}, which was never opened`);
    if (stream.state === "reset" || stream.isForgotten)
      throw new Finding(`WINDOW_UPDATE on stream ${streamId}, which was reset`);
    stream.granted += bytes;
  }

  #headers(flags: number, stream: WatchedStream, payload: Buffer): void {
    if ((flags & (FLAG.PADDED | FLAG.PRIORITY)) !== 0) throw new Finding("HEADERS with padding or priority");
    const endStream = (flags & FLAG.END_STREAM) !== 0;
    if (stream.state === "headers" && !endStream)
      throw new Finding(`HEADERS on stream ${stream.id} between headers and trailers`);
    this.#block = { stream, endStream, parts: [] };
    this.#continuation(flags, payload);
  }

  #continuation(flags: number, payload: Buffer): void {
    const open = this.#block;
    if (open === undefined) throw new Finding("CONTINUATION without HEADERS");
    open.parts.push(payload);
    if ((flags & FLAG.END_HEADERS) === 0) return;
    this.#block = undefined;
    const { stream, endStream, parts } = open;
    const block = parts.length === 1 ? payload : Buffer.concat(parts);
    const list = this.#decoder.decode(block, 0, block.length);
    if (typeof list === "string") throw new Finding(`a header block that is ${list}: ${block.toString("hex")}`);
    const isFirst = stream.state === "open";
    list.fields.forEach(({ name, value }, at) => {
      if (name.startsWith(":")) {
        if (name !== ":status" || !isFirst || at !== 0)
          throw new Finding(`${name} as line ${at} of ${isFirst ? "headers" : "trailers"}`);
        stream.status = value;
      } else if (name !== name.toLowerCase() || name === "") throw new Finding(`the name \`${name}\``);
      if (name === "grpc-status") stream.grpcStatus = value;
    });
    if (isFirst && stream.status === undefined) throw new Finding("headers without :status");
    stream.state = endStream ? "ended" : "headers";
  }

  #data(flags: number, stream: WatchedStream, payload: Buffer): void {
    if (stream.state !== "headers") throw new Finding(`DATA on stream ${stream.id} before headers`);
    if ((flags & FLAG.PADDED) !== 0) throw new Finding("DATA with padding");
    stream.bodyBytes += payload.length;
    this.#sentBytes += payload.length;
    const initial = this.#unacknowledged.reduce<number>((most, one) => Math.max(most, one ?? 0), this.#initialWindow);
    if (stream.bodyBytes > initial + stream.widened) throw new Finding(`DATA beyond the window of stream ${stream.id}`);
    if (this.#sentBytes > this.#connectionWindow) throw new Finding("DATA beyond the window of the connection");
    if (payload.length > 0) stream.body.push(payload);
    if ((flags & FLAG.END_STREAM) !== 0) stream.state = "ended";
  }

  #reset(id: number, payload: Buffer): void {
    // An identifier that was passed over is that of a closed stream (RFC 9113 §5.1.1).
    if (!this.streams.has(id) && (id & 1) === 1 && id < this.#highestId) this.#open(id);
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Finding(`RST_STREAM on stream ${id}, which was never opened`);
    if (payload.length !== 4) throw new Finding("a RST_STREAM of a wrong shape");
    const code = payload.readUInt32BE(0);
    // What is wrong with a frame on a closed stream may be said each time; to a client that does nothing wrong there is nothing to say.
    if (this.#isStrict && stream.state === "reset") throw new Finding(`RST_STREAM twice on stream ${id}`);
    if (this.#isStrict && stream.isForgotten && code !== STREAM_CLOSED)
      throw new Finding(`RST_STREAM on stream ${id}, which was reset`);
    if (code === NO_ERROR && (stream.state !== "ended" || stream.requestEnded)) {
      throw new Finding(`RST_STREAM with NO_ERROR on stream ${id}, which is not answered or has ended`);
    }
    stream.resetCode = code;
    stream.state = stream.state === "ended" && code === NO_ERROR ? "ended" : "reset";
  }
}

/** SETTINGS_INITIAL_WINDOW_SIZE of a payload; the last one counts. */
function initialWindowOf(payload: Buffer): number | undefined {
  let window: number | undefined;
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    if (payload.readUInt16BE(at) === 4) window = Math.min(payload.readUInt32BE(at + 2), MAX_WINDOW);
  }
  return window;
}

/** The body of an answer. */
export const bodyOf = (stream: WatchedStream): Buffer =>
  stream.body.length === 1 ? (stream.body[0] ?? EMPTY) : Buffer.concat(stream.body);
