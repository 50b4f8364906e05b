// Decodes a protobuf message of a type known only at run time, as protobuf-go's dynamic messages do: a field with an
// unexpected wire type and an unknown field are dropped, a repeated singular field is merged, strings must be UTF-8.
// `protojson.ts` prints the result. Types come from a FileDescriptorSet by way of `proto-descriptor.ts`.

import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isUtf8Range, MAX_MESSAGE_DEPTH } from "../../base/protobuf-scan.ts";
import { WireReader, WireType } from "../../base/protobuf-wire.ts";

/** A decoded value: 64-bit integers are bigint, other numbers number, bytes Buffer. */
export type ProtoValue = string | number | bigint | boolean | Buffer | ProtoMessage | typeof BAD_TEXT;

/** SPEC: proto2 strings are not checked when decoded, but one that is not UTF-8 cannot be printed. */
export const BAD_TEXT = Symbol("not UTF-8");

/** A decoded message: only fields that stood on the wire; lists are arrays, maps are Maps by the key's JSON text. */
export interface ProtoMessage {
  readonly type: DescMessage;
  readonly fields: Map<number, ProtoValue | ProtoValue[] | Map<string, ProtoValue>>;
}

/** Thrown while a message is decoded or printed; the message is the sentence for the caller of the policy. */
export class ProtoMessageError extends Error {}

/** Scalar types by their numbers in descriptor.proto (`FieldDescriptorProto.Type`). */
export const Scalar = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
} as const;

const FIXED64_TYPES: ReadonlySet<number> = new Set([Scalar.double, Scalar.fixed64, Scalar.sfixed64]);
const FIXED32_TYPES: ReadonlySet<number> = new Set([Scalar.float, Scalar.fixed32, Scalar.sfixed32]);
/** An enum is decoded as an int32. */
const ENUM = Scalar.int32;

const fieldsByNumber = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

/** Decodes all of `bytes`. Throws `ProtoMessageError`. */
export function decodeProtoMessage(type: DescMessage, bytes: Buffer): ProtoMessage {
  const message = emptyProtoMessage(type);
  new MessageDecoder(bytes).read(message, bytes.length, 0, 0);
  return message;
}

/** A message with no field set. */
export function emptyProtoMessage(type: DescMessage): ProtoMessage {
  return { type, fields: new Map() };
}

