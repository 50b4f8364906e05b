// CheckRequest from JSON (`svidgate check request.json`): proto3 JSON with lowerCamelCase or proto names, and, so that a
// logged input document can be asked again, the document's own forms of Timestamp and Any.
// Nesting is bounded before anything recurses. The reverse, for policies, is `attributes-json.ts`.

import { MAX_MESSAGE_DEPTH, scanMessage } from "../base/protobuf-scan.ts";
import { type Field, Kind, type MessageTable } from "../base/protobuf-table.ts";
import { WireReader } from "../base/protobuf-wire.ts";
import { WireWriter } from "../base/protobuf-write.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { checkRequest, listValue, struct, structValue, timestamp } from "./check-request-fields.ts";

const TOO_DEEP = `nests too deep: at most ${MAX_MESSAGE_DEPTH} messages within each other are read, and a value of a Struct takes two or three`;

/** A place in the JSON and what is wrong there. */
class JsonProblem extends Error {}

/**
 * Encodes a CheckRequest given as parsed JSON. Unknown fields are refused, so that a typing error is not an empty field.
 * Code `check_request_json`; the detail names the place, or says that it nests deeper than `readCheckRequest` reads.
 */
export function encodeCheckRequest(json: unknown): Result<Uint8Array, "check_request_json"> {
  // Each level of JSON is a message at least, so what is deeper than this could not be read.
  if (nestsDeeper(json, MAX_MESSAGE_DEPTH)) return fail("check_request_json", TOO_DEEP);
  try {
    const bytes = encodeMessage(checkRequest, json, "request");
    // Depth is all that can be wrong with what was just encoded.
    const readable = scanMessage(new WireReader(bytes), bytes.length, checkRequest) !== "malformed";
    return readable ? ok(bytes) : fail("check_request_json", TOO_DEEP);
  } catch (error) {
    if (error instanceof JsonProblem) return fail("check_request_json", error.message);
    throw error;
  }
}

/** Whether arrays and objects stand within each other more than `levels` times; level by level, as recursion has an end. */
function nestsDeeper(json: unknown, levels: number): boolean {
  let level: unknown[] = [json];
  for (let depth = 0; depth <= levels; depth++) {
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
    if (level.length === 0) return false;
  }
  return true;
}

function encodeMessage(table: MessageTable, json: unknown, at: string): Uint8Array {
  if (table === struct) return encodeStruct(json, at);
  if (table === timestamp && typeof json === "string") return encodeTimestamp(json, at);
  const writer = new WireWriter();
  const oneofs = new Map<string, string>();
  for (const [name, value] of Object.entries(objectAt(json, at))) {
    const field = table.fields.find((candidate) => candidate.jsonName === name || candidate.name === name);
    const place = `${at}.${name}`;
    if (field === undefined) throw new JsonProblem(`\`${place}\`: ${table.name} has no such field`);
    if (value === null) continue;
    if (field.oneof !== undefined) {
      const other = oneofs.get(field.oneof);
      if (other !== undefined)
        throw new JsonProblem(`\`${place}\`: \`${other}\` is set already, only one of them can be`);
      oneofs.set(field.oneof, name);
    }
    writeField(writer, field, value, place);
  }
  return writer.finish();
}

function writeField(writer: WireWriter, field: Field, value: unknown, at: string): void {
  if (field.cardinality === "map") {
    const valueField = field.message?.byNumber[2] as Field;
    for (const [key, item] of Object.entries(objectAt(value, at))) {
      const entry = new WireWriter();
      entry.bytes(1, utf8(key, at));
      writeValue(entry, valueField, item, `${at}.${key}`);
      writer.bytes(field.number, entry.finish());
    }
  } else if (field.cardinality === "list") {
    if (!Array.isArray(value)) throw new JsonProblem(`\`${at}\`: must be an array`);
    for (const [index, item] of value.entries()) writeValue(writer, field, item, `${at}[${index}]`);
  } else writeValue(writer, field, value, at);
}

