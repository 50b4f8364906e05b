import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HeaderField } from "../../../../src/server/http2/header-list.ts";
import { createHpackDecoder, type HpackDecoder } from "../../../../src/server/http2/hpack-decoder.ts";
import { STATIC_TABLE } from "../../../../src/server/http2/hpack-static-table.ts";
import { integer } from "../../../support/hpack-integer.ts";
import { Random } from "../../../support/random.ts";

const create = (maxTableBytes = 4096, maxListBytes = 32_768): HpackDecoder =>
  createHpackDecoder({ maxTableBytes, maxListBytes });

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const decode = (decoder: HpackDecoder, block: Buffer | string): readonly HeaderField[] | string => {
  const bytes = typeof block === "string" ? hex(block) : block;
  const list = decoder.decode(bytes, 0, bytes.length);
  return typeof list === "string" ? list : list.fields;
};

const text = (value: string): Buffer => Buffer.concat([integer(0, 7, value.length), Buffer.from(value, "latin1")]);
const literal = (flags: number, name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(flags), text(name), text(value)]);
const INDEXING = 0x40;
const PLAIN = 0x00;
const NEVER = 0x10;
const sizeUpdate = (bytes: number): Buffer => integer(0x20, 5, bytes);

const A = { name: "a", value: "1" };
const B = { name: "b", value: "2" };

