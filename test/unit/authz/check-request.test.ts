import assert from "node:assert/strict";
import { test } from "node:test";
import { type CheckRequest, readCheckRequest } from "../../../src/authz/check-request.ts";
import { encodeCheckRequest } from "../../../src/authz/check-request-json.ts";
import type { ReadOptions } from "../../../src/authz/request-view.ts";

function view(attributes: object, options?: ReadOptions): CheckRequest {
  const encoded = encodeCheckRequest({ attributes });
  assert.ok(encoded.ok, encoded.ok ? "" : encoded.detail);
  const read = readCheckRequest(encoded.value, options);
  assert.ok(read.ok);
  return read.value;
}

const http = (fields: object, options?: ReadOptions): CheckRequest => view({ request: { http: fields } }, options);
const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");

const full = view({
  source: {
    principal: "spiffe://td/a",
    certificate: "-----BEGIN%20",
    address: { socketAddress: { address: "10.0.0.1", portValue: 4242 } },
  },
  destination: { principal: "spiffe://td/b" },
  contextExtensions: { k: "v", "": "é" },
  request: {
    http: {
      ...{ id: "17", method: "POST", path: "/é?q", host: "h:1", scheme: "https", protocol: "HTTP/2" },
      ...{ headers: { "x-request-id": "r-1", cookie: "" }, body: "é", rawBody: base64("\xff") },
    },
  },
});

test("answers what was asked for", () => {
  const { method, path, host, scheme, protocol, requestId, sourcePrincipal, sourceCertificate } = full;
  assert.deepEqual(
    { method, path, host, scheme, protocol, requestId, sourcePrincipal, sourceCertificate },
    {
      ...{ method: "POST", path: "/é?q", host: "h:1", scheme: "https", protocol: "HTTP/2", requestId: "r-1" },
      ...{ sourcePrincipal: "spiffe://td/a", sourceCertificate: "-----BEGIN%20" },
    },
  );
  assert.equal(full.principal, "spiffe://td/a");
  assert.equal(full.destinationPrincipal, "spiffe://td/b");
  assert.equal(full.sourceAddress, "10.0.0.1:4242");
  assert.deepEqual(
    [...full.contextExtensions],
    [
      ["k", "v"],
      ["", "é"],
    ],
  );
  assert.equal(full.body.toString(), "é");
  assert.deepEqual([...full.rawBody], [0xff]);
  assert.equal(full.header("cookie"), "");
  assert.equal(full.mapHeader("cookie"), "");
  assert.equal(full.header("Cookie"), undefined);
});

test("answers empty values for an empty request", () => {
  const read = readCheckRequest(new Uint8Array());
  assert.ok(read.ok);
  const request = read.value;
  const texts = [
    request.method,
    request.path,
    request.host,
    request.requestId,
    request.sourcePrincipal,
    request.sourceAddress,
  ];
  assert.deepEqual([...texts, request.sourceCertificate, request.destinationPrincipal], Array(8).fill(""));
  assert.equal(request.attributesJson(), undefined);
  assert.equal(request.body.length + request.rawBody.length, 0);
  assert.equal(request.header("x"), undefined);
  assert.equal(request.contextExtensions.size, 0);
});

test("prints source addresses", () => {
  const rows: readonly [object, string][] = [
    [{ socketAddress: { address: "::1", portValue: 1 } }, "[::1]:1"],
    [{ socketAddress: { address: "10.0.0.1" } }, "10.0.0.1"],
    [{ socketAddress: { address: "10.0.0.1", namedPort: "http" } }, "10.0.0.1"],
    [{ pipe: { path: "/tmp/s" } }, "/tmp/s"],
    [{ envoyInternalAddress: { serverListenerName: "l" } }, ""],
    [{}, ""],
  ];
  for (const [address, want] of rows) assert.equal(view({ source: { address } }).sourceAddress, want);
});

test("falls back from the x-request-id header to Envoy's stream id", () => {
  assert.equal(http({ id: "17" }).requestId, "17");
  assert.equal(http({ id: "17", headers: { "x-request-id": "r" } }).requestId, "r");
});

test("takes the last of equal map keys", () => {
  const entry = [0x1a, 6, 0x0a, 1, 0x6b, 0x12, 1];
  const fields = [...entry, 0x31, ...entry, 0x32];
  const read = readCheckRequest(Uint8Array.from([0x0a, 20, 0x22, 18, 0x12, 16, ...fields]));
  assert.ok(read.ok);
  assert.equal(read.value.header("k"), "2");
  assert.equal(read.value.attributesJson(), '{"request":{"http":{"headers":{"k":"2"}}}}');
});

const rawHeaders = {
  path: "/p",
  headerMap: {
    headers: [
      { key: "x-a", rawValue: base64("1") },
      { key: "content-type", rawValue: base64("text/plain") },
      { key: "X-A", value: "2" },
      { key: "x-l", rawValue: base64("caf\xe9") },
    ],
  },
};

test("header() joins the lines of header_map; the body rules don't see them", () => {
  const request = http(rawHeaders);
  assert.equal(request.header("x-a"), "1,2");
  assert.equal(request.header("x-l"), "caf!");
  assert.equal(request.mapHeader("x-a"), undefined);
  assert.equal(JSON.parse(request.attributesJson() ?? "").request.http.headers, undefined);
});