function writeValue(writer: WireWriter, field: Field, value: unknown, at: string): void {
  switch (field.kind) {
    case Kind.message:
      writer.bytes(field.number, encodeMessage(field.message as MessageTable, value, at));
      return;
    case Kind.string:
      if (typeof value !== "string") throw new JsonProblem(`\`${at}\`: must be a string`);
      writer.bytes(field.number, utf8(value, at));
      return;
    case Kind.bytes:
      if (typeof value !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
        throw new JsonProblem(`\`${at}\`: must be base64`);
      }
      writer.bytes(field.number, Buffer.from(value, "base64"));
      return;
    case Kind.bool:
      if (typeof value !== "boolean") throw new JsonProblem(`\`${at}\`: must be true or false`);
      writer.varint(field.number, value ? 1n : 0n);
      return;
    default:
      writer.varint(field.number, integerAt(field, value, at));
  }
}

const INTEGER_LIMITS: Readonly<Partial<Record<Kind, readonly [bigint, bigint]>>> = {
  [Kind.uint32]: [0n, 2n ** 32n - 1n],
  [Kind.int64]: [-(2n ** 63n), 2n ** 63n - 1n],
};
const INT32_LIMITS = [-(2n ** 31n), 2n ** 31n - 1n] as const;

function integerAt(field: Field, value: unknown, at: string): bigint {
  const { values = {} } = field;
  const named = typeof value === "string" && Object.hasOwn(values, value) ? values[value] : undefined;
  if (named !== undefined) return BigInt(named);
  const isInteger =
    (typeof value === "number" && Number.isInteger(value)) || (typeof value === "string" && /^-?\d{1,20}$/.test(value));
  const [low, high] = INTEGER_LIMITS[field.kind] ?? INT32_LIMITS;
  const integer = isInteger ? BigInt(value as number | string) : undefined;
  if (integer === undefined || integer < low || integer > high) {
    const names = field.values === undefined ? "" : ` or one of ${Object.keys(field.values).join(", ")}`;
    throw new JsonProblem(`\`${at}\`: must be an integer from ${low} to ${high}${names}`);
  }
  return integer;
}

function encodeTimestamp(text: string, at: string): Uint8Array {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const unixMs = parts === null ? Number.NaN : Date.parse(`${parts[1]}${parts[3]}`);
  if (Number.isNaN(unixMs)) throw new JsonProblem(`\`${at}\`: must be a time like 2006-01-02T15:04:05.999Z`);
  const writer = new WireWriter();
  writer.varint(1, BigInt(unixMs / 1000));
  writer.varint(2, BigInt((parts?.[2] ?? "").padEnd(9, "0")));
  return writer.finish();
}

function encodeStruct(json: unknown, at: string): Uint8Array {
  const writer = new WireWriter();
  for (const [key, value] of Object.entries(objectAt(json, at))) {
    const entry = new WireWriter();
    entry.bytes(1, utf8(key, at));
    entry.bytes(2, encodeValue(value, `${at}.${key}`));
    writer.bytes(1, entry.finish());
  }
  return writer.finish();
}

function encodeValue(value: unknown, at: string): Uint8Array {
  const writer = new WireWriter();
  const number = (name: string): number => structValue.fields.find((field) => field.name === name)?.number ?? 0;
  if (value === null) writer.varint(number("null_value"), 0n);
  else if (typeof value === "number") writer.double(number("number_value"), value);
  else if (typeof value === "string") writer.bytes(number("string_value"), utf8(value, at));
  else if (typeof value === "boolean") writer.varint(number("bool_value"), value ? 1n : 0n);
  else if (Array.isArray(value)) {
    const list = new WireWriter();
    const values = listValue.fields[0]?.number ?? 0;
    for (const [index, item] of value.entries()) list.bytes(values, encodeValue(item, `${at}[${index}]`));
    writer.bytes(number("list_value"), list.finish());
  } else writer.bytes(number("struct_value"), encodeStruct(value, at));
  return writer.finish();
}

function objectAt(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new JsonProblem(`\`${at}\`: must be an object`);
  }
  return value as Record<string, unknown>;
}

function utf8(text: string, at: string): Uint8Array {
  if (/[\ud800-\udfff]/u.test(text)) throw new JsonProblem(`\`${at}\`: holds half of a surrogate pair`);
  return Buffer.from(text, "utf8");
}
