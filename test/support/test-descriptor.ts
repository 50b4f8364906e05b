// A FileDescriptorSet for tests of gRPC bodies: one proto3 message with every kind of field, one proto2 message with
// required fields and groups, and a service with the four kinds of method. Also random messages of these types.

import { create, type DescFile, type DescMessage, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { WireWriter } from "../../src/base/protobuf-write.ts";
import type { Random } from "./random.ts";

const WKT: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

const SCALARS = Object.entries({
  double: Type.DOUBLE,
  float: Type.FLOAT,
  int64: Type.INT64,
  uint64: Type.UINT64,
  int32: Type.INT32,
  fixed64: Type.FIXED64,
  fixed32: Type.FIXED32,
  bool: Type.BOOL,
  string: Type.STRING,
  bytes: Type.BYTES,
  uint32: Type.UINT32,
  sfixed32: Type.SFIXED32,
  sfixed64: Type.SFIXED64,
  sint32: Type.SINT32,
  sint64: Type.SINT64,
});
const SPECIAL = [
  ...["Any", "Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue", "Empty"],
  ...[
    "DoubleValue",
    "FloatValue",
    "Int64Value",
    "UInt64Value",
    "Int32Value",
    "UInt32Value",
    "BoolValue",
    "StringValue",
    "BytesValue",
  ],
];

const optional = Label.OPTIONAL;
const repeated = Label.REPEATED;
const inner = { label: optional, type: Type.MESSAGE, typeName: ".svidgate.test.Everything" };

/** Map entries `key` → Everything or string, by key type. */
const MAPS = [
  { name: "by_string", key: Type.STRING, value: { type: Type.MESSAGE, typeName: inner.typeName } },
  { name: "by_int64", key: Type.INT64, value: { type: Type.STRING } },
  { name: "by_bool", key: Type.BOOL, value: { type: Type.ENUM, typeName: ".svidgate.test.Color" } },
] as const;

const everything = {
  name: "Everything",
  field: [
    ...SCALARS.map(([name, type], index) => ({ name: `one_${name}`, number: 1 + index, label: optional, type })),
    ...SCALARS.map(([name, type], index) => ({ name: `many_${name}`, number: 21 + index, label: repeated, type })),
    ...SCALARS.map(([name, type], index) => ({
      name: `pick_${name}`,
      number: 41 + index,
      label: optional,
      type,
      oneofIndex: 0,
    })),
    { name: "pick_message", number: 60, ...inner, oneofIndex: 0 },
    ...SPECIAL.map((name, index) => ({
      ...{ name: `wkt_${name.toLowerCase()}`, number: 61 + index, label: optional, type: Type.MESSAGE },
      typeName: `.google.protobuf.${name}`,
    })),
    {
      name: "color",
      number: 80,
      label: optional,
      type: Type.ENUM,
      typeName: ".svidgate.test.Color",
      jsonName: "theColor",
    },
    { name: "colors", number: 81, label: repeated, type: Type.ENUM, typeName: ".svidgate.test.Color" },
    { name: "child", number: 82, ...inner },
    { name: "children", number: 83, ...inner, label: repeated },
    { name: "maybe", number: 84, label: optional, type: Type.INT32, oneofIndex: 1, proto3Optional: true },
    { name: "null_value", number: 85, label: optional, type: Type.ENUM, typeName: ".google.protobuf.NullValue" },
    { name: "legacy", number: 86, label: optional, type: Type.MESSAGE, typeName: ".svidgate.test.Legacy" },
    { name: "values", number: 87, label: repeated, type: Type.MESSAGE, typeName: ".google.protobuf.Value" },
    ...MAPS.map(({ name }, index) => ({
      ...{ name, number: 90 + index, label: repeated, type: Type.MESSAGE },
      typeName: `.svidgate.test.Everything.${entryName(name)}`,
    })),
  ],
  oneofDecl: [{ name: "pick" }, { name: "_maybe" }],
  nestedType: MAPS.map(({ name, key, value }) => ({
    name: entryName(name),
    field: [
      { name: "key", number: 1, label: optional, type: key },
      { name: "value", number: 2, label: optional, ...value },
    ],
    options: { mapEntry: true },
  })),
};

const legacy = {
  name: "Legacy",
  field: [
    { name: "id", number: 1, label: Label.REQUIRED, type: Type.STRING },
    { name: "count", number: 2, label: optional, type: Type.INT32, defaultValue: "7" },
    { name: "part", number: 3, label: optional, type: Type.GROUP, typeName: ".svidgate.test.Legacy.Part" },
    { name: "shade", number: 4, label: optional, type: Type.ENUM, typeName: ".svidgate.test.Shade" },
    { name: "numbers", number: 5, label: repeated, type: Type.INT32 },
  ],
  nestedType: [{ name: "Part", field: [{ name: "text", number: 1, label: optional, type: Type.STRING }] }],
};

const methods = [
  { name: "Ask", inputType: ".svidgate.test.Everything" },
  { name: "AskLegacy", inputType: ".svidgate.test.Legacy" },
  { name: "Watch", inputType: ".svidgate.test.Everything", serverStreaming: true },
  { name: "Send", inputType: ".svidgate.test.Everything", clientStreaming: true },
  { name: "Talk", inputType: ".svidgate.test.Everything", clientStreaming: true, serverStreaming: true },
].map((method) => ({ outputType: ".svidgate.test.Everything", ...method }));

/** The serialized set. */
export const descriptorSet: Uint8Array = toBinary(
  FileDescriptorSetSchema,
  create(FileDescriptorSetSchema, {
    file: [
      ...WKT.map((file) => file.proto),
      {
        ...{ name: "legacy.proto", package: "svidgate.test", syntax: "proto2", messageType: [legacy] },
        enumType: [
          {
            name: "Shade",
            value: [
              { name: "DARK", number: 1 },
              { name: "LIGHT", number: 2 },
            ],
          },
        ],
      },
      {
        ...{ name: "everything.proto", package: "svidgate.test", syntax: "proto3", messageType: [everything] },
        dependency: [...WKT.map((file) => file.proto.name), "legacy.proto"],
        enumType: [
          {
            name: "Color",
            value: [
              { name: "COLOR_NONE", number: 0 },
              { name: "RED", number: 1 },
              { name: "ROUGE", number: 1 },
              { name: "BLUE", number: -1 },
            ],
            options: { allowAlias: true },
          },
        ],
        service: [{ name: "Oracle", method: methods }],
      },
    ],
  }),
);

function entryName(field: string): string {
  return `${field.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Entry`;
}

const TEXTS = [
  "",
  "a",
  "é",
  "a_b",
  "a.b_c",
  "aB",
  "spiffe://x",
  "type.googleapis.com/google.protobuf.StringValue",
  "type.googleapis.com/google.protobuf.Duration",
];
const VARINTS = [
  0n,
  1n,
  2n,
  5n,
  127n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n + 1n,
  2n ** 63n,
  -1n,
  -2n,
  253402300799n,
  253402300800n,
  999999999n,
  1000n,
  500000000n,
];
const DOUBLES = [
  0,
  -0,
  1,
  1.5,
  0.1,
  -2.25,
  1e21,
  1e-7,
  123456789.125,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  3.4e38,
  1e-45,
];

/** A random message of a type, by its descriptor: fields valid but for a few of another wire type or bad UTF-8. */
export function randomTypedMessage(random: Random, type: DescMessage, depth: number): Uint8Array {
  const writer = new WireWriter();
  const fields = type.fields.filter((field) => depth > 0 || field.message === undefined);
  for (let count = fields.length === 0 ? 0 : random.below(Math.min(fields.length, 5) + 1); count > 0; count--) {
    const field = random.pick(fields);
    if (random.chance(3)) writer.varint(field.number, 1n);
    else if (field.fieldKind === "map") {
      const entry = new WireWriter();
      if (random.chance(90)) writeScalar(random, entry, 1, field.mapKey);
      if (field.message !== undefined) entry.bytes(2, randomTypedMessage(random, field.message, depth - 1));
      else if (random.chance(90)) writeScalar(random, entry, 2, field.scalar ?? 5);
      writer.bytes(field.number, entry.finish());
    } else if (field.message !== undefined) {
      const content = randomTypedMessage(random, field.message, depth - 1);
      if ("delimitedEncoding" in field && field.delimitedEncoding) {
        writer.raw(Buffer.concat([Buffer.from([field.number * 8 + 3]), content, Buffer.from([field.number * 8 + 4])]));
      } else writer.bytes(field.number, content);
    } else if (field.fieldKind === "list" && random.chance(50) && field.scalar !== 9 && field.scalar !== 12) {
      const packed = new WireWriter();
      for (let items = random.below(4); items > 0; items--) writeScalar(random, packed, 0, field.scalar ?? 5);
      writer.bytes(field.number, stripTags(packed.finish(), field.scalar ?? 5));
    } else writeScalar(random, writer, field.number, field.scalar ?? 5);
  }
  return writer.finish();
}

/** Removes the one-byte tags of fields with number 0, which leaves a packed list. */
function stripTags(bytes: Uint8Array, scalar: number): Uint8Array {
  const packed: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = ++at;
    if ([1, 6, 16].includes(scalar)) end += 8;
    else if ([2, 7, 15].includes(scalar)) end += 4;
    else {
      while ((bytes[end] ?? 0) >= 0x80) end++;
      end++;
    }
    packed.push(...bytes.subarray(at, end));
    at = end;
  }
  return Uint8Array.from(packed);
}

