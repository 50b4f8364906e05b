// What counts as a CheckRequest, and as which: our reader against two that share no code with it, @grpc/proto-loader (protobufjs)
// and @bufbuild/protobuf, on messages as no encoder writes them. Where they differ from protobuf's own rules, it says so here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import { checkRequest } from "../../src/authz/check-request-fields.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import type { MessageTable } from "../../src/base/protobuf-table.ts";
import { WireReader } from "../../src/base/protobuf-wire.ts";
import { WireWriter } from "../../src/base/protobuf-write.ts";
import { toFacts } from "../support/check-request-facts.ts";
import { decodeByProtos, encodeByProtos } from "../support/check-request-oracle.ts";
import { toPlainForm } from "../support/check-request-protobuf-es.ts";
import { readByProtoLoader } from "../support/proto-loader-request.ts";
import { Random } from "../support/random.ts";
import { randomMessage } from "../support/random-messages.ts";

const RUNS = 3_000;

/** What proto-loader decodes of the plain form. */
function oracle(bytes: Uint8Array): object {
  const plain = toPlainForm(bytes);
  const read = readByProtoLoader(plain);
  assert.ok(read.ok);
  return toFacts(read.value);
}

function ours(bytes: Uint8Array): object {
  const read = readCheckRequest(bytes);
  assert.ok(read.ok, "unreadable");
  return toFacts(read.value);
}

test("the recorded requests", () => {
  const lines = readFileSync(join(packageRoot(), "test/vectors/input.jsonl"), "utf8").trim().split("\n");
  for (const line of lines) {
    const { name, request } = JSON.parse(line) as { name: string; request: string };
    const bytes = Buffer.from(request, "base64");
    assert.deepEqual(ours(bytes), oracle(bytes), name);
  }
  assert.ok(lines.length > 80);
});

test("random messages: repeated fields, oneofs, unknown fields and groups, incomplete map entries, odd varints", () => {
  const random = new Random(11);
  for (let run = 0; run < RUNS; run++) {
    const bytes = randomMessage(random, checkRequest, 12, "unknown");
    assert.deepEqual(ours(bytes), oracle(bytes), Buffer.from(bytes).toString("hex"));
  }
});

test("recorded requests in pieces: what occurs twice is merged, wherever it is cut", () => {
  // Concatenating two messages is merging them, SPEC: protobuf encoding guide, "Last One Wins".
  const lines = readFileSync(join(packageRoot(), "test/vectors/input.jsonl"), "utf8").trim().split("\n");
  const requests = lines.map((line) => Buffer.from((JSON.parse(line) as { request: string }).request, "base64"));
  const random = new Random(12);
  for (let run = 0; run < 300; run++) {
    const bytes = Buffer.concat([random.pick(requests), random.pick(requests)]);
    assert.deepEqual(ours(bytes), oracle(bytes));
  }
});

/** Whether every field that the tables know has its own wire type: @bufbuild/protobuf takes another one for the field's. */
function wireTypesFit(bytes: Uint8Array, table: MessageTable): boolean {
  const wire = new WireReader(bytes);
  while (wire.pos < bytes.length) {
    const tag = wire.readTag(bytes.length);
    const field = table.byNumber[tag >>> 3];
    const start = wire.pos;
    if (tag === 0 || !wire.skip(tag, bytes.length)) return true;
    if (field === undefined) continue;
    if (field.wireType !== (tag & 7)) return false;
    if (field.message === undefined) continue;
    const content = new WireReader(bytes, start);
    content.readLength(bytes.length);
    if (!wireTypesFit(bytes.subarray(content.pos, wire.pos), field.message)) return false;
  }
  return true;
}

