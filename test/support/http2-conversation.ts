// One `Http2Connection` in process, spoken to in frames made by hand; what it writes is read back as frames and as sentences
// ("RST_STREAM 1 PROTOCOL_ERROR"). Requests are recorded, and answered by the test or by an echo.

import type { ConnectionOutput } from "../../src/server/http2/connection.ts";
import { Http2Connection } from "../../src/server/http2/connection.ts";
import { createHttp2Counts, type Http2Counts } from "../../src/server/http2/counts.ts";
import { ERROR_CODE } from "../../src/server/http2/error-code.ts";
import { encodeHeaderBlock } from "../../src/server/http2/header-block.ts";
import { DEFAULT_LIMITS, type Http2Limits } from "../../src/server/http2/limits.ts";
import type { Http2Stream, StreamReceiver } from "../../src/server/http2/stream.ts";
import { createUnfinishedBytes, type UnfinishedBytes } from "../../src/server/http2/unfinished-bytes.ts";
import { createUnverifiedPeer } from "../../src/server/peer.ts";
import { frame, headerBlock, PREFACE } from "./h2-frames.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

/** A frame as it was written. */
export interface WrittenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A request as its answerer saw it. */
export interface SeenRequest {
  readonly stream: Http2Stream;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** "data:…", "end", "reset", "drain" in order. */
  readonly events: string[];
  readonly body: Buffer[];
}

export interface ConversationOptions {
  readonly limits?: Partial<Http2Limits>;
  readonly clock?: ManualClock;
  readonly counts?: Http2Counts;
  readonly unfinished?: UnfinishedBytes;
  /** Answers each request with its own body when it has ended. Default false: the test answers. */
  readonly echo?: boolean;
  /** Told of each event of a request, before the echo. May throw. */
  readonly onEvent?: (event: string, request: SeenRequest) => void;
  readonly isLongLived?: boolean;
  /** Whether writing throws. */
  readonly failWrites?: boolean;
  /** Sends the preface and settings. Default true. */
  readonly greet?: boolean;
}

export interface Conversation {
  readonly connection: Http2Connection;
  readonly clock: ManualClock;
  readonly counts: Http2Counts;
  readonly requests: SeenRequest[];
  readonly faults: unknown[];
  /** "end" after FIN, "destroy" after a cut. */
  readonly ended: string | undefined;
  /** How often `onEnd` was told. */
  readonly ends: number;
  /** Writes since the last look. */
  readonly writes: number;
  /** What the kernel is said not to have taken: all that is written while `isStopped`. */
  isStopped: boolean;
  /** The kernel takes what was written. */
  takeAll(): void;
  /** Sends frames as one chunk. */
  send(...frames: readonly Uint8Array[]): void;
  /** What was written since the last look. */
  frames(): WrittenFrame[];
  /** … as sentences. */
  said(): string[];
  /** What is sent out of turn leaves at the end of the turn. */
  turn(): Promise<void>;
}

const TYPES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
];
export const RESPONSE_HEADERS: Buffer = encodeHeaderBlock([{ name: ":status", value: "200" }]);
export const RESPONSE_TRAILERS: Buffer = encodeHeaderBlock([{ name: "grpc-status", value: "0" }]);

