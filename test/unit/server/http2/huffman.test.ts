import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { decodeHuffman, maxDecodedBytes } from "../../../../src/server/http2/huffman.ts";
import { Random } from "../../../support/random.ts";

const { codes } = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/hpack/huffman.json"), "utf8")) as {
  readonly codes: readonly string[];
};
const EOS = codes[256] as string;

/** Octets of a string of bits; the last is filled up with `padding`. */
function octets(bits: string, padding = "1"): Buffer {
  const whole = bits + padding.repeat((8 - (bits.length % 8)) % 8);
  return Buffer.from(
    Array.from({ length: whole.length / 8 }, (_, at) => Number.parseInt(whole.slice(at * 8, at * 8 + 8), 2)),
  );
}

function decode(coded: Buffer): Buffer | undefined {
  const to = Buffer.alloc(maxDecodedBytes(coded.length));
  const length = decodeHuffman(coded, 0, coded.length, to);
  return length === -1 ? undefined : to.subarray(0, length);
}

const encode = (text: Buffer): string => Array.from(text, (octet) => codes[octet]).join("");

describe("decodeHuffman", () => {
  it("knows the code of every octet, wherever in an octet it begins", () => {
    assert.equal(codes.length, 257);
    for (let symbol = 0; symbol < 256; symbol++) {
      // Eight zeros are five bits each: their number moves what follows through all eight places.
      for (let zeros = 0; zeros < 8; zeros++) {
        const text = Buffer.from([...new Array(zeros).fill(0x30), symbol, 0x61, symbol]);
        assert.deepEqual(decode(octets(encode(text))), text, `symbol ${symbol} after ${zeros}`);
      }
    }
  });

  it("gives back random texts of all octets", () => {
    const random = new Random(7541);
    for (let run = 0; run < 2_000; run++) {
      const text = Buffer.from(
        Array.from({ length: random.below(60) }, () => random.below(random.chance(50) ? 128 : 256)),
      );
      assert.deepEqual(decode(octets(encode(text))), text, text.toString("hex"));
    }
  });

  it("reads only what it is told to", () => {
    const coded = Buffer.concat([Buffer.of(0xff, 0xff), octets(encode(Buffer.from("no-cache"))), Buffer.of(0)]);
    const to = Buffer.alloc(40, 0x2e);
    assert.equal(decodeHuffman(coded, 2, coded.length - 1, to), 8);
    assert.equal(to.toString("latin1", 0, 8), "no-cache");
    assert.equal(decodeHuffman(coded, 2, 2, to), 0);
  });

  it("never needs more room than it says", () => {
    // The shortest codes have five bits: forty zeros are twenty-five octets.
    const coded = octets(encode(Buffer.alloc(40, 0x30)));
    assert.equal(coded.length, 25);
    assert.ok(maxDecodedBytes(25) > 40);
    const to = Buffer.alloc(maxDecodedBytes(25) + 8, 0xee);
    assert.equal(decodeHuffman(coded, 0, 25, to), 40);
    assert.ok(to.subarray(maxDecodedBytes(25)).every((octet) => octet === 0xee));
  });

  it("takes padding of ones up to seven bits, and no other", () => {
    for (let symbol = 0; symbol < 256; symbol++) {
      const code = codes[symbol] as string;
      const pads = (8 - (code.length % 8)) % 8;
      assert.deepEqual(decode(octets(code)), Buffer.of(symbol), `symbol ${symbol}`);
      assert.equal(decode(octets(`${code}${"1".repeat(pads)}11111111`)), undefined, `eight more after ${symbol}`);
      // All but one are ones: no symbol, and no beginning of EOS.
      for (let zero = 0; zero < pads; zero++) {
        const padding = `${"1".repeat(pads - 1 - zero)}0${"1".repeat(zero)}`;
        if (!codes.some((other) => padding.startsWith(other)))
          assert.equal(decode(octets(code + padding)), undefined, `${padding} after ${symbol}`);
      }
    }
    assert.equal(decode(Buffer.of(0xff)), undefined, "nothing but padding");
  });

  it("refuses EOS in a string", () => {
    for (const bits of [
      EOS,
      `${codes[0x61]}${EOS}`,
      `${EOS}${codes[0x61]}`,
      `${EOS}${EOS}`,
      `${encode(Buffer.from("0000000"))}${EOS}`,
    ])
      assert.equal(decode(octets(bits)), undefined, bits);
    assert.equal(decode(Buffer.alloc(4, 0xff)), undefined);
  });

  it("gives for every three octets what reading bit by bit gives", () => {
    const bitwise = (coded: Buffer): Buffer | undefined => {
      const symbols: number[] = [];
      let seen = "";
      for (const bit of Array.from(coded, (octet) => octet.toString(2).padStart(8, "0")).join("")) {
        seen += bit;
        const symbol = SYMBOLS.get(seen);
        if (symbol === undefined) continue;
        if (symbol === 256) return undefined;
        symbols.push(symbol);
        seen = "";
      }
      return seen.length < 8 && !seen.includes("0") ? Buffer.from(symbols) : undefined;
    };
    const SYMBOLS = new Map(codes.map((code, symbol) => [code, symbol]));
    const random = new Random(32);
    for (let run = 0; run < 20_000; run++) {
      const coded = Buffer.from(
        Array.from({ length: 1 + random.below(5) }, () =>
          random.chance(40) ? 255 - random.below(8) : random.below(256),
        ),
      );
      assert.deepEqual(decode(coded), bitwise(coded), coded.toString("hex"));
    }
  });
});