// Stricter here: a varint beyond 64 bits, for one, as protobuf-go is.
test("mutated bytes: what is read is what @bufbuild/protobuf reads, and what it refuses is refused", () => {
  const random = new Random(13);
  const counts = { same: 0, refused: 0, stricter: 0 };
  for (let run = 0; run < RUNS; run++) {
    const bytes = random.mutate(Buffer.from(randomMessage(random, checkRequest, 6, "unknown")), 1 + random.below(3));
    if (!wireTypesFit(bytes, checkRequest)) continue;
    const read = readCheckRequest(bytes);
    const plain = plainFormOf(bytes);
    if (!read.ok) counts[plain === undefined ? "refused" : "stricter"]++;
    else {
      assert.ok(plain !== undefined, bytes.toString("hex"));
      const want = readByProtoLoader(plain);
      assert.ok(want.ok);
      assert.deepEqual(toFacts(read.value), toFacts(want.value), bytes.toString("hex"));
      counts.same++;
    }
  }
  assert.ok(counts.same > RUNS / 10 && counts.refused > RUNS / 10, JSON.stringify(counts));
});

function plainFormOf(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return toPlainForm(bytes);
  } catch {
    return undefined;
  }
}

const bytesOf = (...parts: readonly (Uint8Array | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Uint8Array.from(part)));
/** A length-delimited field. */
const field = (number: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer => {
  const writer = new WireWriter();
  writer.bytes(number, bytesOf(...parts));
  return Buffer.from(writer.finish());
};
const text = (number: number, value: string): Buffer => field(number, Buffer.from(value));
const attributes = (...parts: readonly (Uint8Array | readonly number[])[]): Buffer => field(1, ...parts);
const http = (...parts: readonly (Uint8Array | readonly number[])[]): Buffer => field(4, field(2, ...parts));
const source = (...parts: readonly (Uint8Array | readonly number[])[]): Buffer => field(1, ...parts);
const socketAddress = (...parts: readonly (Uint8Array | readonly number[])[]): Buffer =>
  source(field(1, field(1, ...parts)));
const metadata = (...value: readonly (Uint8Array | readonly number[])[]): Buffer =>
  field(11, field(1, text(1, "a"), field(2, field(1, text(1, "b"), field(2, ...value)))));
const GET = text(2, "GET");
const POST = text(2, "POST");
const NEGATIVE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
/** Nested lists of lists, `depth` messages below the outermost. */
function nested(depth: number): Buffer {
  let value: Buffer = Buffer.alloc(0);
  for (let at = 0; at < depth; at += 2) value = field(6, field(1, value));
  return attributes(metadata(value));
}

// "reads": as protobuf-go does, which the plugin decodes with. proto-loader (protobufjs) puts the later of two messages in the
// earlier one's place, keeps both members of a oneof, mends what is no UTF-8, and takes lengths, tags and groups as they come;
// @bufbuild/protobuf is protobuf's own rules but for the wire type of a known field and varints beyond 64 bits.
type Verdict = "same" | "refuses" | "otherwise";
const rows: readonly (readonly [
  name: string,
  bytes: Buffer,
  ours: "reads" | "refuses",
  loader: Verdict,
  es: Verdict,
])[] = [
  ["nothing", Buffer.alloc(0), "reads", "same", "same"],
  ["a string twice", attributes(http(GET, POST)), "reads", "same", "same"],
  ["a message twice", attributes(http(GET), http(text(4, "/p"))), "reads", "otherwise", "same"],
  [
    "a message twice, at every depth",
    bytesOf(attributes(http(GET)), attributes(http(text(4, "/p")))),
    "reads",
    "otherwise",
    "same",
  ],
  [
    "one member of a oneof, then another",
    attributes(source(field(1, field(2, text(1, "/pipe")), field(1, text(2, "10.0.0.1"))))),
    "reads",
    "otherwise",
    "same",
  ],
  [
    "one member of a oneof, another, and the first again",
    attributes(
      source(
        field(
          1,
          field(1, text(2, "10.0.0.1"), [0x18, 0x50]),
          field(2, text(1, "/pipe")),
          field(1, text(2, "10.0.0.2")),
        ),
      ),
    ),
    "reads",
    "otherwise",
    "same",
  ],
  ["a scalar oneof twice", attributes(metadata(text(3, "text"), [0x20, 0x01])), "reads", "otherwise", "same"],
  [
    "unknown fields of every wire type",
    attributes(
      http(
        [0xa8, 0x3e, 0x05],
        GET,
        [0xa9, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
        [0xad, 0x3e, 1, 2, 3, 4],
        field(1000, [1, 2, 3]),
      ),
    ),
    "reads",
    "same",
    "same",
  ],
  [
    "an unknown group, with a group inside",
    attributes(http(GET, [0xab, 0x3e, 0x0b, 0x08, 0x01, 0x0c, 0xac, 0x3e])),
    "reads",
    "same",
    "same",
  ],
  ["a group without its end", attributes(http(GET, [0xab, 0x3e, 0x08, 0x01])), "refuses", "same", "same"],
  ["an end without its group", attributes(http(GET, [0xac, 0x3e])), "refuses", "same", "same"],
  [
    "a group that another one's end closes",
    attributes(http(GET, [0xab, 0x3e, 0xb4, 0x3e])),
    "refuses",
    "otherwise",
    "same",
  ],
  ["a known field as a group", attributes(http(POST, [0x13, 0x14])), "reads", "otherwise", "refuses"],
  [
    "equal keys of a map",
    attributes(http(field(3, text(1, "a"), text(2, "1")), field(3, text(1, "a"), text(2, "2")))),
    "reads",
    "same",
    "same",
  ],
  ["a map entry without its key", attributes(http(field(3, text(2, "1")))), "reads", "same", "same"],
  ["a map entry without its value", attributes(http(field(3, text(1, "a")))), "reads", "same", "same"],
  ["an empty map entry", attributes(http(field(3))), "reads", "same", "same"],
  [
    "an entry of a map of messages without its value",
    attributes(field(11, field(1, text(1, "a")))),
    "reads",
    "refuses",
    "same",
  ],
  [
    "a metadata value without its value",
    attributes(field(11, field(1, text(1, "a"), field(2, field(1, text(1, "b")))))),
    "reads",
    "refuses",
    "same",
  ],
  [
    "a map entry with key and value twice, the value first",
    attributes(http(field(3, text(2, "1"), text(1, "x"), text(2, "2"), text(1, "a")))),
    "reads",
    "same",
    "same",
  ],
  [
    "a map entry whose message comes twice",
    attributes(
      field(
        11,
        field(
          1,
          text(1, "a"),
          field(2, field(1, text(1, "b"), field(2, text(3, "1")))),
          field(2, field(1, text(1, "c"), field(2, text(3, "2")))),
        ),
      ),
    ),
    "reads",
    "otherwise",
    "same",
  ],
  [
    "a map entry with an unknown field",
    attributes(http(field(3, text(1, "a"), field(9, [1]), text(2, "1")))),
    "reads",
    "same",
    "same",
  ],
  ["a string as a varint", attributes(http(POST, [0x10, 0x05])), "reads", "otherwise", "refuses"],
  ["a message as a varint", attributes([0x20, 0x05], http(GET)), "reads", "refuses", "otherwise"],
  [
    "a number as bytes, as if it were packed",
    attributes(socketAddress(text(2, "10.0.0.1"), field(3, [0x50]))),
    "reads",
    "refuses",
    "refuses",
  ],
  [
    "a number as fixed32",
    attributes(socketAddress(text(2, "10.0.0.1"), [0x1d, 1, 0, 0, 0])),
    "reads",
    "refuses",
    "refuses",
  ],
  [
    "a tag and a length with needless bytes",
    attributes(http([0x92, 0x80, 0x00, 0x83, 0x80, 0x00, 0x47, 0x45, 0x54])),
    "reads",
    "same",
    "same",
  ],
  [
    "a varint of eleven bytes",
    attributes(http([0xa8, 0x3e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00])),
    "refuses",
    "otherwise",
    "otherwise",
  ],
  [
    "a varint of 65 bits",
    attributes(http([0xa8, 0x3e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02])),
    "refuses",
    "otherwise",
    "otherwise",
  ],
  ["a field number 0", attributes(http([0x00, 0x00])), "refuses", "otherwise", "same"],
  ["a wire type 6", attributes(http([0x16, 0x00])), "refuses", "otherwise", "same"],
  ["a tag beyond 32 bits", attributes(http([0x82, 0x80, 0x80, 0x80, 0x10, 0x00])), "refuses", "otherwise", "same"],
  ["a length past the end", attributes(http([0x12, 0x7f, 0x47])), "refuses", "otherwise", "same"],
  [
    "a length past the end of its message, and not of all bytes",
    bytesOf(field(1, field(4, [0x12, 0x05, 0x12, 0x03])), field(9, Buffer.alloc(20))),
    "refuses",
    "same",
    "same",
  ],
  ["a negative length", attributes(http([0x12], NEGATIVE)), "refuses", "otherwise", "same"],
  ["a negative enum", attributes(socketAddress([0x08], NEGATIVE)), "reads", "same", "same"],
  ["an enum that nobody knows", attributes(socketAddress([0x08, 0x63])), "reads", "same", "same"],
  ["a boolean of 2", attributes(metadata([0x20, 0x02])), "reads", "same", "same"],
  ["a boolean of ten bytes", attributes(metadata([0x20], NEGATIVE)), "reads", "same", "same"],
  [
    "a port beyond 32 bits",
    attributes(socketAddress(text(2, "10.0.0.1"), [0x18, 0x85, 0x80, 0x80, 0x80, 0x10])),
    "reads",
    "same",
    "same",
  ],
  ["a negative size", attributes(http([0x48], NEGATIVE)), "reads", "same", "same"],
  ["a string that is no UTF-8", attributes(http(field(2, [0x47, 0xff]))), "refuses", "otherwise", "same"],
  ["a string with a surrogate", attributes(http(field(2, [0xed, 0xa0, 0x80]))), "refuses", "otherwise", "same"],
  ["a map key that is no UTF-8", attributes(http(field(3, field(1, [0xff])))), "refuses", "otherwise", "same"],
  ["bytes that are no UTF-8", attributes(http(field(12, [0xff, 0xfe]))), "reads", "same", "same"],
  ["a string with NUL", attributes(http(text(2, "G\u0000T"))), "reads", "same", "same"],
  ["a message that is cut off", attributes(http(GET)).subarray(0, -1), "refuses", "same", "same"],
  ["messages 90 deep", nested(80), "reads", "same", "same"],
  ["messages 1,100 deep", nested(1100), "refuses", "same", "same"],
];

describe("what is a message, and which one", () => {
  for (const [name, bytes, verdict, loader, es] of rows) {
    it(`${name}: ${verdict}`, () => {
      const read = readCheckRequest(bytes);
      assert.equal(read.ok ? "reads" : "refuses", verdict);
      const seen = [loaderVerdict(bytes, read), esVerdict(bytes, read)];
      assert.deepEqual(seen, [loader, es], "proto-loader, @bufbuild/protobuf");
    });
  }
});

/** How another reader compares to ours: the same facts (or both refuse), only it refuses, or it reads something else. */
function compare(read: ReturnType<typeof readCheckRequest>, other: object | undefined): Verdict {
  if (other === undefined) return read.ok ? "refuses" : "same";
  return read.ok && isDeepStrictEqual(toFacts(read.value), other) ? "same" : "otherwise";
}

function loaderVerdict(bytes: Uint8Array, read: ReturnType<typeof readCheckRequest>): Verdict {
  try {
    // What it has decoded, written by itself and so plain, read by the library alone.
    const again = readByProtoLoader(encodeByProtos(decodeByProtos(bytes)));
    return compare(read, again.ok ? toFacts(again.value) : undefined);
  } catch {
    return compare(read, undefined);
  }
}

function esVerdict(bytes: Uint8Array, read: ReturnType<typeof readCheckRequest>): Verdict {
  const plain = plainFormOf(bytes);
  if (plain === undefined) return compare(read, undefined);
  const again = readByProtoLoader(plain);
  return compare(read, again.ok ? toFacts(again.value) : undefined);
}

test("no list of a CheckRequest holds scalars, so nothing can be packed", () => {
  const seen = new Set<MessageTable>();
  const look = (table: MessageTable): void => {
    if (seen.has(table)) return;
    seen.add(table);
    for (const { cardinality, message, name } of table.fields) {
      if (cardinality === "list") assert.ok(message !== undefined, `${table.name}.${name}`);
      if (message !== undefined) look(message);
    }
  };
  look(checkRequest);
  assert.ok(seen.size > 10);
});