class MessageDecoder {
  readonly #bytes: Buffer;
  readonly #wire: WireReader;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#wire = new WireReader(bytes);
  }

  /** Reads fields into `message` up to `end`, or up to the end of the group `group` when that is not 0. */
  read(message: ProtoMessage, end: number, group: number, depth: number): void {
    if (depth > MAX_MESSAGE_DEPTH) throw malformed();
    const fields = fieldsOf(message.type);
    const wire = this.#wire;
    while (wire.pos < end) {
      const tag = wire.readTag(end);
      if (tag === 0) throw malformed();
      if ((tag & 7) === WireType.endGroup) {
        if (tag >>> 3 !== group) throw malformed();
        return;
      }
      const field = fields.get(tag >>> 3);
      if (field === undefined || !this.#field(message, field, tag, end, depth)) {
        if (!wire.skip(tag, end)) throw malformed();
      }
    }
    if (group !== 0) throw malformed();
  }

  /** Reads one occurrence of a field; false when the wire type is not the field's. */
  #field(message: ProtoMessage, field: DescField, tag: number, end: number, depth: number): boolean {
    const wireType = tag & 7;
    const { fields } = message;
    if (field.fieldKind === "map") {
      if (wireType !== WireType.bytes) return false;
      const map = (fields.get(field.number) ?? new Map()) as Map<string, ProtoValue>;
      fields.set(field.number, map);
      this.#entry(map, field, this.#stop(end), depth);
      return true;
    }
    const type = field.fieldKind === "list" ? field.listKind : field.fieldKind;
    if (field.fieldKind === "list") {
      const list = (fields.get(field.number) ?? []) as ProtoValue[];
      if (type === "message") {
        const child = this.#message(field, undefined, wireType, end, depth);
        if (child === undefined) return false;
        list.push(child);
      } else if (!this.#listItems(list, field, wireType, end)) return false;
      if (list.length > 0) fields.set(field.number, list);
      return true;
    }
    const before = fields.get(field.number) as ProtoValue | undefined;
    const value =
      type === "message"
        ? this.#message(field, before as ProtoMessage | undefined, wireType, end, depth)
        : this.#scalar(field, scalarOf(field), wireType, end);
    if (value === undefined) return false;
    for (const sibling of field.oneof?.fields ?? []) if (sibling !== field) fields.delete(sibling.number);
    fields.set(field.number, value);
    return true;
  }

  #message(
    field: DescField,
    before: ProtoMessage | undefined,
    wireType: number,
    end: number,
    depth: number,
  ): ProtoMessage | undefined {
    const message = before ?? emptyProtoMessage(field.message as DescMessage);
    if ("delimitedEncoding" in field && field.delimitedEncoding) {
      if (wireType !== WireType.startGroup) return undefined;
      this.read(message, end, field.number, depth + 1);
      return message;
    }
    if (wireType !== WireType.bytes) return undefined;
    this.read(message, this.#stop(end), 0, depth + 1);
    return message;
  }

  #listItems(list: ProtoValue[], field: DescField, wireType: number, end: number): boolean {
    const scalar = scalarOf(field);
    if (wireType !== WireType.bytes || scalar === Scalar.string || scalar === Scalar.bytes) {
      const item = this.#scalar(field, scalar, wireType, end);
      if (item === undefined) return false;
      list.push(item);
      return true;
    }
    const stop = this.#stop(end);
    while (this.#wire.pos < stop) {
      list.push(this.#scalar(field, scalar, wireTypeOf(scalar), stop) as ProtoValue);
    }
    return true;
  }

  #entry(map: Map<string, ProtoValue>, field: DescField & { fieldKind: "map" }, end: number, depth: number): void {
    const wire = this.#wire;
    let key: ProtoValue = field.mapKey === Scalar.string ? "" : field.mapKey === Scalar.bool ? false : 0;
    let value: ProtoValue | undefined;
    while (wire.pos < end) {
      const tag = wire.readTag(end);
      if (tag === 0) throw malformed();
      const read =
        tag >>> 3 === 1
          ? this.#scalar(field, field.mapKey, tag & 7, end)
          : tag >>> 3 !== 2
            ? undefined
            : field.mapKind === "message"
              ? this.#entryMessage(field, value as ProtoMessage | undefined, tag & 7, end, depth)
              : this.#scalar(field, scalarOf(field), tag & 7, end);
      if (read === undefined) {
        if (!wire.skip(tag, end)) throw malformed();
      } else if (tag >>> 3 === 1) key = read;
      else value = read;
    }
    map.set(String(key), value ?? zeroOf(field));
  }

  #entryMessage(
    field: DescField,
    before: ProtoMessage | undefined,
    wireType: number,
    end: number,
    depth: number,
  ): ProtoMessage | undefined {
    if (wireType !== WireType.bytes) return undefined;
    const message = before ?? emptyProtoMessage(field.message as DescMessage);
    this.read(message, this.#stop(end), 0, depth + 1);
    return message;
  }

  #stop(end: number): number {
    const length = this.#wire.readLength(end);
    if (length < 0) throw malformed();
    return this.#wire.pos + length;
  }

  #scalar(field: DescField, scalar: number, wireType: number, end: number): ProtoValue | undefined {
    if (wireType !== wireTypeOf(scalar)) return undefined;
    const wire = this.#wire;
    const start = wire.pos;
    if (wireType === WireType.bytes) {
      const stop = this.#stop(end);
      const from = wire.pos;
      wire.pos = stop;
      if (scalar === Scalar.bytes) return this.#bytes.subarray(from, stop);
      if (!isUtf8Range(this.#bytes, from, stop)) {
        if (!field.utf8Validation && field.fieldKind !== "map") return BAD_TEXT;
        throw invalidUtf8(field);
      }
      return this.#bytes.toString("utf8", from, stop);
    }
    if (!wire.skip(wireType, end)) throw malformed();
    if (wireType === WireType.varint) return varintValue(wire, scalar);
    switch (scalar) {
      case Scalar.double:
        return this.#bytes.readDoubleLE(start);
      case Scalar.float:
        return this.#bytes.readFloatLE(start);
      case Scalar.fixed64:
        return this.#bytes.readBigUInt64LE(start);
      case Scalar.sfixed64:
        return this.#bytes.readBigInt64LE(start);
      case Scalar.fixed32:
        return this.#bytes.readUInt32LE(start);
      default:
        return this.#bytes.readInt32LE(start);
    }
  }
}

function varintValue(wire: WireReader, scalar: number): ProtoValue {
  const { low, high } = wire;
  switch (scalar) {
    case Scalar.bool:
      return low !== 0 || high !== 0;
    case Scalar.uint32:
      return low >>> 0;
    case Scalar.sint32:
      return (low >>> 1) ^ -(low & 1);
    case Scalar.int32:
      return low;
  }
  const unsigned = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  if (scalar === Scalar.uint64) return unsigned;
  if (scalar === Scalar.sint64) return BigInt.asIntN(64, (unsigned >> 1n) ^ -(unsigned & 1n));
  return BigInt.asIntN(64, unsigned);
}

function wireTypeOf(scalar: number): number {
  if (scalar === Scalar.string || scalar === Scalar.bytes) return WireType.bytes;
  if (FIXED64_TYPES.has(scalar)) return WireType.fixed64;
  return FIXED32_TYPES.has(scalar) ? WireType.fixed32 : WireType.varint;
}

/** The scalar type of a field's values; an enum's is int32. */
function scalarOf(field: DescField): number {
  return field.scalar ?? ENUM;
}

function zeroOf(field: DescField & { fieldKind: "map" }): ProtoValue {
  if (field.mapKind === "message") return emptyProtoMessage(field.message);
  switch (scalarOf(field)) {
    case Scalar.string:
      return "";
    case Scalar.bytes:
      return Buffer.alloc(0);
    case Scalar.bool:
      return false;
    default:
      return field.mapKind === "enum" ? (field.enum.values[0]?.number ?? 0) : 0;
  }
}

function fieldsOf(type: DescMessage): ReadonlyMap<number, DescField> {
  let fields = fieldsByNumber.get(type);
  if (fields === undefined) {
    fields = new Map(type.fields.map((field) => [field.number, field]));
    fieldsByNumber.set(type, fields);
  }
  return fields;
}

/** The error for a string that is not UTF-8. */
export const invalidUtf8 = (field: DescField): ProtoMessageError =>
  new ProtoMessageError(`proto: field ${field.parent.typeName}.${field.name} contains invalid UTF-8`);

const malformed = (): ProtoMessageError => new ProtoMessageError("proto: cannot parse invalid wire-format data");
