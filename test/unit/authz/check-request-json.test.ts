import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCheckRequest } from "../../../src/authz/check-request.ts";
import { encodeCheckRequest } from "../../../src/authz/check-request-json.ts";
import { packageRoot } from "../../../src/base/package-root.ts";
import { decodeByProtos } from "../../support/check-request-oracle.ts";

test("a recorded input document's attributes become the request again", () => {
  for (const line of readFileSync(join(packageRoot(), "test/vectors/input.jsonl"), "utf8").trim().split("\n")) {
    const { want } = JSON.parse(line) as { want: { input?: { attributes?: object } } };
    if (want.input?.attributes === undefined) continue;
    const encoded = encodeCheckRequest({ attributes: want.input.attributes });
    assert.ok(encoded.ok, encoded.ok ? "" : encoded.detail);
    const read = readCheckRequest(encoded.value);
    assert.ok(read.ok);
    assert.deepEqual(JSON.parse(read.value.attributesJson() ?? "null"), want.input.attributes);
  }
});

test("takes proto3 JSON and proto names alike", () => {
  const camel = encodeCheckRequest({
    attributes: { request: { http: { rawBody: "AQI=", size: "5" }, time: "2023-11-14T22:13:20.5Z" }, tlsSession: null },
  });
  const snake = encodeCheckRequest({
    attributes: { request: { http: { raw_body: "AQI", size: 5 }, time: "2023-11-15T00:13:20.500+02:00" } },
  });
  assert.ok(camel.ok && snake.ok);
  assert.deepEqual(snake.value, camel.value);
  assert.deepEqual(decodeByProtos(camel.value), {
    attributes: {
      request: { http: { raw_body: "AQI=", size: "5" }, time: { seconds: "1700000000", nanos: 500000000 } },
    },
  });
});

test("names the place and the reason of what it refuses", () => {
  const http = (fields: object) => ({ attributes: { request: { http: fields } } });
  const socket = (fields: object) => ({ attributes: { source: { address: { socketAddress: fields } } } });
  const rows: readonly [unknown, RegExp][] = [
    [[], /`request`: must be an object/],
    [{ atributes: {} }, /`request\.atributes`: .*no such field/],
    [http({ path: 1 }), /`request\.attributes\.request\.http\.path`: must be a string/],
    [http({ rawBody: "%" }), /base64/],
    [http({ size: 1.5 }), /integer/],
    [http({ size: "9223372036854775808" }), /integer/],
    [http({ headers: [] }), /headers`: must be an object/],
    [http({ headerMap: { headers: {} } }), /must be an array/],
    [http({ path: "\ud800" }), /surrogate/],
    [socket({ protocol: "SCTP" }), /TCP, UDP/],
    [socket({ portValue: -1 }), /integer from 0/],
    [socket({ portValue: 1, namedPort: "x" }), /`portValue` is set already/],
    [socket({ ipv4Compat: "true" }), /true or false/],
    [{ attributes: { request: { time: "yesterday" } } }, /must be a time/],
  ];
  for (const [json, want] of rows) {
    const encoded = encodeCheckRequest(json);
    assert.ok(!encoded.ok, JSON.stringify(json));
    assert.equal(encoded.code, "check_request_json");
    assert.match(encoded.detail ?? "", want);
  }
});

test("nesting is taken as deep as requests are read, and refused with a sentence beyond, however deep", () => {
  const metadata = (value: unknown) => ({ attributes: { metadataContext: { filterMetadata: { ns: { k: value } } } } });
  const lists = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  const objects = (levels: number): unknown => JSON.parse(`${'{"k":'.repeat(levels)}1${"}".repeat(levels)}`);
  for (const json of [metadata(lists(496)), metadata(objects(331))]) {
    const encoded = encodeCheckRequest(json);
    assert.ok(encoded.ok);
    assert.ok(readCheckRequest(encoded.value).ok);
  }
  for (const json of [
    metadata(lists(500)),
    metadata(objects(340)),
    metadata(lists(20_000)),
    metadata(objects(20_000)),
    objects(200_000),
    lists(200_000),
  ]) {
    const encoded = encodeCheckRequest(json);
    assert.ok(!encoded.ok);
    assert.match(encoded.detail ?? "", /^nests too deep: at most 1000 messages/);
  }
});
