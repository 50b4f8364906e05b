// Writes protobuf messages as the JSON that a policy sees. It is opa-envoy-plugin's own rule, not protojson
// (envoyauth/protomap.go): lowerCamelCase keys, populated fields only, enums and 64-bit integers as numbers,
// Timestamp and Any as plain objects, Struct as plain JSON with numbers as Go's shortest `%g`.
// Reads bytes that `scanMessage` accepted and in which no singular field repeats; it checks nothing again.

import { type Field, Kind, type MessageTable } from "../base/protobuf-table.ts";
import { WireReader } from "../base/protobuf-wire.ts";
import { quoteJson } from "../policy/byte-text.ts";
import { struct } from "./check-request-fields.ts";
import { toGoNumberText } from "./go-number.ts";

/** Replaces a field's JSON while a message is written; asked for each field of the message named by `table`. */
export interface FieldOverride {
  readonly table: MessageTable;
  readonly field: string;
  /** The JSON text of the field's value; undefined leaves the field out. */
  json(): string | undefined;
}

/** The JSON text of the message between `start` and `end`. */
export function toAttributesJson(
  bytes: Buffer,
  start: number,
  end: number,
  table: MessageTable,
  override?: FieldOverride,
): string {
  return new JsonWriter(bytes, start, override).message(table, end);
}

class JsonWriter {
  readonly #wire: WireReader;
  readonly #bytes: Buffer;
  readonly #override: FieldOverride | undefined;

  constructor(bytes: Buffer, start: number, override: FieldOverride | undefined) {
    this.#bytes = bytes;
    this.#wire = new WireReader(bytes, start);
    this.#override = override;
  }

  message(table: MessageTable, end: number): string {
    if (table === struct) return this.#struct(end);
    const wire = this.#wire;
    const { byNumber } = table;
    const override = this.#override?.table === table ? this.#override : undefined;
    let json = "";
    let collections: (Map<string, string> | string[] | undefined)[] | undefined;
    while (wire.pos < end) {
      const tag = wire.readTag(end);
      const number = tag >>> 3;
      const field = number < byNumber.length ? byNumber[number] : undefined;
      if (field === undefined || field.wireType !== (tag & 7) || field.name === override?.field) {
        wire.skip(tag, end);
      } else if (field.cardinality === "one") {
        const value = this.#value(field, end);
        if (value !== undefined) json += `,"${field.jsonName}":${value}`;
      } else {
        collections ??= [];
        if (field.cardinality === "map") {
          const map = (collections[field.index] ?? new Map()) as Map<string, string>;
          collections[field.index] = map;
          this.#entry(map, field.message as MessageTable, this.#stop());
        } else {
          const items = (collections[field.index] ?? []) as string[];
          collections[field.index] = items;
          items.push(this.#value(field, end) as string);
        }
      }
    }
    collections?.forEach((collected, index) => {
      if (collected !== undefined) json += `,"${table.fields[index]?.jsonName}":${collectionJson(collected)}`;
    });
    if (override !== undefined) {
      const value = override.json();
      if (value !== undefined) json += `,"${override.field}":${value}`;
    }
    return json === "" ? "{}" : `{${json.slice(1)}}`;
  }

  /** Reads a length and answers where the value ends. */
  #stop(): number {
    return this.#wire.readLength(this.#bytes.length) + this.#wire.pos;
  }

  /** A field's value, or undefined when it is not populated: proto3's zero outside a oneof. */
  #value(field: Field, end: number): string | undefined {
    const wire = this.#wire;
    switch (field.kind) {
      case Kind.message:
        return this.message(field.message as MessageTable, this.#stop());
      case Kind.string: {
        const stop = this.#stop();
        return stop === wire.pos && field.oneof === undefined ? undefined : this.#string(stop);
      }
      case Kind.bytes: {
        const stop = this.#stop();
        const start = wire.pos;
        wire.pos = stop;
        return start === stop ? undefined : `"${this.#bytes.toString("base64", start, stop)}"`;
      }
      case Kind.double:
        return this.#double();
      default: {
        wire.readVarint(end);
        if (wire.low === 0 && (wire.high === 0 || field.kind !== Kind.int64)) {
          // SPEC: a bool is true when any of its 64 bits is set, a 32-bit kind keeps the lower half.
          if (field.kind === Kind.bool && wire.high !== 0) return "true";
          if (field.oneof === undefined) return undefined;
        }
        if (field.kind === Kind.bool) return wire.low === 0 ? "false" : "true";
        if (field.kind === Kind.int64) return wire.varintText();
        return String(field.kind === Kind.uint32 ? wire.low >>> 0 : wire.low);
      }
    }
  }

