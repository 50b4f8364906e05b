// The shipped protos are checked against a real Envoy's bytes, and our tables against the protos, through proto-loader.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkRequest } from "../../../src/authz/check-request-fields.ts";
import { packageRoot } from "../../../src/base/package-root.ts";
import { type Field, Kind, type MessageTable } from "../../../src/base/protobuf-table.ts";
import { decodeByProtos, encodeByProtos } from "../../support/check-request-oracle.ts";
import { type ProtoField, readProtoFiles } from "../../support/proto-files.ts";

const SCALARS: Readonly<Partial<Record<Kind, string>>> = {
  [Kind.string]: "string",
  [Kind.bytes]: "bytes",
  [Kind.bool]: "bool",
  [Kind.uint32]: "uint32",
  [Kind.int32]: "int32",
  [Kind.int64]: "int64",
  [Kind.double]: "double",
};

const { messages, enums } = readProtoFiles();

/** A table's field in the words of the file; the type of a message is its last name, which is unique here. */
function toProtoField(field: Field): ProtoField {
  const { number, name, cardinality, oneof } = field;
  const value = cardinality === "map" ? (field.message?.byNumber[2] as Field) : field;
  const type = value.kind === Kind.enum ? "Protocol" : (SCALARS[value.kind] ?? value.message?.name ?? "");
  return { number, name, type: type.slice(type.lastIndexOf(".") + 1), cardinality, oneof };
}

const byNumber = (a: ProtoField, b: ProtoField): number => a.number - b.number;

const tables = new Map<string, MessageTable>();
(function collect(table: MessageTable): void {
  if (tables.has(table.name)) return;
  tables.set(table.name, table);
  for (const field of table.fields) if (field.message !== undefined) collect(field.message);
})(checkRequest);

for (const [name, table] of tables) {
  // Well-known types come with proto-loader; test/property/check-request.test.ts compares what is read of them.
  if (name.endsWith("Entry") || name.startsWith("google.protobuf.")) continue;
  test(`the table of ${name} is the proto's`, () => {
    const declared = messages
      .get(name)
      ?.map((field) => ({ ...field, type: field.type.slice(field.type.lastIndexOf(".") + 1) }));
    assert.ok(declared !== undefined, "the message is in proto/");
    assert.deepEqual(table.fields.map(toProtoField).sort(byNumber), declared.sort(byNumber));
  });
}

test("enum values are the proto's", () => {
  assert.deepEqual(
    tables.get("envoy.config.core.v3.SocketAddress")?.fields.find(({ name }) => name === "protocol")?.values,
    enums.get("envoy.config.core.v3.SocketAddress.Protocol"),
  );
});

test("the answer's messages have the published numbers", () => {
  const numbers = (name: string) =>
    Object.fromEntries((messages.get(name) ?? []).map((field) => [field.name, field.number]));
  assert.deepEqual(numbers("envoy.service.auth.v3.CheckResponse"), {
    ...{ status: 1, denied_response: 2, ok_response: 3, error_response: 5, dynamic_metadata: 4 },
  });
  assert.deepEqual(numbers("envoy.service.auth.v3.OkHttpResponse"), {
    ...{ headers: 2, dynamic_metadata: 3, headers_to_remove: 5, response_headers_to_add: 6 },
    ...{ query_parameters_to_set: 7, query_parameters_to_remove: 8 },
  });
  assert.deepEqual(numbers("envoy.config.core.v3.HeaderValueOption"), {
    header: 1,
    append: 2,
    append_action: 3,
    keep_empty_value: 4,
  });
  assert.equal(Object.keys(enums.get("envoy.type.v3.StatusCode") ?? {}).length, 57);
});

test("a real Envoy's requests hold nothing that the protos don't know", () => {
  const rows = readFileSync(join(packageRoot(), "test/vectors/input.jsonl"), "utf8").trim().split("\n");
  const requests = rows.map((row) => JSON.parse(row) as { name: string; request: string });
  const fromEnvoy = requests.filter(({ name }) => name.startsWith("envoy:"));
  assert.ok(fromEnvoy.length > 30);
  for (const { name, request } of fromEnvoy) {
    const bytes = Buffer.from(request, "base64");
    // Encoding drops unknown fields and orders the known ones, so equal bytes, sorted, mean that nothing was dropped.
    const again = Buffer.from(encodeByProtos(decodeByProtos(bytes)));
    assert.deepEqual([...again].sort(), [...bytes].sort(), name);
  }
});
