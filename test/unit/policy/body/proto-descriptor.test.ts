import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { WireWriter } from "../../../../src/base/protobuf-write.ts";
import {
  loadProtoDescriptor,
  type ProtoDescriptor,
  parseProtoDescriptor,
} from "../../../../src/policy/body/proto-descriptor.ts";
import { descriptorSet } from "../../../support/test-descriptor.ts";

let descriptor: ProtoDescriptor;
before(async () => {
  const parsed = await parseProtoDescriptor(descriptorSet);
  assert.ok(parsed.ok);
  descriptor = parsed.value;
});

function message(...fields: readonly (readonly [number, bigint | number | string | Uint8Array])[]): Uint8Array {
  const writer = new WireWriter();
  for (const [number, value] of fields) {
    if (typeof value === "bigint") writer.varint(number, value);
    else if (typeof value === "number") writer.double(number, value);
    else writer.bytes(number, typeof value === "string" ? Buffer.from(value) : value);
  }
  return writer.finish();
}

function frame(content: Uint8Array, size = content.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(size, 1);
  return Buffer.concat([prefix, content]);
}

const ORACLE = "svidgate.test.Oracle";
const json = (content: Uint8Array, method = "Ask"): unknown => {
  const parsed = descriptor.parse(frame(content), [ORACLE, method]);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
  return JSON.parse(parsed.value.json);
};
const problem = (content: Uint8Array, method = "Ask"): string => {
  const parsed = descriptor.parse(frame(content), [ORACLE, method]);
  assert.ok(!parsed.ok);
  return parsed.detail ?? "";
};
const nothing = { ok: true, value: { json: "null", truncated: false } };

test("checks the frame in the plugin's order", () => {
  const malformed = (detail: string) => ({ ok: false, code: "request_malformed", detail });
  assert.deepEqual(descriptor.parse(Buffer.alloc(1), ["x"]), malformed("invalid parsed path"));
  assert.deepEqual(descriptor.parse(Buffer.alloc(4), ["x", "y"]), malformed("less than 5 bytes"));
  assert.deepEqual(descriptor.parse(Buffer.from([1, 0, 0, 0, 9]), ["x", "y"]), nothing);
  assert.deepEqual(descriptor.parse(Buffer.from([0, 0, 0, 0, 9]), ["x", "y"]), {
    ok: true,
    value: { json: "null", truncated: true },
  });
  assert.deepEqual(descriptor.parse(frame(new Uint8Array()), ["x", "y"]), nothing);
});

test("parses unary and server-streaming methods, and only their first message", () => {
  const empty = frame(new Uint8Array());
  for (const method of ["Ask", "Watch"]) {
    assert.deepEqual(descriptor.parse(empty, [ORACLE, method]), { ok: true, value: { json: "{}", truncated: false } });
  }
  for (const method of ["Send", "Talk", "None"]) assert.deepEqual(descriptor.parse(empty, [ORACLE, method]), nothing);
  assert.deepEqual(descriptor.parse(empty, ["svidgate.test.Everything", "Ask"]), nothing);
  const two = Buffer.concat([frame(message([9, "first"])), frame(message([9, "second"]))]);
  assert.deepEqual(descriptor.parse(two, [ORACLE, "Ask"]), {
    ok: true,
    value: { json: '{"oneString":"first"}', truncated: false },
  });
});

test("prints values in their protojson forms", () => {
  const float = Buffer.alloc(5);
  float[0] = (2 << 3) | 5;
  float.writeFloatLE(0.1, 1);
  const rows: readonly [Uint8Array, unknown][] = [
    [message([3, 42n]), { oneInt64: "42" }],
    [message([4, -1n]), { oneUint64: "18446744073709551615" }],
    [message([5, -1n]), { oneInt32: -1 }],
    [message([5, 0n], [9, ""]), {}],
    [message([84, 0n]), { maybe: 0 }],
    [message([1, 1e21]), { oneDouble: 1e21 }],
    [message([1, Number.NaN]), { oneDouble: "NaN" }],
    [message([1, Number.NEGATIVE_INFINITY]), { oneDouble: "-Infinity" }],
    [float, { oneFloat: 0.1 }],
    [message([10, Buffer.from([1, 2])]), { oneBytes: "AQI=" }],
    [message([80, 1n]), { theColor: "RED" }],
    [message([80, 7n]), { theColor: 7 }],
    [message([81, 1n], [81, Buffer.from([0])]), { colors: ["RED", "COLOR_NONE"] }],
    [message([45, 3n], [49, "last"]), { pickString: "last" }],
    [message([82, message([9, "a"])], [82, message([5, 1n])]), { child: { oneString: "a", oneInt32: 1 } }],
    [message([91, message([1, 5n], [2, "v"])], [91, new Uint8Array()]), { byInt64: { 5: "v", 0: "" } }],
    [message([92, message([1, 1n], [2, 1n])]), { byBool: { true: "RED" } }],
    [message([9, "kept"], [200, "unknown"], [5, "not a varint"]), { oneString: "kept" }],
  ];
  for (const [content, want] of rows) assert.deepEqual(json(content), want);
  assert.equal(descriptor.parse(frame(message([1, -0])), [ORACLE, "Ask"]).ok, true);
});