describe("an HPACK decoder", () => {
  it("knows every line of the static table by its index", () => {
    assert.equal(STATIC_TABLE.length, 61);
    const decoder = create();
    STATIC_TABLE.forEach((field, at) => {
      assert.deepEqual(decode(decoder, Buffer.of(0x81 + at)), [field]);
      for (const [flags, bits] of [
        [PLAIN, 4],
        [NEVER, 4],
      ] as const)
        assert.deepEqual(decode(decoder, Buffer.concat([integer(flags, bits, at + 1), text("v")])), [
          { name: field.name, value: "v" },
        ]);
    });
    assert.equal(decode(decoder, "be"), "malformed", "nothing of it went into the dynamic table");
  });

  it("gives an empty list for an empty block", () => {
    assert.deepEqual(create().decode(Buffer.alloc(0), 0, 0), { fields: [], bytes: 0 });
  });

  it("reads only its part of what it is given", () => {
    const block = Buffer.concat([Buffer.of(0xff), literal(PLAIN, "a", "1"), Buffer.of(0x80)]);
    assert.deepEqual(create().decode(block, 1, block.length - 1), { fields: [A], bytes: 34 });
  });

  it("gives octets as characters, and never looks at what they are", () => {
    const value = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)).toString("latin1");
    assert.deepEqual(decode(create(), literal(PLAIN, "\u0000\u00ff", value)), [{ name: "\u0000\u00ff", value }]);
  });

  it("indexes only what is to be indexed", () => {
    const decoder = create();
    const block = Buffer.concat([literal(PLAIN, "x", "0"), literal(INDEXING, "a", "1"), literal(NEVER, "y", "0")]);
    decode(decoder, Buffer.concat([block, literal(INDEXING, "b", "2")]));
    assert.deepEqual(decode(decoder, "bebf"), [B, A]);
    assert.equal(decode(decoder, "c0"), "malformed");
  });

  it("names a literal by an entry that the literal itself evicts", () => {
    // SPEC: RFC 7541 §4.4: the name is read before anything is evicted.
    const decoder = create();
    decode(decoder, Buffer.concat([sizeUpdate(34), literal(INDEXING, "a", "1")]));
    assert.deepEqual(decode(decoder, Buffer.concat([Buffer.of(0x7e), text("2")])), [{ name: "a", value: "2" }]);
    assert.deepEqual(decode(decoder, "be"), [{ name: "a", value: "2" }]);
    assert.equal(decode(decoder, "bf"), "malformed");
  });

  it("empties its table for an entry larger than it, and still lists it", () => {
    const decoder = create();
    decode(decoder, literal(INDEXING, "a", "1"));
    const large = { name: "l", value: "v".repeat(4096) };
    assert.deepEqual(decode(decoder, literal(INDEXING, large.name, large.value)), [large]);
    assert.equal(decode(decoder, "be"), "malformed");
  });

  const malformed: readonly (readonly [name: string, block: string])[] = [
    ["index 0", "80"],
    ["an index past an empty dynamic table", "be"],
    ["an index past everything", "ff 80 80 80 04"],
    ["a name index past an empty dynamic table", "7e 01 61"],
    ["a name index past everything, without indexing", "0f ff 01 01 61"],
    ["an index that ends too early", "ff"],
    ["an index that ends in its middle", "ff 80"],
    ["an index of six more octets", "ff 80 80 80 80 80 00"],
    ["an index over 2^31", "ff ff ff ff ff 07"],
    ["an index over 2^32", "ff ff ff ff ff 0f"],
    ["an index over 2^34", "ff ff ff ff ff 7f"],
    ["a literal without a name", "40"],
    ["a literal without a value", "40 01 61"],
    ["a name that is not all there", "40 02 61"],
    ["a value that is not all there", "40 01 61 02 62"],
    ["a length over 2^31", "40 7f ff ff ff ff 7f 61"],
    ["a length that says 2 GiB", "40 01 61 7f 80 ff ff ff 07 61"],
    ["a length of six more octets", "40 7f 80 80 80 80 80 00"],
    ["a Huffman name with EOS", "40 84 ff ff ff ff 01 61"],
    ["a Huffman value with EOS", "40 01 61 84 ff ff ff ff"],
    ["a Huffman value with eight bits of padding", "40 01 61 82 1f ff"],
    ["a Huffman value padded with zeros", "40 01 61 81 18"],
    ["a Huffman value that is not all there", "40 01 61 82 1f"],
    ["a size update after a line", "82 20"],
    ["a size update at the end", "82 86 3f e1 1f"],
    ["a size update above what was announced", "3f e2 1f"],
    ["a size update over 2^31", "3f ff ff ff ff 0f"],
    ["a size update that ends too early", "3f"],
  ];
  for (const [name, block] of malformed)
    it(`refuses ${name}`, () => {
      assert.equal(decode(create(), block), "malformed");
      assert.equal(decode(create(), Buffer.concat([hex("8286"), hex(block)])), "malformed", "after other lines");
    });

  it("takes an integer padded to five more octets, and not one more", () => {
    // SPEC: RFC 7541 §5.1 allows zeros in front; how many is the decoder's choice.
    for (let zeros = 0; zeros < 7; zeros++) {
      const padded = Buffer.from([0x7f, ...new Array(zeros).fill(0x80), 0]);
      const block = Buffer.concat([Buffer.of(0x00), text("a"), padded, Buffer.alloc(127, 0x31)]);
      assert.equal(decode(create(), block) !== "malformed", zeros < 5, `${zeros} zeros`);
    }
  });

  describe("about the size of its table", () => {
    it("takes updates up to what was announced, several at the beginning of a block", () => {
      const decoder = create();
      assert.deepEqual(decode(decoder, Buffer.concat([sizeUpdate(0), sizeUpdate(4096), literal(INDEXING, "a", "1")])), [
        A,
      ]);
      assert.deepEqual(decode(decoder, "be"), [A]);
      assert.deepEqual(decode(decoder, Buffer.concat([sizeUpdate(33)])), []);
      assert.equal(decode(decoder, "be"), "malformed", "34 bytes had to leave");
    });

    it("is 4096 until the peer has acknowledged less, and then must be brought down first", () => {
      const lower = (bytes: number): HpackDecoder => {
        const decoder = create(100);
        assert.deepEqual(decode(decoder, literal(INDEXING, "a", "1")), [A]);
        decoder.setMaxTableBytes(bytes);
        return decoder;
      };
      assert.equal(decode(lower(100), "be"), "malformed");
      assert.equal(decode(lower(100), ""), "malformed", "an empty block begins with nothing");
      assert.equal(decode(lower(100), sizeUpdate(101)), "malformed");
      assert.deepEqual(decode(lower(100), Buffer.concat([sizeUpdate(100), Buffer.of(0xbe)])), [A]);
      assert.equal(decode(lower(100), Buffer.concat([sizeUpdate(0), Buffer.of(0xbe)])), "malformed");
      assert.deepEqual(decode(lower(4096), "be"), [A]);
    });

    it("asks for no update where what is in use is small enough already", () => {
      const decoder = create();
      decode(decoder, Buffer.concat([sizeUpdate(50), literal(INDEXING, "a", "1")]));
      decoder.setMaxTableBytes(50);
      assert.deepEqual(decode(decoder, "be"), [A]);
      decoder.setMaxTableBytes(49);
      assert.equal(decode(decoder, "be"), "malformed");
    });

    it("may be larger than 4096 when that was announced", () => {
      const decoder = create(8192);
      const large = { name: "l", value: "v".repeat(5000) };
      decode(decoder, Buffer.concat([sizeUpdate(8192), literal(INDEXING, large.name, large.value)]));
      assert.deepEqual(decode(decoder, "be"), [large]);
      assert.equal(decode(create(8192), sizeUpdate(8193)), "malformed");
    });
  });

  describe("over a list that is too large", () => {
    it("counts names, values and 32 for each line, and takes exactly the limit", () => {
      const block = Buffer.concat([literal(PLAIN, "name", "value"), Buffer.of(0x82)]);
      const bytes = 4 + 5 + 32 + 7 + 3 + 32;
      assert.equal(create(4096, bytes).decode(block, 0, block.length) !== "too_large", true);
      assert.equal(create(4096, bytes - 1).decode(block, 0, block.length), "too_large");
    });

    it("keeps its table right, for the blocks after it", () => {
      const decoder = create(4096, 100);
      const block = Buffer.concat([
        literal(INDEXING, "first", "f".repeat(80)),
        literal(INDEXING, "a", "1"),
        literal(PLAIN, "p".repeat(50), "p".repeat(50)),
        literal(INDEXING, "b", "2"),
        Buffer.of(0x82),
      ]);
      assert.equal(decode(decoder, block), "too_large");
      assert.deepEqual(decode(decoder, "bebf"), [B, A]);
      assert.equal(decode(decoder, "c0"), "too_large", "the first line alone");
      assert.equal(decode(decoder, "c1"), "malformed");
    });

    it("still sees what is malformed at its end", () => {
      const large = literal(PLAIN, "a", "v".repeat(200));
      for (const [name, block] of malformed)
        if (!name.includes("size update"))
          assert.equal(decode(create(4096, 100), Buffer.concat([large, hex(block)])), "malformed", name);
      assert.equal(decode(create(4096, 100), Buffer.concat([large, sizeUpdate(0)])), "malformed");
    });

    it("costs neither memory nor time when an entry of 4 KiB is named sixty thousand times", () => {
      const decoder = create();
      decode(decoder, literal(INDEXING, "bomb", "b".repeat(4000)));
      const bomb = Buffer.alloc(60_000, 0xbe);
      const before = process.memoryUsage().heapUsed;
      const start = process.cpuUsage();
      for (let run = 0; run < 20; run++) assert.equal(decoder.decode(bomb, 0, bomb.length), "too_large");
      const { user, system } = process.cpuUsage(start);
      // 1.2 million indexes: some ten milliseconds, and 4.8 GB had they been kept as text.
      assert.ok((user + system) / 1000 < 2_000, `${(user + system) / 1000} ms`);
      assert.ok(process.memoryUsage().heapUsed - before < 32 * 2 ** 20);
    });

    it("costs no more when each of many lines empties a full table, or grows it by nothing but its overhead", () => {
      const decoder = create();
      const empty = Buffer.concat(new Array(20_000).fill(literal(INDEXING, "", "")));
      const start = process.cpuUsage();
      for (let run = 0; run < 20; run++) assert.equal(decoder.decode(empty, 0, empty.length), "too_large");
      const full = Buffer.concat([
        ...new Array(128).fill(literal(INDEXING, "", "")),
        literal(INDEXING, "a", "v".repeat(4096)),
      ]);
      for (let run = 0; run < 200; run++) assert.notEqual(decoder.decode(full, 0, full.length), "malformed");
      const { user, system } = process.cpuUsage(start);
      assert.ok((user + system) / 1000 < 2_000, `${(user + system) / 1000} ms`);
    });
  });

  describe("about a block that it has seen", () => {
    const head = Buffer.concat([Buffer.of(0x83, 0x86), literal(PLAIN, "te", "trailers"), Buffer.of(0xbe)]);
    const warm = (): HpackDecoder => {
      const decoder = create();
      decode(decoder, literal(INDEXING, "a", "1"));
      return decoder;
    };
    const list = (decoder: HpackDecoder, block: Buffer): unknown => decoder.decode(Buffer.from(block), 0, block.length);

    it("gives the same object again", () => {
      const decoder = warm();
      const first = list(decoder, head);
      assert.equal(list(decoder, head), first);
      assert.deepEqual((first as { fields: unknown }).fields, [
        STATIC_TABLE[2],
        STATIC_TABLE[5],
        { name: "te", value: "trailers" },
        A,
      ]);
      const padded = Buffer.concat([Buffer.of(0, 0, 0), head, Buffer.of(0)]);
      assert.equal(decoder.decode(padded, 3, 3 + head.length), first);
    });

    it("keeps the last few, each for itself", () => {
      const decoder = warm();
      const blocks = [head, hex("82"), hex("83be"), hex("8286be")];
      const first = blocks.map((block) => list(decoder, block));
      for (let run = 0; run < 3; run++)
        blocks.forEach((block, at) => {
          assert.equal(list(decoder, block), first[at]);
        });
      for (let at = 0; at < 4; at++) list(decoder, Buffer.of(0x82, 0x84 + at));
      assert.notEqual(list(decoder, head), first[0]);
      assert.deepEqual(list(decoder, head), first[0]);
    });

    it("forgets it when the table has changed, whether the block means another thing now or not", () => {
      for (const change of [literal(INDEXING, "b", "2"), sizeUpdate(4096), literal(INDEXING, "l", "v".repeat(5000))]) {
        const decoder = warm();
        const first = list(decoder, head);
        decode(decoder, change);
        assert.notEqual(list(decoder, head), first);
      }
      const decoder = warm();
      assert.deepEqual(decode(decoder, "be"), [A]);
      decode(decoder, literal(INDEXING, "b", "2"));
      assert.deepEqual(decode(decoder, "be"), [B]);
      assert.deepEqual(decode(decoder, "bf"), [A]);
    });

    it("never takes a block that changes the table for one that it knows", () => {
      const decoder = create();
      const block = literal(INDEXING, "a", "1");
      for (let count = 1; count <= 5; count++) {
        assert.deepEqual(decode(decoder, block), [A]);
        assert.deepEqual(decode(decoder, Buffer.alloc(count, 0xbe)), new Array(count).fill(A));
        assert.equal(decode(decoder, Buffer.of(0xbe + count)), "malformed");
      }
    });

    it("asks for a due size update all the same", () => {
      const decoder = warm();
      list(decoder, head);
      decoder.setMaxTableBytes(64);
      assert.equal(list(decoder, head), "malformed");
    });

    it("holds no long block", () => {
      const decoder = warm();
      const long = literal(PLAIN, "a", "v".repeat(300));
      assert.deepEqual(list(decoder, long), list(decoder, long));
      assert.notEqual(list(decoder, long), list(decoder, long));
    });
  });

  describe("over broken blocks", () => {
    const whole = hex(
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65 be 1008 7061 7373 776f 7264 0673 6563 7265 74 0f1f 0161",
    );
    const isPlausible = (result: ReturnType<HpackDecoder["decode"]>, octets: number): boolean =>
      typeof result === "string" || result.fields.length <= octets;

    it("takes every beginning as a whole block or refuses it", () => {
      for (let end = 0; end <= whole.length; end++) {
        const result = create().decode(whole, 0, end);
        assert.ok(result !== "too_large" && isPlausible(result, end), `${end}`);
      }
      assert.notEqual(decode(create(), whole), "malformed");
    });

    it("never throws whichever octet is another, and never gives more lines than octets", () => {
      for (let at = 0; at < whole.length; at++)
        for (let octet = 0; octet < 256; octet++) {
          const broken = Buffer.from(whole);
          broken[at] = octet;
          const decoder = create();
          assert.ok(isPlausible(decoder.decode(broken, 0, broken.length), broken.length));
          if (octet % 16 === 0) assert.ok(isPlausible(decoder.decode(whole, 0, whole.length), whole.length));
        }
    });

    it("never throws over octets at random, block after block", () => {
      const random = new Random(9113);
      const pieces = [
        ...[0x82, 0x84, 0xbe, 0xbf, 0x9f].map((octet) => Buffer.of(octet)),
        ...[INDEXING, PLAIN, NEVER].map((flags) => literal(flags, "a", "v".repeat(random.below(90)))),
        Buffer.concat([Buffer.of(0x7e), text("value")]),
      ];
      const seen = { whole: 0, malformed: 0, too_large: 0 };
      for (let run = 0; run < 3_000; run++) {
        const decoder = create(4096, 400);
        for (let block = 0; block < 8; block++) {
          const octets = Buffer.concat(
            Array.from({ length: random.below(12) }, () =>
              random.chance(3) ? Buffer.of(random.below(256)) : random.pick(pieces),
            ),
          );
          const result = decoder.decode(octets, 0, octets.length);
          assert.ok(isPlausible(result, octets.length));
          seen[typeof result === "string" ? result : "whole"]++;
          if (result === "malformed") break;
        }
      }
      assert.ok(
        Object.values(seen).every((count) => count > 50),
        JSON.stringify(seen),
      );
    });
  });
});
