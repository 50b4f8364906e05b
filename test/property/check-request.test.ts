// Random CheckRequests: our reading equals @grpc/proto-loader's, and no bytes make the reader throw.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import { checkRequest, listValue, structValue } from "../../src/authz/check-request-fields.ts";
import { mergeRepeated } from "../../src/base/protobuf-merge.ts";
import { scanMessage } from "../../src/base/protobuf-scan.ts";
import type { MessageTable } from "../../src/base/protobuf-table.ts";
import { WireReader } from "../../src/base/protobuf-wire.ts";
import { toFacts } from "../support/check-request-facts.ts";
import { readByProtoLoader } from "../support/proto-loader-request.ts";
import { Random } from "../support/random.ts";
import { randomMessage } from "../support/random-messages.ts";

const RUNS = 2_000;

test("a request is what proto-loader decodes", () => {
  const random = new Random(1);
  for (let run = 0; run < RUNS; run++) {
    const fromHeaderMap = run % 3 === 0;
    const bytes = randomMessage(random, checkRequest, 12, false);
    const read = readCheckRequest(bytes, { fromHeaderMap });
    assert.ok(read.ok);
    const want = readByProtoLoader(bytes, { fromHeaderMap });
    assert.ok(want.ok);
    assert.deepEqual(toFacts(read.value), toFacts(want.value), Buffer.from(bytes).toString("hex"));
  }
});

/** A decoder that merges as protobuf says while it reads, as proto-loader's does not: fields by number, the last one wins. */
function decodeMerging(
  bytes: Uint8Array,
  table: MessageTable,
  into = new Map<number, unknown>(),
): Map<number, unknown> {
  const wire = new WireReader(bytes);
  while (wire.pos < bytes.length) {
    const start = wire.pos;
    const tag = wire.readTag(bytes.length);
    const field = table.byNumber[tag >>> 3];
    const contentAt = wire.pos;
    wire.skip(tag, bytes.length);
    if (field?.wireType !== (tag & 7)) continue;
    for (const other of table.fields) {
      if (field.oneof !== undefined && other.oneof === field.oneof && other !== field) into.delete(other.number);
    }
    const before = into.get(field.number);
    let value: unknown = Buffer.from(bytes.subarray(start, wire.pos)).toString("hex");
    if (field.message !== undefined) {
      const content = new WireReader(bytes, contentAt);
      content.readLength(bytes.length);
      const one = field.cardinality === "one" ? (before as Map<number, unknown> | undefined) : undefined;
      value = decodeMerging(bytes.subarray(content.pos, wire.pos), field.message, one);
    }
    into.set(field.number, field.cardinality === "one" ? value : [...((before as unknown[] | undefined) ?? []), value]);
  }
  return into;
}

test("merged bytes hold what a decoder that merges while it reads finds in the original, and repeat nothing", () => {
  const random = new Random(4);
  let changed = 0;
  for (let run = 0; run < RUNS; run++) {
    const bytes = randomMessage(random, checkRequest, 12, run % 2 === 0);
    const merged = mergeRepeated(bytes, checkRequest);
    assert.deepEqual(decodeMerging(merged, checkRequest), decodeMerging(bytes, checkRequest));
    assert.equal(scanMessage(new WireReader(merged), merged.length, checkRequest), "ok");
    if (scanMessage(new WireReader(bytes), bytes.length, checkRequest) === "merge") changed++;
  }
  assert.ok(changed > RUNS / 10, `${changed}`);
});

test("merging changes nothing where nothing repeats, and is the same done twice", () => {
  const random = new Random(2);
  for (let run = 0; run < RUNS; run++) {
    const once = mergeRepeated(randomMessage(random, checkRequest, 10, true), checkRequest);
    const twice = mergeRepeated(once, checkRequest);
    const [first, second] = [readCheckRequest(once), readCheckRequest(twice)];
    assert.ok(first.ok && second.ok);
    assert.equal(second.value.attributesJson(), first.value.attributesJson());
    assert.equal(second.value.path, first.value.path);
  }
});

test("damaged bytes are unreadable or read, never a fault", () => {
  const random = new Random(3);
  let unreadable = 0;
  for (let run = 0; run < RUNS; run++) {
    const read = readCheckRequest(
      random.mutate(Buffer.from(randomMessage(random, checkRequest, 8, true)), 1 + random.below(4)),
    );
    if (!read.ok) {
      assert.equal(read.code, "request_unreadable");
      unreadable++;
      continue;
    }
    const json = read.value.attributesJson();
    if (json !== undefined) JSON.parse(json);
    assert.equal(typeof `${read.value.method}${read.value.sourceAddress}${read.value.requestId}`, "string");
  }
  assert.ok(unreadable > RUNS / 10);
});

test("the tables of Value and ListValue refer to each other", () => {
  assert.equal(structValue.fields.find((field) => field.name === "list_value")?.message, listValue);
  assert.equal(listValue.fields[0]?.message, structValue);
});
