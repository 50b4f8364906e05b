import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { createHpackDecoder, type HpackDecoder } from "../../../../src/server/http2/hpack-decoder.ts";

type Line = readonly [name: string, value: string];
interface Block {
  /** SETTINGS_HEADER_TABLE_SIZE, acknowledged before this block. */
  readonly settingsTableBytes?: number;
  readonly wire: string;
  readonly fields: readonly Line[];
  /** The dynamic table after it, newest first. */
  readonly table?: readonly Line[];
}
interface Vectors {
  readonly source: string;
  readonly stories: readonly { readonly name: string; readonly blocks: readonly Block[] }[];
}

const load = (name: string): Vectors =>
  JSON.parse(readFileSync(join(packageRoot(), "test/vectors/hpack", name), "utf8")) as Vectors;

const decode = (decoder: HpackDecoder, block: Buffer): readonly Line[] | string => {
  const list = decoder.decode(block, 0, block.length);
  if (typeof list === "string") return list;
  const bytes = list.fields.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0);
  assert.equal(list.bytes, bytes);
  return list.fields.map(({ name, value }) => [name, value]);
};

const FIRST_DYNAMIC_INDEX = 62;

for (const [file, stories] of [
  ["rfc7541.json", 8],
  ["encoders.json", 11],
] as const)
  describe(`decoding ${file}`, () => {
    const vectors = load(file);
    it("has all its stories", () => assert.equal(vectors.stories.length, stories));

    for (const { name, blocks } of vectors.stories)
      it(`gives the lines of ${name}`, () => {
        const decoder = createHpackDecoder({ maxTableBytes: 4096, maxListBytes: 32_768 });
        for (const { settingsTableBytes, wire, fields, table } of blocks) {
          if (settingsTableBytes !== undefined) decoder.setMaxTableBytes(settingsTableBytes);
          assert.deepEqual(decode(decoder, Buffer.from(wire, "hex")), fields, wire);
          if (table === undefined) continue;
          table.forEach((line, age) => {
            assert.deepEqual(
              decode(decoder, Buffer.of(0x80 | (FIRST_DYNAMIC_INDEX + age))),
              [line],
              `entry ${age} after ${wire}`,
            );
          });
          assert.equal(decode(decoder, Buffer.of(0x80 | (FIRST_DYNAMIC_INDEX + table.length))), "malformed");
        }
      });
  });