function writeScalar(random: Random, writer: WireWriter, number: number, scalar: number): void {
  if (scalar === Type.STRING)
    writer.bytes(number, random.chance(2) ? Buffer.from([0xff]) : Buffer.from(random.pick(TEXTS)));
  else if (scalar === Type.BYTES)
    writer.bytes(number, Buffer.from(Array.from({ length: random.below(4) }, () => random.below(256))));
  else if (scalar === Type.DOUBLE) writer.double(number, random.pick(DOUBLES));
  else if (scalar === Type.FIXED64 || scalar === Type.SFIXED64) {
    const bytes = Buffer.alloc(9, number === 0 ? 1 : 0);
    writeFixed(writer, number, 1, bytes.subarray(0, 8), random);
  } else if (scalar === Type.FLOAT || scalar === Type.FIXED32 || scalar === Type.SFIXED32) {
    const bytes = Buffer.alloc(4);
    if (scalar === Type.FLOAT) bytes.writeFloatLE(Math.fround(random.pick(DOUBLES)));
    else bytes.writeUInt32LE(random.next());
    writer.raw(Buffer.concat([tag(number, 5), bytes]));
  } else writer.varint(number, random.pick(VARINTS));
}

function writeFixed(writer: WireWriter, number: number, type: number, bytes: Buffer, random: Random): void {
  bytes.writeUInt32LE(random.chance(30) ? 0 : random.next(), 0);
  bytes.writeUInt32LE(random.chance(50) ? 0 : random.next(), 4);
  writer.raw(Buffer.concat([tag(number, type), bytes]));
}

function tag(number: number, type: number): Buffer {
  const value = number * 8 + type;
  return value < 0x80 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >>> 7]);
}