  #string(stop: number): string {
    const wire = this.#wire;
    const bytes = this.#bytes;
    const start = wire.pos;
    wire.pos = stop;
    for (let at = start; at < stop; at++) {
      const byte = bytes[at] as number;
      if (byte < 0x20 || byte === 0x22 || byte === 0x5c || byte >= 0x80) {
        return quoteJson(bytes.toString("utf8", start, stop));
      }
    }
    return `"${bytes.toString("latin1", start, stop)}"`;
  }

  #double(): string {
    const value = this.#bytes.readDoubleLE(this.#wire.pos);
    this.#wire.pos += 8;
    if (Number.isFinite(value)) return toGoNumberText(value);
    return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
  }

  /** One map entry: missing key = "", missing value = the zero value; an equal key replaces the earlier one. */
  #entry(map: Map<string, string>, table: MessageTable, end: number): void {
    const wire = this.#wire;
    let key = '""';
    let value: string | undefined;
    const { byNumber } = table;
    while (wire.pos < end) {
      const tag = wire.readTag(end);
      const field = byNumber[tag >>> 3];
      if (field === undefined || field.wireType !== (tag & 7)) wire.skip(tag, end);
      else if (field.number === 1) key = this.#string(this.#stop());
      else value = field.message === VALUE ? this.#structValue(this.#stop()) : this.#value(field, end);
    }
    map.set(key, value ?? emptyOf(byNumber[2] as Field));
  }

  #struct(end: number): string {
    const map = new Map<string, string>();
    while (this.#wire.pos < end) {
      const tag = this.#wire.readTag(end);
      const field = struct.byNumber[tag >>> 3];
      if (field === undefined || field.wireType !== (tag & 7)) this.#wire.skip(tag, end);
      else this.#entry(map, field.message as MessageTable, this.#stop());
    }
    return collectionJson(map);
  }

  /** A Value: its one member's JSON, or null when none is set. */
  #structValue(end: number): string {
    const wire = this.#wire;
    let json = "null";
    while (wire.pos < end) {
      const tag = wire.readTag(end);
      const field = (VALUE as MessageTable).byNumber[tag >>> 3];
      if (field === undefined || field.wireType !== (tag & 7)) wire.skip(tag, end);
      else if (field.name === "list_value") json = this.#listValue(this.#stop());
      else if (field.name === "null_value") {
        wire.skip(tag, end);
        json = "null";
      } else json = this.#value(field, end) as string;
    }
    return json;
  }

  #listValue(end: number): string {
    const items: string[] = [];
    while (this.#wire.pos < end) {
      const tag = this.#wire.readTag(end);
      if (tag === VALUES_TAG) items.push(this.#structValue(this.#stop()));
      else this.#wire.skip(tag, end);
    }
    return collectionJson(items);
  }
}

const VALUE = struct.byNumber[1]?.message?.byNumber[2]?.message;
/** ListValue's only field: number 1, length-delimited. */
const VALUES_TAG = 10;

function emptyOf(field: Field): string {
  if (field.kind === Kind.string) return '""';
  return field.message === VALUE ? "null" : "{}";
}

function collectionJson(collected: Map<string, string> | readonly string[]): string {
  if (!(collected instanceof Map)) return `[${collected.join(",")}]`;
  // PERF: taking a leading comma off would copy the text, once for each level that it is nested in.
  let json = "";
  for (const [key, value] of collected) json += json === "" ? `${key}:${value}` : `,${key}:${value}`;
  return `{${json}}`;
}
