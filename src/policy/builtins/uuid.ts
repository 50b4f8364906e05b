// `uuid.rfc4122` (random, one per evaluation and key) and `uuid.parse` (v1/topdown/uuid.go over github.com/google/uuid).

import { randomUUID } from "node:crypto";
import { printValue, RegoNumber, RegoObject, type Value } from "../value.ts";
import type { BuiltinContext, BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

/** 100 ns intervals from 15 October 1582, where UUID time starts, to 1970. */
const GREGORIAN_OFFSET = 0x01b21dd213814000n;

function memoizedUuid(key: Value, { memo }: BuiltinContext): Value {
  const name = `uuid.rfc4122:${printValue(key)}`;
  const known = memo.get(name) ?? randomUUID();
  memo.set(name, known);
  return known;
}

/** The 16 bytes of a UUID in any of the four spellings that the Go library takes; it does not look at the braces. */
function parseUuid(text: string): Buffer | undefined {
  let digits = text;
  if (text.length === 45 && /^urn:uuid:/i.test(text)) digits = text.slice(9);
  else if (text.length === 38 && Buffer.byteLength(text) === 38) digits = text.slice(1, 37);
  else if (text.length === 32) digits = text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const valid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(digits);
  return valid ? Buffer.from(digits.replaceAll("-", ""), "hex") : undefined;
}

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return "RFC4122";
  if ((byte & 0xe0) === 0xc0) return "Microsoft";
  return (byte & 0xe0) === 0xe0 ? "Future" : "Reserved";
}

const DOMAINS = ["Person", "Group", "Org"] as const;

/** The two lowest bits of a MAC address' first byte. */
const macKind = (byte: number): string =>
  `${(byte & 2) === 2 ? "local" : "global"}:${(byte & 1) === 1 ? "multicast" : "unicast"}`;

/** Time (wrapped to 64 bits, as Go does), node and clock, which only versions 1 and 2 carry. */
function timeFields(uuid: Buffer, version: number): readonly (readonly [Value, Value])[] {
  const intervals =
    BigInt(uuid.readUInt32BE(0)) |
    (BigInt(uuid.readUInt16BE(4)) << 32n) |
    (BigInt(uuid.readUInt16BE(6) & 0xfff) << 48n);
  const node = uuid.toString("hex", 10);
  const fields: (readonly [Value, Value])[] = [
    ["time", RegoNumber.of(BigInt.asIntN(64, (intervals - GREGORIAN_OFFSET) * 100n))],
    ["nodeid", (node.match(/../g) ?? []).join("-")],
    ["macvariables", macKind(uuid.readUInt8(10))],
    ["clocksequence", RegoNumber.of(uuid.readUInt16BE(8) & 0x3fff)],
  ];
  if (version === 2) {
    const domain = uuid.readUInt8(9);
    fields.push(["id", RegoNumber.of(uuid.readUInt32BE(0))], ["domain", DOMAINS[domain] ?? `Domain${domain}`]);
  }
  return fields;
}

function toFields(uuid: Buffer): RegoObject {
  const version = uuid.readUInt8(6) >> 4;
  return RegoObject.of([
    ["version", RegoNumber.of(version)],
    ["variant", variantOf(uuid.readUInt8(8))],
    ...(version === 1 || version === 2 ? timeFields(uuid, version) : []),
  ]);
}

/** `uuid.rfc4122(key)` and `uuid.parse(text)`; text that is no UUID is undefined. */
export const uuidBuiltins: BuiltinFamily = {
  "uuid.rfc4122": ([key = null], context) => memoizedUuid(key, context),
  "uuid.parse"(args) {
    const uuid = parseUuid(stringOperand(args, 0));
    return uuid === undefined ? undefined : toFields(uuid);
  },
};
