// Protobuf messages written as expressions: a message is the concatenation of its fields, so each function gives the
// bytes of one field and the caller puts them together. The wire format itself is in `protobuf-write.ts`.

import { WireWriter } from "./protobuf-write.ts";

/** The bytes of a field; empty for a field that is not there. */
export type FieldBytes = Uint8Array;

const NOTHING: FieldBytes = new Uint8Array(0);

function field(write: (writer: WireWriter) => void): FieldBytes {
  const writer = new WireWriter();
  write(writer);
  return writer.finish();
}

/** A number or enum field; left out when 0, as proto3 does. */
export const uint32Field = (number: number, value: number): FieldBytes =>
  value === 0 ? NOTHING : oneofVarintField(number, value);

/** A bool, number or enum within a oneof: written even when it is false or 0. */
export const oneofVarintField = (number: number, value: number): FieldBytes =>
  field((writer) => writer.varint(number, BigInt(value)));

/** A double within a oneof. */
export const oneofDoubleField = (number: number, value: number): FieldBytes =>
  field((writer) => writer.double(number, value));

/** A string field; left out when empty, as proto3 does. Lone surrogates become U+FFFD. */
export const stringField = (number: number, value: string): FieldBytes =>
  value === "" ? NOTHING : presentStringField(number, value);

/** A string within a oneof or a repeated field: written even when empty. */
export const presentStringField = (number: number, value: string): FieldBytes =>
  field((writer) => writer.bytes(number, Buffer.from(value, "utf8")));

/** Fields one after the other, however many: a list of 100,000 members does not fit the arguments of a call. */
export const fieldList = (fields: readonly FieldBytes[]): FieldBytes => Buffer.concat(fields);

/** A message field: present even when the message is empty. */
export const messageField = (number: number, ...content: readonly FieldBytes[]): FieldBytes =>
  field((writer) => writer.bytes(number, Buffer.concat(content)));

/** A whole message from the bytes of its fields. */
export const message = (...fields: readonly FieldBytes[]): Uint8Array => Buffer.concat(fields);
