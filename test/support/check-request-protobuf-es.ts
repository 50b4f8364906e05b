// CheckRequests read by @bufbuild/protobuf, which merges, lets the last one win and passes over what it does not know as protobuf
// says: an oracle for what proto-loader's decoder does in its own way. Shares no code with svidgate's reader.

import { join } from "node:path";
import { create, createFileRegistry, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { loadSync } from "@grpc/proto-loader";
import { packageRoot } from "../../src/base/package-root.ts";

const NAME = "envoy.service.auth.v3.CheckRequest";

function loadSchema(): DescMessage {
  const loaded = loadSync("envoy/service/auth/v3/external_auth.proto", { includeDirs: [join(packageRoot(), "proto")] });
  const { fileDescriptorProtos } = loaded[NAME] as unknown as { readonly fileDescriptorProtos: readonly Buffer[] };
  const file = fileDescriptorProtos.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  nameInFull(file);
  const schema = createFileRegistry(create(FileDescriptorSetSchema, { file: inOrder(file) })).getMessage(NAME);
  if (schema === undefined) throw new Error(`no ${NAME} in proto/`);
  return schema;
}

/** protobufjs leaves type names as they stand in the source; SPEC: descriptor.proto `type_name`: the innermost scope that has one. */
function nameInFull(files: readonly FileDescriptorProto[]): void {
  const known = new Set<string>();
  const each = (
    scope: string,
    messages: readonly DescriptorProto[],
    visit: (scope: string, message: DescriptorProto) => void,
  ): void => {
    for (const message of messages) {
      const name = scope === "" ? message.name : `${scope}.${message.name}`;
      visit(name, message);
      each(name, message.nestedType, visit);
    }
  };
  for (const file of files) {
    for (const { name } of file.enumType) known.add(`${file.package}.${name}`);
    each(file.package, file.messageType, (name, message) => {
      known.add(name);
      for (const inner of message.enumType) known.add(`${name}.${inner.name}`);
    });
  }
  for (const file of files) {
    each(file.package, file.messageType, (name, message) => {
      for (const field of message.field) {
        if (field.typeName === "" || field.typeName.startsWith(".")) continue;
        const scopes = name.split(".");
        while (scopes.length > 0 && !known.has([...scopes, field.typeName].join("."))) scopes.pop();
        field.typeName = `.${[...scopes, field.typeName].join(".")}`;
      }
    });
  }
}

/** The files so that each one stands behind those whose types it names. */
function inOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered: FileDescriptorProto[] = [];
  const isKnown = (file: FileDescriptorProto, type: string): boolean =>
    [...ordered, file].some((other) => type.startsWith(`.${other.package}.`));
  const typesOf = (messages: readonly DescriptorProto[]): string[] =>
    messages.flatMap((message) => [
      ...message.field.map(({ typeName }) => typeName).filter((name) => name !== ""),
      ...typesOf(message.nestedType),
    ]);
  while (ordered.length < files.length) {
    const next = files.find(
      (file) => !ordered.includes(file) && typesOf(file.messageType).every((type) => isKnown(file, type)),
    );
    if (next === undefined) throw new Error("the files name each other's types");
    ordered.push(next);
  }
  return ordered;
}

const schema = loadSchema();

/** The same message in its plainest form: every field once, merged, in order, nothing unknown. Throws for what is no message. */
export const toPlainForm = (bytes: Uint8Array): Uint8Array =>
  toBinary(schema, fromBinary(schema, bytes, { readUnknownFields: false }), { writeUnknownFields: false });
