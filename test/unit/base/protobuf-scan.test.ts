import assert from "node:assert/strict";
import { test } from "node:test";
import { isUtf8Range, MAX_MESSAGE_DEPTH, type ScanResult, scanMessage } from "../../../src/base/protobuf-scan.ts";
import { Kind, MessageTable } from "../../../src/base/protobuf-table.ts";
import { WireReader } from "../../../src/base/protobuf-wire.ts";
import { WireWriter } from "../../../src/base/protobuf-write.ts";

const node = new MessageTable("test.Node");
node.define({
  text: { number: 1, kind: Kind.string },
  child: { number: 2, kind: Kind.message, message: node },
  raw: { number: 3, kind: Kind.bytes },
  size: { number: 4, kind: Kind.int64 },
  left: { number: 5, kind: Kind.string, oneof: "side" },
  right: { number: 6, kind: Kind.string, oneof: "side" },
  many: { number: 7, kind: Kind.string, cardinality: "list" },
});

const scan = (...bytes: number[]): ScanResult => {
  const all = Uint8Array.from(bytes);
  return scanMessage(new WireReader(all), all.length, node);
};

test("accepts known and unknown fields, and known fields of another wire type", () => {
  for (const bytes of [
    [],
    [0x0a, 1, 0x61],
    [0x20, 5],
    [0x7a, 1, 0xff],
    [0x08, 1],
    [0x25, 1, 2, 3, 4],
    [0x7b, 0x7c],
    [0x1a, 1, 0xff],
  ]) {
    assert.equal(scan(...bytes), "ok", String(bytes));
  }
});

test("refuses malformed bytes at every place", () => {
  const rows = [
    [0x0a],
    [0x0a, 2, 0x61],
    [0x00],
    [0x20],
    [0x12, 2, 0x0a, 0x05],
    [0x12, 1, 0x0a],
    [0x7c],
    [0x0e],
    [0x0a, 1, 0xff],
    [0x12, 3, 0x0a, 1, 0xff],
    [0x3a, 2, 0xc0, 0x80],
    [0x0a, 3, 0xed, 0xa0, 0x80],
  ];
  for (const bytes of rows) assert.equal(scan(...bytes), "malformed", String(bytes));
});

test("reports repeated singular fields and oneofs, at every depth, but not lists", () => {
  assert.equal(scan(0x0a, 1, 0x61, 0x0a, 1, 0x62), "merge");
  assert.equal(scan(0x2a, 0, 0x32, 0), "merge");
  assert.equal(scan(0x12, 4, 0x20, 1, 0x20, 2), "merge");
  assert.equal(scan(0x3a, 0, 0x3a, 0), "ok");
  assert.equal(scan(0x08, 1, 0x08, 2), "ok", "of another wire type, so unknown");
});

test("bounds the depth of messages", () => {
  const nested = (depth: number): Uint8Array => {
    let bytes: Uint8Array = new Uint8Array();
    for (let level = 0; level < depth; level++) {
      const writer = new WireWriter();
      writer.bytes(2, bytes);
      bytes = writer.finish();
    }
    return bytes;
  };
  assert.equal(scan(...nested(MAX_MESSAGE_DEPTH)), "ok");
  assert.equal(scan(...nested(MAX_MESSAGE_DEPTH + 1)), "malformed");
  assert.equal(scan(...nested(3000)), "malformed");
});

test("isUtf8Range looks at its range alone", () => {
  const bytes = Buffer.from([0xff, 0x61, 0xc3, 0xa9, 0xff]);
  assert.equal(isUtf8Range(bytes, 1, 4), true);
  assert.equal(isUtf8Range(bytes, 1, 3), false);
  assert.equal(isUtf8Range(bytes, 0, 4), false);
  assert.equal(isUtf8Range(bytes, 2, 2), true);
});
