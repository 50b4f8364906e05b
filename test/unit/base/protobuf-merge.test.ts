import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeRepeated } from "../../../src/base/protobuf-merge.ts";
import { Kind, MessageTable, mapEntry } from "../../../src/base/protobuf-table.ts";
import { WireWriter } from "../../../src/base/protobuf-write.ts";

const node = new MessageTable("test.Node");
node.define({
  text: { number: 1, kind: Kind.string },
  child: { number: 2, kind: Kind.message, message: node },
  a: { number: 3, kind: Kind.message, message: node, oneof: "side" },
  b: { number: 4, kind: Kind.message, message: node, oneof: "side" },
  many: { number: 5, kind: Kind.string, cardinality: "list" },
  map: { number: 6, kind: Kind.message, message: mapEntry("test.Entry", { kind: Kind.string }), cardinality: "map" },
});

const text = (value: string) => Buffer.from(value);
function message(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  write(writer);
  return writer.finish();
}
const leaf = (value: string): Uint8Array => message((writer) => writer.bytes(1, text(value)));
const merged = (write: (writer: WireWriter) => void): string =>
  Buffer.from(mergeRepeated(message(write), node)).toString("hex");
const hex = (write: (writer: WireWriter) => void): string => Buffer.from(message(write)).toString("hex");

test("keeps the last of repeated scalars", () => {
  assert.equal(
    merged((writer) => {
      for (const value of ["x", "y"]) writer.bytes(1, text(value));
    }),
    hex((writer) => writer.bytes(1, text("y"))),
  );
});

test("merges repeated messages field by field", () => {
  const want = message((writer) => {
    writer.bytes(1, text("x"));
    writer.bytes(5, text("m"));
  });
  const got = merged((writer) => {
    writer.bytes(2, leaf("x"));
    writer.bytes(
      2,
      message((inner) => inner.bytes(5, text("m"))),
    );
  });
  assert.equal(
    [...Buffer.from(got, "hex")].sort().join(),
    [...message((writer) => writer.bytes(2, want))].sort().join(),
  );
});

test("keeps the last member of a oneof and forgets the others", () => {
  const got = merged((writer) => {
    writer.bytes(3, leaf("a1"));
    writer.bytes(4, leaf("b"));
    writer.bytes(3, leaf("a2"));
  });
  assert.equal(
    got,
    hex((writer) => writer.bytes(3, leaf("a2"))),
  );
});

test("keeps lists and map entries, drops unknown fields and fields of another wire type", () => {
  const entry = message((writer) => {
    writer.bytes(1, text("k"));
    writer.bytes(2, text("v"));
  });
  const got = merged((writer) => {
    writer.bytes(5, text("1"));
    writer.bytes(6, entry);
    writer.varint(1, 7n);
    writer.bytes(30, text("?"));
    writer.bytes(5, text("2"));
  });
  assert.equal(
    got,
    hex((writer) => {
      writer.bytes(5, text("1"));
      writer.bytes(6, entry);
      writer.bytes(5, text("2"));
    }),
  );
});

test("joins the parts of a message however many there are, and at every depth", () => {
  const deep = (value: string): Uint8Array =>
    Array.from({ length: 300 }).reduce<Uint8Array>((inner) => message((writer) => writer.bytes(2, inner)), leaf(value));
  const got = mergeRepeated(Buffer.concat([deep("a"), deep("b"), deep("x".repeat(200))]), node);
  assert.equal(Buffer.from(got).toString("hex"), Buffer.from(deep("x".repeat(200))).toString("hex"));
  const parts = mergeRepeated(Buffer.alloc(200_000, Buffer.from("1200", "hex")), node);
  assert.equal(Buffer.from(parts).toString("hex"), "1200");
});

test("an empty message stays empty, and one of unknown fields becomes it", () => {
  assert.equal(
    merged(() => undefined),
    "",
  );
  assert.equal(
    merged((writer) => writer.bytes(30, text("?"))),
    "",
  );
});
