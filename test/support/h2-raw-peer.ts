// One HTTP/2 connection whose every byte the test writes itself, over TCP, a unix socket or TLS. What comes back is kept as
// frames, with header blocks decoded, and can be waited for.

import { connect as connectSocket, type NetConnectOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { HeaderField } from "../../src/server/http2/header-list.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import { withDeadline } from "./deadline.ts";
import { ACK, END_HEADERS, END_STREAM, FRAME, frame, PREFACE, ping } from "./h2-frames.ts";

/** A frame that came. */
export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Of the frame that ends a header block. */
  readonly fields?: readonly HeaderField[];
}

/** All that came on one stream. */
export interface StreamAnswer {
  /** The lines of each header block, in order: headers, then trailers. */
  readonly blocks: readonly Readonly<Record<string, string>>[];
  readonly data: Buffer;
  /** Of RST_STREAM; undefined for a stream that ended by END_STREAM. */
  readonly resetCode: number | undefined;
}

export interface RawPeerOptions {
  /** What is sent at once. Default: the preface with empty SETTINGS. */
  readonly first?: Uint8Array;
  /** Speaks TLS, with ALPN h2; nobody's certificate is checked. */
  readonly tls?: boolean;
  /** Answers SETTINGS and PING. Default true. */
  readonly acks?: boolean;
  /** Leaves what comes in the kernel. */
  readonly deaf?: boolean;
  readonly waitMs?: number;
}

export interface RawPeer {
  readonly socket: Socket;
  readonly frames: readonly SeenFrame[];
  /** Resolves when the connection has gone, however that was. */
  readonly closed: Promise<void>;
  readonly isClosed: boolean;
  send(...parts: readonly Uint8Array[]): void;
  /** The first frame for which `wanted` is true, that came or is yet to come; rejects when the connection ends without it. */
  frame(what: string, wanted: (seen: SeenFrame) => boolean): Promise<SeenFrame>;
  /** What came on `stream`, once it has ended. */
  answer(stream: number): Promise<StreamAnswer>;
  /** The code of the GOAWAY that comes before the end of the connection, or that it ended without one. */
  goodbye(): Promise<number | "no goaway">;
  /** Resolves when all that was sent so far has been worked on: a PING has come back. */
  settled(): Promise<void>;
}

/** Where `host:port` or `unix:/path` is. */
export function toTarget(address: string): NetConnectOpts {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host, port: Number(address.slice(colon + 1)), noDelay: true };
}

/** Connects to `address`. The caller destroys `socket`. */
export function openRawPeer(address: string, options: RawPeerOptions = {}): RawPeer {
  const { first = PREFACE, acks = true, waitMs = 20_000 } = options;
  const target = toTarget(address);
  const socket = options.tls
    ? connectTls({ ...target, ALPNProtocols: ["h2"], rejectUnauthorized: false })
    : connectSocket(target);
  const decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 1 << 20 });
  const frames: SeenFrame[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };
  let isClosed = false;
  let pings = 0;
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => {
      isClosed = true;
      resolve();
      wake();
    }),
  );
  const take = (type: number, flags: number, stream: number, payload: Buffer): void => {
    const seen: SeenFrame = { type, flags, stream, payload };
    if (acks && type === FRAME.SETTINGS && (flags & ACK) === 0) socket.write(frame(FRAME.SETTINGS, ACK, 0));
    if (acks && type === FRAME.PING && (flags & ACK) === 0) socket.write(ping(payload, ACK));
    if (type !== FRAME.HEADERS) return void frames.push(seen);
    if ((flags & END_HEADERS) === 0) throw new Error("the server split a header block");
    const list = decoder.decode(payload, 0, payload.length);
    if (typeof list === "string") throw new Error(`the server sent a header block that is ${list}`);
    frames.push({ ...seen, fields: list.fields });
  };
  let rest: Buffer = Buffer.alloc(0);
  if (!options.deaf) {
    socket.on("data", (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const end = 9 + rest.readUIntBE(0, 3);
        take(rest[3] ?? 0, rest[4] ?? 0, rest.readUInt32BE(5), rest.subarray(9, end));
        rest = rest.subarray(end);
      }
      wake();
    });
  }
  socket.write(first);

  /** `look` gives what is waited for once it is there. */
  const wait = <T>(what: string, look: () => T | undefined): Promise<T> => {
    let stop = (): void => undefined;
    const found = new Promise<T>((resolve, reject) => {
      const again = (): void => {
        const value = look();
        if (value !== undefined) resolve(value);
        else if (isClosed) reject(new Error(`the connection ended without ${what}; it sent: ${describe()}`));
      };
      waiting.add(again);
      stop = () => void waiting.delete(again);
      again();
    });
    return withDeadline(found, waitMs, () => `${what}; it sent: ${describe()}`).finally(() => stop());
  };
  const describe = (): string =>
    frames
      .slice(-20)
      .map((seen) => `${nameOf(seen.type)} on ${seen.stream}: ${seen.payload.subarray(0, 40).toString("hex")}`)
      .join(", ");
  const peer: RawPeer = {
    socket,
    frames,
    closed: closed,
    get isClosed() {
      return isClosed;
    },
    send: (...parts) => void socket.write(Buffer.concat(parts)),
    frame: (what, wanted) => wait(what, () => frames.find(wanted)),
    answer: (stream) =>
      wait(`an end of stream ${stream}`, () => {
        const own = frames.filter((seen) => seen.stream === stream);
        const reset = own.find((seen) => seen.type === FRAME.RST_STREAM);
        const ended = own.some((seen) => seen.type <= FRAME.HEADERS && (seen.flags & END_STREAM) !== 0);
        if (reset === undefined && !ended) return undefined;
        return {
          blocks: own.flatMap(({ fields }) => (fields === undefined ? [] : [toRecord(fields)])),
          data: Buffer.concat(own.filter((seen) => seen.type === FRAME.DATA).map((seen) => seen.payload)),
          resetCode: ended ? undefined : reset?.payload.readUInt32BE(0),
        };
      }),
    goodbye: async () => {
      await withDeadline(closed, waitMs, () => `the end of the connection; it sent: ${describe()}`);
      const last = frames.findLast((seen) => seen.type === FRAME.GOAWAY);
      return last === undefined ? "no goaway" : last.payload.readUInt32BE(4);
    },
    settled: async () => {
      const payload = Buffer.from(`ping ${String(pings++).padStart(3, "0")}`);
      peer.send(ping(payload));
      await peer.frame(
        "an answer to PING",
        (seen) => seen.type === FRAME.PING && (seen.flags & ACK) !== 0 && seen.payload.equals(payload),
      );
    },
  };
  return peer;
}

const toRecord = (fields: readonly HeaderField[]): Record<string, string> =>
  Object.fromEntries(fields.map(({ name, value }) => [name, value]));

const nameOf = (type: number): string =>
  Object.entries(FRAME).find(([, number]) => number === type)?.[0] ?? `type ${type}`;
