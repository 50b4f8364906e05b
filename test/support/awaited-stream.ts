// The answering side of an HTTP/2 stream that keeps what it was told and can be waited for, for what answers later.

import type { ErrorCode } from "../../src/server/http2/error-code.ts";
import type { HeaderField, HeaderList } from "../../src/server/http2/header-list.ts";
import { createHpackDecoder } from "../../src/server/http2/hpack-decoder.ts";
import type { Http2Stream } from "../../src/server/http2/stream.ts";
import { createUnverifiedPeer, type Peer } from "../../src/server/peer.ts";

/** What one call of the stream was. */
export type Sent =
  | { readonly kind: "headers"; readonly fields: readonly HeaderField[]; readonly endStream: boolean }
  | { readonly kind: "data"; readonly bytes: Buffer; readonly endStream: boolean }
  | { readonly kind: "reset"; readonly code: ErrorCode }
  | { readonly kind: "grant"; readonly bytes: number };

export interface AwaitedStream extends Http2Stream {
  readonly sent: readonly Sent[];
  /** What `sendData` says from now on. */
  isFull: boolean;
  /** Resolves once `is` holds for what was sent. */
  until(is: (sent: readonly Sent[]) => boolean): Promise<readonly Sent[]>;
  /** Resolves with the last thing sent, once the stream has ended. */
  ended(): Promise<Sent>;
  /** The values of a name in all headers and trailers sent. */
  valuesOf(name: string): string[];
  /** All bytes of the body. */
  readonly data: Buffer;
  readonly dataBytes: number;
}

/** Decodes a header block as a peer would, by itself. */
const decode = (block: Uint8Array): readonly HeaderField[] => {
  const bytes = Buffer.from(block);
  const list = createHpackDecoder({ maxTableBytes: 0, maxListBytes: 1 << 20 }).decode(bytes, 0, bytes.length);
  if (typeof list === "string") throw new Error(`a header block that is ${list}`);
  return list.fields;
};

/** A stream that takes everything; `peer` is its connection's. */
export function createAwaitedStream(id = 1, peer: Peer = createUnverifiedPeer("127.0.0.1")): AwaitedStream {
  const sent: Sent[] = [];
  let isOpen = true;
  let dataBytes = 0;
  let waiting: (() => void)[] = [];
  const add = (what: Sent): void => {
    if (!isOpen) return;
    sent.push(what);
    if (what.kind === "data") dataBytes += what.bytes.length;
    if (what.kind === "reset" || (what.kind !== "grant" && what.endStream)) isOpen = false;
    for (const look of waiting.splice(0)) look();
  };
  const stream: AwaitedStream = {
    id,
    peer,
    sent,
    isFull: false,
    get isOpen() {
      return isOpen;
    },
    reply: () => {
      throw new Error("a whole answer");
    },
    sendHeaders: (block, endStream) => add({ kind: "headers", fields: decode(block), endStream }),
    sendData: (bytes, endStream) => {
      add({ kind: "data", bytes: Buffer.from(bytes), endStream });
      return !stream.isFull;
    },
    reset: (code) => add({ kind: "reset", code }),
    grant: (bytes) => add({ kind: "grant", bytes }),
    until: (is) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (is(sent)) resolve(sent);
          else waiting = [...waiting, look];
        };
        look();
      }),
    ended: async () => {
      await stream.until(() => !isOpen);
      return sent.at(-1) as Sent;
    },
    valuesOf: (name) =>
      sent.flatMap((what) =>
        what.kind === "headers" ? what.fields.filter((field) => field.name === name).map(({ value }) => value) : [],
      ),
    get dataBytes() {
      return dataBytes;
    },
    get data() {
      return Buffer.concat(sent.flatMap((what) => (what.kind === "data" ? [what.bytes] : [])));
    },
  };
  return stream;
}

/** A request's header list. */
export function toHeaderList(fields: readonly (readonly [name: string, value: string])[]): HeaderList {
  const list = fields.map(([name, value]) => ({ name, value }));
  return { fields: list, bytes: list.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0) };
}
