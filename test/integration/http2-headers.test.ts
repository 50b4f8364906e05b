// Header rules of RFC 9113 §8, and HPACK (RFC 7541), by hand: every row writes its own header block to a real socket, in cleartext
// and behind TLS.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import {
  answers,
  connectionError,
  echoes,
  grpcStatus,
  type Http2Case,
  runCases,
  streamError,
} from "../support/h2-cases.ts";
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  grpcMessage,
  hpackInteger,
  hpackString,
  literal,
  literals,
  repeat,
  SETTING,
  settings,
} from "../support/h2-frames.ts";
import type { RawPeer } from "../support/h2-raw-peer.ts";
import {
  CHECK_BLOCK,
  CHECK_FIELDS,
  check,
  head,
  lastData,
  loadTestMaterial,
  MESSAGE,
  openLineRate,
} from "../support/line-rate.ts";

const BODY = grpcMessage(MESSAGE);
type Line = readonly [name: string, value: string];

const withLines = (...lines: readonly Line[]): Buffer => literals([...CHECK_FIELDS, ...lines]);
const without = (name: string): readonly Line[] => CHECK_FIELDS.filter(([each]) => each !== name);
const changed = (name: string, value: string): Buffer =>
  literals(CHECK_FIELDS.map(([each, old]) => [each, each === name ? value : old] as const));
/** The lines in front of those of a check. */
const before = (...lines: readonly Line[]): Buffer => literals([...lines, ...CHECK_FIELDS]);

/** More than 32 KiB of lines. */
const TOO_LARGE = Buffer.concat([
  CHECK_BLOCK,
  literal("x-kept", "yes", 0x40),
  repeat(17, (at) => literal(`x-${at}`, "a".repeat(2000))),
]);

const malformed = (name: string, block: Buffer): Http2Case => [
  `malformed: ${name}`,
  [check(1, MESSAGE, block)],
  streamError(1, "PROTOCOL_ERROR"),
];
const wellFormed = (name: string, block: Buffer): Http2Case => [
  `well-formed: ${name}`,
  [check(1, MESSAGE, block)],
  echoes([1]),
];

