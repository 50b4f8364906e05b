// The hostile peers of a soak: what each writes on a connection of its own. Each attack is one connection's life; the limits that
// end it are those of docs/operations.md. Bursts are bounded, so that the load is the server's work and not ours.

import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  headerBlock,
  MAGIC,
  PREFACE,
} from "../../test/support/h2-frames.ts";
import { Random } from "../../test/support/random.ts";

/** Writes until its own end or the server's; `isOpen` turns false with the connection. */
export type Attack = (socket: Socket, isOpen: () => boolean) => Promise<void>;

const CHECK = headerBlock("/envoy.service.auth.v3.Authorization/Check");
const NOTHING = Buffer.alloc(0);
const CANCEL = Buffer.from([0, 0, 0, 8]);
const PADDING = Buffer.alloc(16_000, 0x61);
/** A CheckRequest of one unknown field with a kilobyte, and its prefix. */
const message = (bytes: number): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes, 1);
  return prefix;
};

const times = (count: number, part: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => part(index)));

/** Writes `burst` every 10 ms until the server has had enough, `most` times at most. */
const flood =
  (burst: (round: number) => Buffer, most = 200): Attack =>
  async (socket, isOpen) => {
    socket.write(PREFACE);
    for (let round = 0; round < most && isOpen(); round++) {
      socket.write(burst(round));
      await delay(10);
    }
  };

/** Writes something and then says nothing for a while. */
const holdAfter =
  (bytes: Buffer, heldMs: number): Attack =>
  async (socket, isOpen) => {
    if (bytes.length > 0) socket.write(bytes);
    for (let waitedMs = 0; waitedMs < heldMs && isOpen(); waitedMs += 100) await delay(100);
  };

const headers = (stream: number, block: Buffer, flags = END_HEADERS): Buffer =>
  frame(FRAME.HEADERS, flags, stream, block);
const data = (stream: number, bytes: Buffer, flags = 0): Buffer => frame(FRAME.DATA, flags, stream, bytes);

/** A literal with indexing: a name of one letter and a value of 3,000 bytes. SPEC: RFC 7541 §6.2.1, §5.1. */
const LARGE_ENTRY = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xb9, 0x16]), Buffer.alloc(3000, 0x61)]);
/** The newest entry of the table, by index: with the entry itself it fits a frame, or the frame would be what is refused. */
const NAMED_AGAIN = Buffer.alloc(13_000, 0xbe);

const random = new Random(7);
const noise = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, () => random.below(256)));

/** By name. Ordinary checks must not notice any of them. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  // CVE-2023-44487.
  "rapid reset": flood((round) =>
    times(100, (index) => {
      const stream = 1 + 2 * (round * 100 + index);
      return Buffer.concat([headers(stream, CHECK), frame(FRAME.RST_STREAM, 0, stream, CANCEL)]);
    }),
  ),
  "CONTINUATION flood": flood((round) =>
    round === 0 ? headers(1, CHECK, 0) : times(100, () => frame(FRAME.CONTINUATION, 0, 1, noise(1))),
  ),
  "CONTINUATION of large blocks": flood((round) =>
    round === 0 ? headers(1, CHECK, 0) : frame(FRAME.CONTINUATION, 0, 1, PADDING),
  ),
  "PING flood": flood(() => times(100, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8)))),
  "SETTINGS flood": flood(() => times(100, () => frame(FRAME.SETTINGS, 0, 0, NOTHING))),
  "PRIORITY flood": flood(() => times(100, () => frame(FRAME.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1])))),
  "empty DATA flood": flood((round) => (round === 0 ? headers(1, CHECK) : times(100, () => data(1, NOTHING)))),
  "tiny WINDOW_UPDATE flood": flood(() =>
    times(100, () => frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 0, 1]))),
  ),
  "HPACK bomb": flood((round) =>
    headers(1 + 2 * round, Buffer.concat([CHECK, ...(round === 0 ? [LARGE_ENTRY] : []), NAMED_AGAIN])),
  ),
  "slow sender": async (socket, isOpen) => {
    socket.write(Buffer.concat([PREFACE, ...Array.from({ length: 50 }, (_, n) => headers(1 + 2 * n, CHECK))]));
    socket.write(times(50, (n) => data(1 + 2 * n, message(100_000))));
    for (let sent = 0; sent < 150 && isOpen(); sent++) {
      socket.write(times(50, (n) => data(1 + 2 * n, Buffer.alloc(1))));
      await delay(100);
    }
  },
  "large messages never finished": async (socket, isOpen) => {
    socket.write(Buffer.concat([PREFACE, headers(1, CHECK), data(1, message(4_000_000)), data(1, PADDING)]));
    for (let sent = 0; sent < 40 && isOpen(); sent++) {
      socket.write(
        Buffer.concat([
          headers(3 + 2 * sent, CHECK),
          data(3 + 2 * sent, message(4_000_000)),
          data(3 + 2 * sent, PADDING),
        ]),
      );
      await delay(50);
    }
  },
  "slow reader": async (socket, isOpen) => {
    // Answers are asked for and never read: neither from the socket nor, with windows of 0, from HTTP/2.
    socket.pause();
    const noWindow = frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
    socket.write(Buffer.concat([PREFACE, noWindow]));
    for (let round = 0; round < 12 && isOpen(); round++) {
      const ask = (n: number): Buffer => {
        const stream = 1 + 2 * (round * 50 + n);
        return Buffer.concat([headers(stream, CHECK), data(stream, message(0), END_STREAM)]);
      };
      socket.write(times(50, ask));
      socket.write(times(50, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8))));
      await delay(1000);
    }
  },
  garbage: async (socket, isOpen) => {
    socket.write(noise(4096));
    await holdAfter(NOTHING, 1000)(socket, isOpen);
  },
  "garbage after the preface": flood(() => noise(1024), 20),
  "garbage for a message": flood(
    (round) =>
      times(20, (n) => {
        const stream = 1 + 2 * (round * 20 + n);
        const body = noise(64);
        return Buffer.concat([headers(stream, CHECK), data(stream, Buffer.concat([message(64), body]), END_STREAM)]);
      }),
    20,
  ),
  "half open": async (socket) => {
    socket.write(Buffer.concat([PREFACE, headers(1, CHECK), data(1, message(1000))]));
    await delay(200);
    // Half of a frame and FIN.
    socket.end(data(1, Buffer.alloc(100)).subarray(0, 20));
    await delay(1000);
  },
  "reset under open checks": async (socket) => {
    socket.write(Buffer.concat([PREFACE, ...Array.from({ length: 50 }, (_, n) => headers(1 + 2 * n, CHECK))]));
    await delay(200);
    socket.resetAndDestroy();
  },
  "silent from the start": holdAfter(NOTHING, 15_000),
  "preface only": holdAfter(MAGIC, 15_000),
  // Long enough for a PING of the server, after 30 s, and for the end of its patience.
  "settings never acknowledged, pings never answered": holdAfter(
    Buffer.concat([PREFACE, frame(FRAME.PING, ACK, 0, Buffer.alloc(8)), headers(1, CHECK)]),
    45_000,
  ),
};
