import assert from "node:assert/strict";
import { it } from "node:test";
import { readDer } from "../../../src/base/der.ts";
import {
  bitStringOctets,
  malformed,
  naturalNumber,
  needModest,
  oidText,
  presentTrue,
  readOr,
  smallNumber,
  time,
} from "../../../src/identity/der-reader.ts";
import { element } from "../../support/der-certificate.ts";

const read = <T>(der: Buffer, reader: (der: Uint8Array, of: ReturnType<typeof readDer>) => T): T | undefined =>
  readOr(() => reader(der, readDer(der, 0, der.length)));
const integer = (...bytes: readonly number[]) => element(0x02, Buffer.from(bytes));

it("reads whole numbers of zero or more in their shortest form only", () => {
  const rows: readonly (readonly [bytes: readonly number[], number: number | undefined])[] = [
    [[0], 0],
    [[0x7f], 127],
    [[0, 0x80], 128],
    [[1, 0], 256],
    [[0x7f, 0xff, 0xff, 0xff], 0x7fffffff],
    [[], undefined],
    [[0, 0], undefined],
    [[0, 0x7f], undefined],
    [[0x80], undefined],
    [[0xff, 0xff], undefined],
    [[0, 0x80, 0, 0, 0], undefined],
  ];
  for (const [bytes, number] of rows) assert.equal(read(integer(...bytes), smallNumber), number, bytes.join());
  assert.equal(read(element(0x04, Buffer.of(1)), naturalNumber), undefined);
});

it("reads a true that is written as DER writes it, and an absent one as false", () => {
  assert.equal(
    readOr(() => presentTrue(Buffer.alloc(0), undefined)),
    false,
  );
  assert.equal(read(element(0x01, Buffer.of(0xff)), presentTrue), true);
  for (const wrong of [
    element(0x01, Buffer.of(0)),
    element(0x01, Buffer.of(1)),
    element(0x01),
    element(0x02, Buffer.of(0xff)),
    element(0x01, Buffer.of(0xff, 0xff)),
  ]) {
    assert.equal(read(wrong, presentTrue), undefined);
  }
});

it("reads whole octets of a bit string", () => {
  assert.deepEqual(read(element(0x03, Buffer.of(0, 1, 2)), bitStringOctets), { tag: 3, start: 3, end: 5 });
  for (const wrong of [element(0x03), element(0x03, Buffer.of(1, 2)), element(0x04, Buffer.of(0, 1))]) {
    assert.equal(read(wrong, bitStringOctets), undefined);
  }
});

it("reads times that exist", () => {
  const utc = (text: string) => read(element(0x17, Buffer.from(text)), time);
  const general = (text: string) => read(element(0x18, Buffer.from(text)), time);
  assert.equal(utc("491231235959Z"), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(utc("500101000000Z"), Date.UTC(1950, 0, 1));
  assert.equal(utc("240229000000Z"), Date.UTC(2024, 1, 29));
  assert.equal(general("20500101000000Z"), Date.UTC(2050, 0, 1));
  assert.equal(general("99991231235959Z"), Date.UTC(9999, 11, 31, 23, 59, 59));
  for (const wrong of [
    "250229000000Z",
    "251301000000Z",
    "250100000000Z",
    "250101240000Z",
    "250101006000Z",
    "250101000060Z",
    "2501010000Z",
    "250101000000+0000",
    "250101000000",
    " 50101000000Z",
  ]) {
    assert.equal(utc(wrong), undefined, wrong);
  }
  for (const wrong of ["20500101000000.5Z", "20500229000000Z", "00500101000000Z", "2050010100000Z"]) {
    assert.equal(general(wrong), undefined, wrong);
  }
});

it("ends where there are too many elements, or too deep, those inside of octets included", () => {
  const modest = (der: Buffer, elements: number, depth: number): boolean =>
    readOr(() => {
      needModest(der, readDer(der, 0, der.length) ?? malformed(), elements, depth);
      return true;
    }) === true;
  const nul = Buffer.of(5, 0);
  const list = element(0x30, nul, nul, element(0x30, nul));
  assert.equal(modest(list, 5, 3), true);
  assert.equal(modest(list, 4, 3), false);
  assert.equal(modest(list, 5, 2), false);
  const held = element(0x30, element(0x04, list));
  assert.equal(modest(held, 7, 5), true);
  assert.equal(modest(held, 6, 5), false);
  assert.equal(modest(held, 7, 4), false);
  assert.equal(modest(element(0x30, element(0x04, Buffer.from("hello"))), 2, 2), true);
  assert.equal(modest(element(0x30, Buffer.of(5, 1)), 9, 9), false);
});

it("writes object identifiers as people do", () => {
  for (const [hex, text] of [
    ["551d11", "2.5.29.17"],
    ["2a8648ce3d040302", "1.2.840.10045.4.3.2"],
    ["2b06010505070302", "1.3.6.1.5.5.7.3.2"],
    ["8837", "2.999"],
    ["00", "0.0"],
  ] as const) {
    assert.equal(oidText(hex), text);
  }
});

it("keeps its own exception to itself, and no other", () => {
  assert.equal(
    readOr(() => malformed()),
    undefined,
  );
  assert.throws(() => readOr(() => assert.fail("a fault")), /a fault/);
});
