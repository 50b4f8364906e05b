import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeHeaderBlock, TABLE_SIZE_ZERO } from "../../../../src/server/http2/header-block.ts";
import type { HeaderField } from "../../../../src/server/http2/header-list.ts";
import { createHpackDecoder } from "../../../../src/server/http2/hpack-decoder.ts";
import { STATIC_TABLE } from "../../../../src/server/http2/hpack-static-table.ts";

const rows: readonly (readonly [name: string, fields: readonly HeaderField[], hex: string])[] = [
  ["nothing", [], ""],
  ["a whole line of the static table", [{ name: ":status", value: "200" }], "88"],
  ["a name of the static table", [{ name: ":status", value: "415" }], "0803343135"],
  ["a name whose index needs a second octet", [{ name: "content-type", value: "a" }], "0f100161"],
  ["a name of its own", [{ name: "grpc-status", value: "0" }], "000b677270632d7374617475730130"],
  ["an empty value", [{ name: "x", value: "" }], "00017800"],
  ["octets above 127", [{ name: "x", value: "\u00ff" }], "00017801ff"],
];

describe("encodeHeaderBlock", () => {
  for (const [name, fields, hex] of rows)
    it(`writes ${name}`, () => assert.equal(encodeHeaderBlock(fields).toString("hex"), hex));

  it("writes lengths of more than one octet", () => {
    for (const length of [126, 127, 128, 254, 255, 256, 16_510, 16_511, 70_000]) {
      const fields = [{ name: "n".repeat(length), value: "v".repeat(length) }];
      const block = encodeHeaderBlock(fields);
      const decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 1_000_000 });
      assert.deepEqual(decoder.decode(block, 0, block.length), { fields, bytes: 2 * length + 32 }, `${length}`);
    }
  });

  it("gives every line of the static table as one octet", () => {
    STATIC_TABLE.forEach((field, at) => {
      assert.equal(encodeHeaderBlock([field]).toString("hex"), (0x81 + at).toString(16), field.name);
    });
  });

  it("puts nothing into the peer's table, which may be empty", () => {
    const decoder = createHpackDecoder({ maxTableBytes: 0, maxListBytes: 1_000 });
    decoder.setMaxTableBytes(0);
    const fields = rows.flatMap(([, some]) => some);
    const block = Buffer.concat([TABLE_SIZE_ZERO, encodeHeaderBlock(fields)]);
    const list = decoder.decode(block, 0, block.length);
    assert.deepEqual(list, {
      fields,
      bytes: fields.reduce((sum, one) => sum + one.name.length + one.value.length + 32, 0),
    });
    const again = encodeHeaderBlock(fields);
    assert.deepEqual(decoder.decode(again, 0, again.length), list);
  });
});
