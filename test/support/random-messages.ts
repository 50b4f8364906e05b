// Generated protobuf messages of any table: every kind of field, repeated singular fields, unknown fields, wrong wire
// types, odd varints and, if asked for, damage.

import { type Field, Kind, type MessageTable } from "../../src/base/protobuf-table.ts";
import { WireWriter } from "../../src/base/protobuf-write.ts";
import type { Random } from "./random.ts";

const TEXTS = [
  "",
  "a",
  "b",
  "é",
  "😀",
  '"',
  "\\",
  "\u0000",
  "/p?x=1",
  "GET",
  "__proto__",
  "constructor",
  "\u007f",
  "\u2028",
  "x".repeat(200),
];
const VARINTS = [
  0n,
  1n,
  2n,
  127n,
  128n,
  65_535n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  -1n,
  -5n,
];
const DOUBLES = [
  0,
  -0,
  1,
  -1,
  1.5,
  0.1,
  1e5,
  1e6,
  123456789,
  1e20,
  1e21,
  1.5e22,
  1e-4,
  1e-5,
  5e-324,
  1.7976931348623157e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  123456.789,
];

/** Nothing odd; fields that the table does not have, odd varints and map entries without key or value; or wrong wire types too. */
export type Oddity = boolean | "unknown";

/** A message of the table; `depth` bounds nesting. Singular fields repeat. */
export function randomMessage(random: Random, table: MessageTable, depth: number, odd: Oddity): Uint8Array {
  const writer = new WireWriter();
  const count = random.below(table.fields.length + 2);
  for (let index = 0; index < count; index++) {
    const field = random.pick(table.fields);
    if (odd === "unknown" && random.chance(8)) writeOdd(random, writer, 1000 + random.below(40));
    else if (odd === true && random.chance(8))
      writeOdd(random, writer, random.chance(50) ? field.number : 1 + random.below(40));
    else if (field.kind !== Kind.message || depth > 0) writeField(random, writer, field, depth, odd);
  }
  return writer.finish();
}

function writeField(random: Random, writer: WireWriter, field: Field, depth: number, odd: Oddity): void {
  switch (field.kind) {
    case Kind.message: {
      const table = field.message as MessageTable;
      const complete = field.cardinality === "map" && odd === false;
      writer.bytes(field.number, complete ? entry(random, table, depth) : randomMessage(random, table, depth - 1, odd));
      break;
    }
    case Kind.string:
      writer.bytes(field.number, Buffer.from(random.pick(TEXTS)));
      break;
    case Kind.bytes:
      writer.bytes(field.number, Buffer.from(Array.from({ length: random.below(4) }, () => random.below(256))));
      break;
    case Kind.double:
      writer.double(field.number, random.pick(DOUBLES));
      break;
    default:
      // protobufjs, the oracle of messages that are not odd, fails on 32-bit numbers of ten bytes.
      writer.varint(
        field.number,
        odd !== false || field.kind === Kind.int64 ? random.pick(VARINTS) : random.pick([0n, 1n, 2n ** 31n - 1n]),
      );
  }
}

/** A map entry with its key and its value: what every encoder writes. */
function entry(random: Random, table: MessageTable, depth: number): Uint8Array {
  const writer = new WireWriter();
  for (const field of table.fields) writeField(random, writer, field, depth - 1, false);
  return writer.finish();
}

function writeOdd(random: Random, writer: WireWriter, number: number): void {
  const tag = (type: number): number[] => {
    const bytes: number[] = [];
    for (let rest = number * 8 + type; ; rest >>>= 7) {
      if (rest < 0x80) return [...bytes, rest];
      bytes.push((rest & 0x7f) | 0x80);
    }
  };
  writer.raw(
    Buffer.from(
      random.pick([
        [...tag(0), 0x80, 0x00],
        [...tag(1), 1, 2, 3, 4, 5, 6, 7, 8],
        [...tag(5), 1, 2, 3, 4],
        [...tag(3), ...tag(4)],
        [...tag(3), 0x08, 0x01, ...tag(4)],
        [...tag(2), 0],
      ]),
    ),
  );
}