const fields: readonly Http2Case[] = [
  malformed("an upper-case name", withLines(["X-Test", "ok"])),
  malformed("an empty name", withLines(["", "ok"])),
  malformed("a name with a space", withLines(["x test", "ok"])),
  malformed("a name with a colon inside", withLines(["x:test", "ok"])),
  malformed("a name with NUL", withLines(["x\u0000", "ok"])),
  malformed("a name with an octet above ASCII", withLines(["x\u00e9", "ok"])),
  malformed("a value with NUL", withLines(["x", "a\u0000b"])),
  malformed("a value with LF", withLines(["x", "a\nb: c"])),
  malformed("a value with CR", withLines(["x", "a\rb"])),
  malformed("a value that begins with a space", withLines(["x", " a"])),
  malformed("a value that ends with a tab", withLines(["x", "a\t"])),
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map((name) =>
    malformed(`the connection's own header ${name}`, withLines([name, "x"])),
  ),
  malformed("te with more than trailers", changed("te", "trailers, deflate")),
  malformed("a pseudo-header that nobody knows", before([":test", "ok"])),
  malformed("a pseudo-header of answers", before([":status", "200"])),
  malformed("a pseudo-header behind a regular one", literals([...without(":path"), [":path", CHECK_PATH]])),
  ...[":method", ":scheme", ":path"].flatMap((name) => [
    malformed(`no ${name}`, literals(without(name))),
    malformed(`two ${name}`, before(CHECK_FIELDS.find(([each]) => each === name) ?? ["", ""])),
  ]),
  malformed("two :authority", before([":authority", "pdp"])),
  malformed("an empty :path", changed(":path", "")),
  malformed("an empty :method", changed(":method", "")),
  malformed("a :path without its slash", changed(":path", CHECK_PATH.slice(1))),
  malformed("a :path of `*`, which is for OPTIONS", changed(":path", "*")),
  malformed("a :path with a space", changed(":path", `${CHECK_PATH} HTTP/1.1`)),
  wellFormed("no :authority", literals(without(":authority"))),
  wellFormed(
    "pseudo-headers in another order",
    literals([
      [":authority", "a"],
      [":path", CHECK_PATH],
      [":scheme", "https"],
      [":method", "POST"],
      ...CHECK_FIELDS.slice(4),
    ]),
  ),
  wellFormed("octets above ASCII, a tab and spaces inside a value", withLines(["x", "a \tb\u00ff\u0080"])),
  wellFormed("an empty value", withLines(["x", ""])),
  wellFormed("several lines of one name", withLines(["x", "1"], ["x", "2"], ["cookie", "a=b"], ["cookie", "c=d"])),
  wellFormed("a content-length that is right", withLines(["content-length", `${BODY.length}`])),
  malformed("a content-length that is too large", withLines(["content-length", `${BODY.length + 1}`])),
  malformed("a content-length that is too small", withLines(["content-length", `${BODY.length - 1}`])),
  malformed("a content-length that is no number", withLines(["content-length", "+7"])),
  malformed("an empty content-length", withLines(["content-length", ""])),
  malformed("two different content-lengths", withLines(["content-length", `${BODY.length}`], ["content-length", "1"])),
  malformed("a content-length beyond any number", withLines(["content-length", "9".repeat(400)])),
  [
    "malformed: a content-length that several DATA exceed",
    [
      head(1, withLines(["content-length", "6"])),
      frame(FRAME.DATA, 0, 1, BODY.subarray(0, 3)),
      lastData(1, BODY.subarray(3)),
    ],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  [
    "malformed: a content-length and no body",
    [head(1, withLines(["content-length", "1"]), END_HEADERS | END_STREAM)],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  [
    "a content-length that DATA and padding come to without the padding",
    [
      head(1, withLines(["content-length", `${BODY.length}`])),
      frame(FRAME.DATA, END_STREAM | 8, 1, Buffer.concat([Buffer.from([9]), BODY, Buffer.alloc(9)])),
    ],
    echoes([1]),
  ],
  [
    "trailers end a request",
    [head(1), frame(FRAME.DATA, 0, 1, BODY), head(1, literals([["x-checksum", "1"]]), END_HEADERS | END_STREAM)],
    echoes([1]),
  ],
  [
    "trailers in HEADERS and CONTINUATION",
    [
      head(1),
      frame(FRAME.DATA, 0, 1, BODY),
      head(1, literals([["x-checksum", "1"]]), END_STREAM),
      frame(FRAME.CONTINUATION, END_HEADERS, 1, literals([["x-more", "2"]])),
    ],
    echoes([1]),
  ],
  [
    "trailers that do not end the stream",
    [head(1), frame(FRAME.DATA, 0, 1, BODY), head(1, literals([["x", "1"]]))],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  [
    "trailers with a pseudo-header",
    [head(1), frame(FRAME.DATA, 0, 1, BODY), head(1, literals([[":method", "POST"]]), END_HEADERS | END_STREAM)],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  [
    "trailers with an upper-case name",
    [head(1), frame(FRAME.DATA, 0, 1, BODY), head(1, literals([["X", "1"]]), END_HEADERS | END_STREAM)],
    streamError(1, "PROTOCOL_ERROR"),
  ],
  [
    "trailers without a body are no message",
    [head(1), head(1, literals([["x", "1"]]), END_HEADERS | END_STREAM)],
    grpcStatus(1, 12),
  ],
  [
    "a header list of more than is announced is refused, and its lines stay known",
    [
      head(1, TOO_LARGE.subarray(0, 16_000), 0),
      frame(FRAME.CONTINUATION, 0, 1, TOO_LARGE.subarray(16_000, 32_000)),
      frame(FRAME.CONTINUATION, END_HEADERS, 1, TOO_LARGE.subarray(32_000)),
      lastData(1, BODY),
      // The dynamic table's first entry, which the refused block has made.
      check(3, MESSAGE, Buffer.concat([CHECK_BLOCK, Buffer.from([0xbe])])),
    ],
    echoes([3]),
  ],
];

/** `block` as the header block of a check. */
const hpackFault = (name: string, block: Uint8Array): Http2Case => [
  `no HPACK: ${name}`,
  [head(1, block)],
  connectionError("COMPRESSION_ERROR"),
];
const hpack = (name: string, block: Uint8Array): Http2Case => [
  `HPACK: ${name}`,
  [check(1, MESSAGE, block)],
  echoes([1]),
];
const more = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat([CHECK_BLOCK, ...parts]);
const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
/** SPEC: RFC 7541 C.4.1: `www.example.com` in Huffman's code. */
const HUFFMAN_HOST = Buffer.from("8cf1e3c2e5f23a6ba0ab90f4ff", "hex");
const TABLE_BYTES = 4096;
/** A dynamic table size update. SPEC: RFC 7541 §6.3. */
const tableSize = (size: number): Buffer => hpackInteger(0x20, 5, size);
const indexed = (index: number): Buffer => hpackInteger(0x80, 7, index);

const compression: readonly Http2Case[] = [
  hpackFault("index 0", more(bytes(0x80))),
  hpackFault("an index beyond both tables", more(bytes(0xbe))),
  hpackFault("a name's index beyond both tables", more(hpackInteger(0x40, 6, 99), hpackString("x"))),
  hpackFault("an integer that never ends", more(bytes(0xff), Buffer.alloc(12, 0xff))),
  hpackFault("an integer beyond 2^32", more(bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))),
  hpackFault("a string that is cut off", more(bytes(0x00, 0x05, 0x61))),
  hpackFault("a length that is cut off", more(bytes(0x00, 0x7f))),
  hpackFault("a name without a value", more(bytes(0x00, 0x01, 0x61))),
  hpackFault("a table size beyond the one announced", Buffer.concat([tableSize(TABLE_BYTES + 1), CHECK_BLOCK])),
  hpackFault("a table size in the middle", more(tableSize(0), literal("x", "y"))),
  hpackFault("a table size at the end", more(tableSize(0))),
  hpackFault("Huffman's padding longer than seven bits", more(bytes(0x00, 0x01, 0x78, 0x82, 0x1f, 0xff))),
  hpackFault("Huffman's padding that is not ones", more(bytes(0x00, 0x01, 0x78, 0x81, 0x18))),
  hpackFault("Huffman's EOS", more(bytes(0x00, 0x01, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff))),
  hpackFault(
    "an entry that a smaller table has dropped",
    Buffer.concat([tableSize(0), literal("x", "y", 0x40), CHECK_BLOCK, indexed(62)]),
  ),
  [
    "no HPACK: a fault within CONTINUATION",
    [head(1, CHECK_BLOCK, 0), frame(FRAME.CONTINUATION, END_HEADERS, 1, bytes(0x80))],
    connectionError("COMPRESSION_ERROR"),
  ],
  [
    "no HPACK: a fault in trailers",
    [head(1), frame(FRAME.DATA, 0, 1, BODY), head(1, bytes(0x80), END_HEADERS | END_STREAM)],
    connectionError("COMPRESSION_ERROR"),
  ],
  hpack(
    "names of the static table",
    Buffer.concat([
      bytes(0x83, 0x86),
      hpackInteger(0x00, 4, 4),
      hpackString(CHECK_PATH),
      hpackInteger(0x10, 4, 31),
      hpackString("application/grpc"),
    ]),
  ),
  hpack(
    "literals that are never indexed",
    Buffer.concat(CHECK_FIELDS.map(([name, value]) => literal(name, value, 0x10))),
  ),
  hpack(
    "Huffman's code",
    Buffer.concat([
      literals(without(":authority").slice(0, 3)),
      hpackInteger(0x00, 4, 1),
      HUFFMAN_HOST,
      literals(CHECK_FIELDS.slice(4)),
    ]),
  ),
  hpack("two table sizes in front", Buffer.concat([tableSize(0), tableSize(TABLE_BYTES), CHECK_BLOCK])),
  [
    "HPACK: a request of nothing but references to the one before",
    [
      check(1, MESSAGE, Buffer.concat(CHECK_FIELDS.map(([name, value]) => literal(name, value, 0x40)))),
      repeat(20, (at) =>
        check(
          2 * at + 3,
          MESSAGE,
          Buffer.concat(CHECK_FIELDS.map((_, line) => indexed(62 + CHECK_FIELDS.length - 1 - line))),
        ),
      ),
    ],
    echoes([1, 3, 5, 41]),
  ],
  [
    "HPACK: the table is emptied by its size, and filled again",
    [
      check(1, MESSAGE, Buffer.concat([CHECK_BLOCK, literal("x", "1", 0x40)])),
      check(3, MESSAGE, Buffer.concat([tableSize(0), tableSize(200), CHECK_BLOCK, literal("x", "2", 0x40)])),
      check(5, MESSAGE, Buffer.concat([CHECK_BLOCK, indexed(62)])),
      check(7, MESSAGE, Buffer.concat([CHECK_BLOCK, literal("y", "z".repeat(300), 0x40)])),
      head(9, Buffer.concat([CHECK_BLOCK, indexed(62)])),
    ],
    // The line of 332 bytes has emptied the table of 200, SPEC: RFC 7541 §4.4.
    { survives: false, look: async (peer) => void (await lookAtEmptied(peer)) },
  ],
  [
    "HPACK: a peer without a table gets none",
    [settings([SETTING.HEADER_TABLE_SIZE, 0]), check(1), check(3)],
    answers(1, () => undefined),
  ],
];

async function lookAtEmptied(peer: RawPeer): Promise<void> {
  for (const stream of [1, 3, 5, 7]) assert.equal((await peer.answer(stream)).blocks[1]?.["grpc-status"], "0");
  await connectionError("COMPRESSION_ERROR").look(peer);
}

describe("HTTP/2 headers", () => {
  for (const tls of [false, true]) {
    test(tls ? "behind TLS" : "in cleartext", async (t) => {
      const limits = { maxHeaderListBytes: 32 * 1024 };
      const server = await openLineRate(t, { limits, ...(tls && { accept: { tls: await loadTestMaterial(t) } }) });
      for (const [name, cases] of Object.entries({ fields, compression })) {
        await t.test(name, (inner) => runCases(inner, server, cases, tls));
      }
    });
  }

  test("a peer that lowers its table to nothing is told once that nothing is kept in it", async (t) => {
    const peer = (await openLineRate(t)).dial();
    peer.send(check(1));
    await peer.answer(1);
    peer.send(settings([SETTING.HEADER_TABLE_SIZE, 0]), check(3), check(5));
    await peer.answer(3);
    await peer.answer(5);
    const firstBytes = peer.frames
      .filter((seen) => seen.type === FRAME.HEADERS)
      .map((seen) => seen.payload[0] === 0x20);
    assert.deepEqual(firstBytes, [false, false, true, false, false, false]);
  });

  test("no two blocks of requests are taken for each other", async (t) => {
    // The same bytes mean another path once the dynamic table has changed.
    const peer = (await openLineRate(t)).dial();
    const around = (path: Uint8Array): Buffer =>
      Buffer.concat([literals(CHECK_FIELDS.slice(0, 2)), path, literals(CHECK_FIELDS.slice(3))]);
    const reference = around(indexed(62));
    peer.send(
      check(1, MESSAGE, around(literal(":path", CHECK_PATH, 0x40))),
      check(3, MESSAGE, reference),
      check(5, MESSAGE, around(literal(":path", "/another", 0x40))),
      check(7, MESSAGE, reference),
      check(9, MESSAGE, around(literal(":path", CHECK_PATH, 0x40))),
      check(11, MESSAGE, reference),
    );
    const statuses = [];
    for (const stream of [1, 3, 5, 7, 9, 11]) {
      statuses.push((await peer.answer(stream)).blocks.at(-1)?.["grpc-status"]);
    }
    assert.deepEqual(statuses, ["0", "0", "12", "12", "0", "0"]);
  });
});
