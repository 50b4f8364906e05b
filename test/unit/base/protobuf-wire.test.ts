import assert from "node:assert/strict";
import { test } from "node:test";
import { WireReader, WireType } from "../../../src/base/protobuf-wire.ts";

const reader = (...bytes: number[]): WireReader => new WireReader(Uint8Array.from(bytes));

test("reads varints of up to ten bytes as 64-bit numbers", () => {
  const rows: readonly [number[], string][] = [
    [[0x00], "0"],
    [[0x7f], "127"],
    [[0x80, 0x01], "128"],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], "4294967295"],
    [[0x80, 0x80, 0x80, 0x80, 0x10], "4294967296"],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], "9007199254740991"],
    [[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], "9007199254740993"],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "9223372036854775807"],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "-1"],
    [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "-9223372036854775808"],
    [[0x80, 0x00], "0"],
  ];
  for (const [bytes, want] of rows) {
    const wire = reader(...bytes);
    assert.ok(wire.readVarint(bytes.length), want);
    assert.equal(wire.varintText(), want);
    assert.equal(wire.pos, bytes.length);
  }
});

test("refuses varints that are cut off or longer than 64 bits", () => {
  for (const bytes of [
    [],
    [0x80],
    Array(9).fill(0xff),
    [...Array(9).fill(0xff), 0x02],
    [...Array(10).fill(0x80), 0x01],
  ]) {
    assert.equal(reader(...bytes).readVarint(bytes.length), false);
  }
});

test("reads tags and refuses field number 0 and numbers past 2^29 - 1", () => {
  assert.equal(reader(0x0a).readTag(1), 0x0a);
  assert.equal(reader(0xf8, 0xff, 0xff, 0xff, 0x0f).readTag(5), 0xfffffff8);
  for (const bytes of [[0x00], [0x07], [0x80, 0x00], [0x80, 0x80, 0x80, 0x80, 0x10], [0x80], []]) {
    assert.equal(reader(...bytes).readTag(bytes.length), 0, String(bytes));
  }
});

test("refuses lengths that reach past the end", () => {
  assert.equal(reader(0x02, 1, 2).readLength(3), 2);
  assert.equal(reader(0x00).readLength(1), 0);
  for (const bytes of [[0x03, 1, 2], [], [0xff, 0xff, 0xff, 0xff, 0x0f], [0x80, 0x80, 0x80, 0x80, 0x10]]) {
    assert.equal(reader(...bytes).readLength(bytes.length), -1, String(bytes));
  }
});

test("skips one value of each wire type and refuses what is malformed", () => {
  const tag = (type: number) => 8 + type;
  const rows: readonly [number, number[], boolean][] = [
    [WireType.varint, [0x96, 0x01], true],
    [WireType.fixed64, [1, 2, 3, 4, 5, 6, 7, 8], true],
    [WireType.fixed64, [1, 2, 3, 4, 5, 6, 7], false],
    [WireType.fixed32, [1, 2, 3, 4], true],
    [WireType.fixed32, [1, 2, 3], false],
    [WireType.bytes, [2, 0, 0], true],
    [WireType.bytes, [2, 0], false],
    [WireType.startGroup, [0x0c], true],
    [WireType.startGroup, [0x10, 0x01, 0x13, 0x14, 0x0c], true],
    [WireType.startGroup, [0x10, 0x01], false],
    [WireType.startGroup, [0x14], false],
    [WireType.endGroup, [], false],
    [6, [], false],
    [7, [], false],
  ];
  for (const [type, bytes, want] of rows) {
    const wire = reader(...bytes);
    assert.equal(wire.skip(tag(type), bytes.length), want, `${type}: ${bytes}`);
    if (want) assert.equal(wire.pos, bytes.length);
  }
});

test("bounds the depth of groups", () => {
  const nested = (depth: number) => [...Array(depth).fill(0x0b), ...Array(depth).fill(0x0c)];
  assert.equal(reader(...nested(999), 0x0c).skip(0x0b, 1999), true);
  assert.equal(reader(...nested(5000), 0x0c).skip(0x0b, 10_001), false);
});
