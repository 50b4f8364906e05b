// Prints a decoded message as canonical protojson (proto3 JSON mapping, as protobuf-go's `protojson.Marshal`):
// lowerCamelCase or `json_name`, populated fields only, enums as names, 64-bit integers as strings, bytes in base64,
// well-known types in their own forms. A message that lacks a required field (proto2) is refused.

import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import { quoteJson } from "../byte-text.ts";
import {
  BAD_TEXT,
  decodeProtoMessage,
  invalidUtf8,
  type ProtoMessage,
  ProtoMessageError,
  type ProtoValue,
  Scalar,
} from "./grpc-message.ts";
import { durationJson, fieldMaskJson, timestampJson } from "./protojson-time.ts";

/** Finds the type of an `Any`, by its full name. */
export type TypeFinder = (typeName: string) => DescMessage | undefined;

/** `FeatureSet.FieldPresence` in descriptor.proto. */
const IMPLICIT_PRESENCE = 2;
const LEGACY_REQUIRED = 3;

/** The JSON text of a message. Throws `ProtoMessageError`. */
export function toProtoJson(message: ProtoMessage, findType: TypeFinder): string {
  const special = wellKnownJson(message, findType);
  return special ?? `{${membersJson(message, findType).join(",")}}`;
}

function membersJson(message: ProtoMessage, findType: TypeFinder): string[] {
  const members: string[] = [];
  for (const field of message.type.fields) {
    const value = message.fields.get(field.number);
    if (value === undefined) {
      if (field.presence === LEGACY_REQUIRED) {
        throw new ProtoMessageError(`proto: required field ${field.parent.typeName}.${field.name} not set`);
      }
    } else if (isPopulated(field, value)) {
      members.push(`${quoteJson(jsonNameOf(field))}:${fieldJson(field, value, findType)}`);
    }
  }
  return members;
}

/** SPEC: a descriptor may lack `json_name`; then it is the field's name in lowerCamelCase (protoc always sets it). */
function jsonNameOf(field: DescField): string {
  if (field.jsonName !== "") return field.jsonName;
  return field.name.replace(/_+([^_]?)/g, (_, next: string) => next.toUpperCase());
}

/** SPEC: without presence, a zero value is no value; -0 is not zero. */
function isPopulated(field: DescField, value: unknown): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.fieldKind === "message") return true;
  if (field.presence !== IMPLICIT_PRESENCE) return true;
  if (Buffer.isBuffer(value)) return value.length > 0;
  return value !== "" && value !== false && value !== 0n && !Object.is(value, 0);
}

function fieldJson(field: DescField, value: unknown, findType: TypeFinder): string {
  if (field.fieldKind === "list") {
    return `[${(value as ProtoValue[]).map((item) => valueJson(field, item, findType)).join(",")}]`;
  }
  if (field.fieldKind === "map") {
    const entries = [...(value as Map<string, ProtoValue>)];
    return `{${entries.map(([key, item]) => `${quoteJson(key)}:${valueJson(field, item, findType)}`).join(",")}}`;
  }
  return valueJson(field, value as ProtoValue, findType);
}

function valueJson(field: DescField, value: ProtoValue, findType: TypeFinder): string {
  if (typeof value === "string") return quoteJson(value);
  if (value === BAD_TEXT) throw invalidUtf8(field);
  if (typeof value === "bigint") return `"${value}"`;
  if (typeof value === "boolean") return String(value);
  if (Buffer.isBuffer(value)) return `"${value.toString("base64")}"`;
  if (typeof value === "object") return toProtoJson(value, findType);
  if (field.enum !== undefined) return enumJson(field.enum, value);
  return numberJson(value, field.scalar === Scalar.float);
}

function enumJson(type: DescEnum, value: number): string {
  if (type.typeName === "google.protobuf.NullValue") return "null";
  const name = type.values.find((candidate) => candidate.number === value)?.name;
  return name === undefined ? String(value) : quoteJson(name);
}

function numberJson(value: number, isFloat: boolean): string {
  if (Number.isNaN(value)) return '"NaN"';
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"';
  if (Object.is(value, -0)) return "-0";
  return String(isFloat ? shortestFloat(value) : value);
}

/** The double with the fewest digits that rounds to the same 32-bit float: 0.1 for 0.10000000149011612. */
function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}

const WRAPPERS: ReadonlySet<string> = new Set(
  ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"].map(
    (name) => `google.protobuf.${name}Value`,
  ),
);

/** The own form of a well-known type; undefined for every other type. */
function wellKnownJson(message: ProtoMessage, findType: TypeFinder): string | undefined {
  const { typeName } = message.type;
  if (!typeName.startsWith("google.protobuf.")) return undefined;
  if (WRAPPERS.has(typeName)) {
    const field = message.type.fields[0] as DescField;
    return valueJson(field, (message.fields.get(1) as ProtoValue | undefined) ?? wrapperZero(field), findType);
  }
  switch (typeName) {
    case "google.protobuf.Any":
      return anyJson(message, findType);
    case "google.protobuf.Timestamp":
      return timestampJson(message);
    case "google.protobuf.Duration":
      return durationJson(message);
    case "google.protobuf.FieldMask":
      return fieldMaskJson(message);
    case "google.protobuf.Struct":
    case "google.protobuf.ListValue": {
      const field = message.type.fields[0] as DescField;
      const value = message.fields.get(1) ?? (field.fieldKind === "map" ? new Map() : []);
      return fieldJson(field, value, findType);
    }
    case "google.protobuf.Value":
      return structValueJson(message, findType);
    default:
      return undefined;
  }
}

function wrapperZero(field: DescField): ProtoValue {
  if (field.scalar === Scalar.string) return "";
  if (field.scalar === Scalar.bytes) return Buffer.alloc(0);
  if (field.scalar === Scalar.bool) return false;
  return field.scalar === Scalar.int64 || field.scalar === Scalar.uint64 ? 0n : 0;
}

function structValueJson(message: ProtoMessage, findType: TypeFinder): string {
  const field = message.type.fields.find((candidate) => message.fields.has(candidate.number));
  if (field === undefined) throw new ProtoMessageError("proto: google.protobuf.Value: none of the oneof fields is set");
  const value = message.fields.get(field.number) as ProtoValue;
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new ProtoMessageError(`proto: google.protobuf.Value.number_value: invalid ${value} value`);
  }
  return valueJson(field, value, findType);
}

/** SPEC: the plugin knows only types that were compiled into it; here the descriptor set's own types count too. */
function anyJson(message: ProtoMessage, findType: TypeFinder): string {
  const url = (message.fields.get(1) as string | undefined) ?? "";
  const content = message.fields.get(2) as Buffer | undefined;
  if (url === "") {
    if (content === undefined || content.length === 0) return "{}";
    throw new ProtoMessageError("proto: google.protobuf.Any: empty type_url");
  }
  const type = findType(url.slice(url.lastIndexOf("/") + 1));
  if (type === undefined) throw new ProtoMessageError(`proto: google.protobuf.Any: unable to resolve \`${url}\``);
  const inner = decodeProtoMessage(type, content ?? Buffer.alloc(0));
  const special = wellKnownJson(inner, findType);
  const members = special === undefined ? membersJson(inner, findType) : [`"value":${special}`];
  return `{${[`"@type":${quoteJson(url)}`, ...members].join(",")}}`;
}