test("empty raw_value is none, as proto3 has it: the line's value is its text", () => {
  // HeaderMap { headers { key: "a" value: "b" raw_value: "" } }, with the empty field written out.
  const line = [0x0a, 1, 0x61, 0x12, 1, 0x62, 0x1a, 0];
  const list = [0x0a, line.length, ...line];
  const httpFields = [0x6a, list.length, ...list];
  const attributes = [0x22, httpFields.length + 2, 0x12, httpFields.length, ...httpFields];
  const read = readCheckRequest(Uint8Array.from([0x0a, attributes.length, ...attributes]));
  assert.ok(read.ok);
  assert.equal(read.value.header("a"), "b");
});

test("fromHeaderMap fills headers for the body rules and the input", () => {
  const request = http(rawHeaders, { fromHeaderMap: true });
  assert.equal(request.mapHeader("content-type"), "text/plain");
  const input = JSON.parse(request.attributesJson() ?? "") as {
    request: { http: { headers: unknown; headerMap: { headers: unknown[] } } };
  };
  assert.deepEqual(input.request.http.headers, { "x-a": "1,2", "content-type": "text/plain", "x-l": "caf!" });
  assert.equal(input.request.http.headerMap.headers.length, 4);
  const both = http({ ...rawHeaders, headers: { "x-a": "map" } }, { fromHeaderMap: true });
  assert.equal(both.mapHeader("x-a"), "map");
  assert.deepEqual(JSON.parse(both.attributesJson() ?? "").request.http.headers, { "x-a": "map" });
});

test("header names that JavaScript knows are only names", () => {
  const request = http({ headers: JSON.parse('{"__proto__":"p","constructor":"c"}') as object });
  assert.equal(request.header("__proto__"), "p");
  assert.equal(request.header("toString"), undefined);
  assert.equal(request.attributesJson(), '{"request":{"http":{"headers":{"__proto__":"p","constructor":"c"}}}}');
});

test("writes attributes by the plugin's rule", () => {
  const rows: readonly [object, unknown][] = [
    [
      { source: {}, metadataContext: {} },
      { source: {}, metadataContext: {} },
    ],
    [
      { request: { time: { seconds: 1700000000, nanos: 5 } } },
      { request: { time: { seconds: 1700000000, nanos: 5 } } },
    ],
    [{ request: { time: "2023-11-14T22:13:20.000000005Z" } }, { request: { time: { seconds: 1700000000, nanos: 5 } } }],
    [{ request: { http: { size: "-1", method: "" } } }, { request: { http: { size: -1 } } }],
    [
      { source: { address: { socketAddress: { protocol: "UDP", portValue: 0, ipv4Compat: true } } } },
      { source: { address: { socketAddress: { protocol: 1, portValue: 0, ipv4Compat: true } } } },
    ],
    [
      { metadataContext: { filterMetadata: { ns: { a: [1, null, "x", { b: false }], e: {}, l: [] } } } },
      { metadataContext: { filterMetadata: { ns: { a: [1, null, "x", { b: false }], e: {}, l: [] } } } },
    ],
    [
      { metadataContext: { typedFilterMetadata: { t: { typeUrl: "u/x", value: "AQI=" } } } },
      { metadataContext: { typedFilterMetadata: { t: { typeUrl: "u/x", value: "AQI=" } } } },
    ],
    [{ tlsSession: { sni: 'a"\\\u0001é😀' } }, { tlsSession: { sni: 'a"\\\u0001é😀' } }],
  ];
  for (const [attributes, want] of rows) assert.deepEqual(JSON.parse(view(attributes).attributesJson() ?? ""), want);
});

test("every byte of a request matters: each cut-off request is unreadable or another request", () => {
  const encoded = encodeCheckRequest({ attributes: { request: { http: { path: "/p", headers: { a: "b" } } } } });
  assert.ok(encoded.ok);
  for (let length = 1; length < encoded.value.length; length++) {
    assert.deepEqual(readCheckRequest(encoded.value.subarray(0, length)), { ok: false, code: "request_unreadable" });
  }
});

test("answers Envoy's metadata by namespace and key: scalars, null for what is none, undefined for what is absent", () => {
  const request = view({
    metadataContext: {
      filterMetadata: {
        "envoy.filters.http.jwt_authn": {
          token: "a.b.c",
          count: 3,
          ok: false,
          nothing: null,
          list: ["a"],
          map: { a: 1 },
          é: "ü",
        },
        empty: {},
      },
    },
  });
  const of = (key: string) => request.filterMetadata("envoy.filters.http.jwt_authn", key);
  assert.deepEqual(["token", "count", "ok", "é"].map(of), ["a.b.c", 3, false, "ü"]);
  assert.deepEqual(["nothing", "list", "map"].map(of), [null, null, null]);
  assert.equal(of("absent"), undefined);
  assert.equal(request.filterMetadata("empty", "token"), undefined);
  assert.equal(request.filterMetadata("other", "token"), undefined);
  assert.equal(full.filterMetadata("envoy.filters.http.jwt_authn", "token"), undefined);
});