/** Starts a connection. */
export function createConversation(options: ConversationOptions = {}): Conversation {
  const clock = options.clock ?? createManualClock();
  const counts = options.counts ?? createHttp2Counts();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const unfinished = options.unfinished ?? createUnfinishedBytes(limits.maxUnfinishedBytes, counts);
  const requests: SeenRequest[] = [];
  const faults: unknown[] = [];
  let written: Buffer[] = [];
  let ended: string | undefined;
  let ends = 0;
  let unsentBytes = 0;
  let isStopped = false;
  const output: ConnectionOutput = {
    write: (bytes) => {
      if (ended !== undefined || options.failWrites) throw new Error("nothing can be written");
      written.push(bytes);
      if (isStopped) unsentBytes += bytes.length;
    },
    end: () => {
      ended = "end";
    },
    destroy: () => {
      ended = "destroy";
    },
    get unsentBytes() {
      return unsentBytes;
    },
  };
  const receiverOf = (request: SeenRequest): StreamReceiver => {
    const note = (event: string) => {
      request.events.push(event);
      options.onEvent?.(event, request);
    };
    return {
      onData: (bytes) => {
        request.body.push(bytes);
        note(`data:${bytes.length}`);
      },
      onEnd: () => {
        note("end");
        if (options.echo) request.stream.reply(RESPONSE_HEADERS, Buffer.concat(request.body), RESPONSE_TRAILERS);
      },
      onReset: () => note("reset"),
      onDrain: () => note("drain"),
      ...(options.isLongLived ? { isLongLived: true } : {}),
    };
  };
  const connection = new Http2Connection({
    output,
    peer: createUnverifiedPeer("test"),
    limits,
    clock,
    counts,
    unfinished,
    open: (stream, list, endStream) => {
      const fields = list.fields.map(({ name, value }) => [name, value] as const);
      const request: SeenRequest = { stream, fields, events: [], body: [] };
      requests.push(request);
      const receiver = receiverOf(request);
      options.onEvent?.("open", request);
      if (endStream) receiver.onEnd();
      return receiver;
    },
    onEnd: () => {
      ends++;
    },
    onFault: (error) => faults.push(error),
  });
  const frames = (): WrittenFrame[] => {
    const found = parseFrames(Buffer.concat(written));
    written = [];
    return found;
  };
  const conversation: Conversation = {
    connection,
    clock,
    counts,
    requests,
    faults,
    get ended() {
      return ended;
    },
    get ends() {
      return ends;
    },
    get writes() {
      return written.length;
    },
    get isStopped() {
      return isStopped;
    },
    set isStopped(value) {
      isStopped = value;
    },
    takeAll: () => {
      unsentBytes = 0;
      connection.drained();
    },
    send: (...sent) => connection.receive(Buffer.concat(sent)),
    frames,
    said: () => frames().map(describeFrame),
    turn: () => new Promise((resolve) => process.nextTick(() => process.nextTick(resolve))),
  };
  if (options.greet ?? true) {
    conversation.send(PREFACE);
    frames();
  }
  return conversation;
}

/** A request's HEADERS, with `block` or the headers of a gRPC call. */
export const headers = (stream: number, flags: number, block: Uint8Array = headerBlock("/a.B/C")): Buffer =>
  frame(1, flags | 4, stream, block);

/** DATA of `length` octets. */
export const data = (stream: number, length: number, flags = 0): Buffer =>
  frame(0, flags, stream, Buffer.alloc(length, 0x61));

/** Payload of 32-bit words: RST_STREAM, WINDOW_UPDATE, GOAWAY. */
export const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
};

/** The payload of SETTINGS. */
export const settings = (...entries: readonly (readonly [id: number, value: number])[]): Buffer => {
  const bytes = Buffer.alloc(entries.length * 6);
  for (const [i, [id, value]] of entries.entries()) {
    bytes.writeUInt16BE(id, i * 6);
    bytes.writeUInt32BE(value, i * 6 + 2);
  }
  return bytes;
};

/** Frames that were written one after the other; throws when the last one is not whole. */
export function parseFrames(bytes: Buffer): WrittenFrame[] {
  const frames: WrittenFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) throw new Error(`a frame is cut at ${at}`);
    frames.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return frames;
}

const codeOf = (value: number): string =>
  Object.entries(ERROR_CODE).find(([, code]) => code === value)?.[0] ?? `${value}`;

/** "TYPE stream what matters". */
export function describeFrame({ type, flags, stream, payload }: WrittenFrame): string {
  const name = TYPES[type] ?? `${type}`;
  const end = (flags & 1) !== 0 ? " END_STREAM" : "";
  switch (name) {
    case "DATA":
      return `DATA ${stream} ${payload.length}${end}`;
    case "HEADERS":
      return `HEADERS ${stream}${end}`;
    case "RST_STREAM":
      return `RST_STREAM ${stream} ${codeOf(payload.readUInt32BE(0))}`;
    case "GOAWAY":
      return `GOAWAY ${payload.readUInt32BE(0)} ${codeOf(payload.readUInt32BE(4))}`;
    case "WINDOW_UPDATE":
      return `WINDOW_UPDATE ${stream} ${payload.readUInt32BE(0)}`;
    case "SETTINGS":
    case "PING":
      return (flags & 1) !== 0 ? `${name} ACK` : name;
    default:
      return `${name} ${stream}`;
  }
}