test("prints well-known types in their own forms", () => {
  const value = (...fields: [number, bigint | number | string | Uint8Array][]) => message(...fields);
  const rows: readonly [number, Uint8Array, unknown][] = [
    [62, message([1, 1700000000n], [2, 500000000n]), { wktTimestamp: "2023-11-14T22:13:20.500Z" }],
    [62, message([1, -1n]), { wktTimestamp: "1969-12-31T23:59:59Z" }],
    [62, message([2, 1n]), { wktTimestamp: "1970-01-01T00:00:00.000000001Z" }],
    [63, message([1, -1n], [2, -500000n]), { wktDuration: "-1.000500s" }],
    [63, message([2, -5n]), { wktDuration: "-0.000000005s" }],
    [64, message([1, "a_b"], [1, "c.d_e"]), { wktFieldmask: "aB,c.dE" }],
    [65, message([1, message([1, "k"], [2, value([2, 1.5])])]), { wktStruct: { k: 1.5 } }],
    [66, value([1, 0n]), { wktValue: null }],
    [67, message([1, value([4, 1n])], [1, value([3, "s"])]), { wktListvalue: [true, "s"] }],
    [68, new Uint8Array(), { wktEmpty: {} }],
    [71, new Uint8Array(), { wktInt64value: "0" }],
    [75, message([1, 1n]), { wktBoolvalue: true }],
    [76, message([1, "x"]), { wktStringvalue: "x" }],
    [61, new Uint8Array(), { wktAny: {} }],
    [
      61,
      message([1, "type.googleapis.com/google.protobuf.Duration"], [2, message([1, 3n])]),
      { wktAny: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "3s" } },
    ],
    [
      61,
      message([1, "x/svidgate.test.Everything"], [2, message([9, "in"])]),
      { wktAny: { "@type": "x/svidgate.test.Everything", oneString: "in" } },
    ],
  ];
  for (const [number, content, want] of rows) assert.deepEqual(json(message([number, content])), want);
});

test("refuses what does not decode or cannot be printed", () => {
  const malformed = "proto: cannot parse invalid wire-format data";
  assert.equal(problem(Buffer.from([0x0a])), malformed);
  assert.equal(problem(Buffer.from([0x0c])), malformed);
  assert.equal(problem(message([82, Buffer.from([0xff])])), malformed);
  assert.match(problem(message([9, Buffer.from([0xff])])), /invalid UTF-8/);
  const rows: readonly [Uint8Array, RegExp][] = [
    [message([62, message([1, 253402300800n])]), /Timestamp: out of range/],
    [message([63, message([1, 1n], [2, -1n])]), /signs/],
    [message([63, message([1, 315576000001n])]), /Duration: out of range/],
    [message([64, message([1, "aB"])]), /irreversible/],
    [message([64, message([1, "a b"])]), /invalid path/],
    [message([66, new Uint8Array()]), /none of the oneof/],
    [message([66, message([2, Number.NaN])]), /number_value/],
    [message([61, message([2, "x"])]), /empty type_url/],
    [message([61, message([1, "x/no.such.Type"])]), /unable to resolve/],
  ];
  for (const [content, want] of rows) assert.match(problem(content), want);
});

test("proto2: required fields, groups, and text that is only checked when printed", () => {
  assert.match(problem(message([2, 1n]), "AskLegacy"), /required field svidgate\.test\.Legacy\.id not set/);
  assert.deepEqual(json(message([1, ""]), "AskLegacy"), { id: "" });
  const group = Buffer.concat([message([1, "i"]), Buffer.from([0x1b]), message([1, "t"]), Buffer.from([0x1c])]);
  assert.deepEqual(json(group, "AskLegacy"), { id: "i", part: { text: "t" } });
  assert.deepEqual(json(message([1, Buffer.from([0xff])], [1, "ok"]), "AskLegacy"), { id: "ok" });
  assert.match(problem(message([1, Buffer.from([0xff])]), "AskLegacy"), /invalid UTF-8/);
});

test("bounds the depth of messages", () => {
  let content: Uint8Array = new Uint8Array();
  for (let level = 0; level < 1_500; level++) content = message([82, content]);
  assert.equal(problem(content), "proto: cannot parse invalid wire-format data");
});

test("loads a descriptor set and says what is wrong with one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "svidgate-descriptor-"));
  try {
    writeFileSync(join(folder, "set.pb"), descriptorSet);
    assert.equal((await loadProtoDescriptor(join(folder, "set.pb"))).ok, true);
    writeFileSync(join(folder, "bad.pb"), "not a descriptor");
    const bad = await loadProtoDescriptor(join(folder, "bad.pb"));
    assert.ok(!bad.ok && bad.code === "proto_descriptor_invalid" && bad.detail?.includes("bad.pb"));
    writeFileSync(join(folder, "empty.pb"), "");
    const empty = await loadProtoDescriptor(join(folder, "empty.pb"));
    assert.ok(!empty.ok && empty.code === "proto_descriptor_invalid");
    const missing = await loadProtoDescriptor(join(folder, "none.pb"));
    assert.ok(!missing.ok && missing.code === "proto_descriptor_unreadable");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
