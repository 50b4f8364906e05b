import assert from "node:assert/strict";
import { test } from "node:test";
import { type InputOptions, type RequestFacts, writeInput } from "../../../src/policy/input.ts";

function facts(
  changes: Partial<RequestFacts> & { readonly headers?: Readonly<Record<string, string>> } = {},
): RequestFacts {
  return {
    attributesJson: () => '{"x":1}',
    path: "/a?b=c",
    principal: "",
    mapHeader: (name) => changes.headers?.[name],
    body: Buffer.alloc(0),
    rawBody: Buffer.alloc(0),
    ...changes,
  };
}

function written(request: RequestFacts, identity?: string, options: InputOptions = {}): Record<string, unknown> {
  const result = writeInput(request, identity, options);
  assert.ok(result.ok, result.ok ? "" : result.detail);
  return JSON.parse(result.value) as Record<string, unknown>;
}

/** What `parsed_body` and `truncated_body` are. */
function body(headers: Readonly<Record<string, string>>, text: string, raw = ""): unknown[] {
  const input = written(facts({ headers, body: Buffer.from(text), rawBody: Buffer.from(raw) }));
  return [input["parsed_body"], input["truncated_body"]];
}

const JSON_TYPE = { "content-type": "application/json" };

test("writes the plugin's keys and the identity", () => {
  assert.deepEqual(written(facts({ principal: 'spiffe://td/"x' }), '{"authenticated":true}'), {
    version: { encoding: "protojson", ext_authz: "v3" },
    attributes: { x: 1 },
    parsed_path: ["a"],
    parsed_query: { b: ["c"] },
    parsed_body: null,
    truncated_body: false,
    source_principal: 'spiffe://td/"x',
    identity: { authenticated: true },
  });
});

test("leaves out what there is not", () => {
  const keys = Object.keys(written(facts({ attributesJson: () => undefined })));
  assert.deepEqual(keys.sort(), ["parsed_body", "parsed_path", "parsed_query", "truncated_body", "version"]);
});

test("skipRequestBodyParse leaves both body keys out and tolerates a bad body", () => {
  const input = written(facts({ headers: JSON_TYPE, body: Buffer.from("{") }), undefined, {
    skipRequestBodyParse: true,
  });
  assert.equal("parsed_body" in input || "truncated_body" in input, false);
});

test("chooses the parser by substrings of the content type, in the plugin's order", () => {
  const rows: readonly [Readonly<Record<string, string>>, string, unknown][] = [
    [{}, "{}", null],
    [{ "content-type": "Application/JSON" }, "{", null],
    [{ "content-type": "application/vnd.api+json" }, "{", null],
    [{ "content-type": "application/json-patch+json; charset=x" }, "{}", {}],
    [{ "content-type": "application/grpc application/json" }, "[1]", [1]],
    [{ "content-type": "application/grpc+json" }, "{}", null],
    [{ "content-type": "application/x-www-form-urlencoded" }, "a=1&a=2", { a: ["1", "2"] }],
    [{ "content-type": "multipart/form-data" }, "x", null],
    [{ "content-type": "text/plain" }, "x", null],
  ];
  for (const [headers, text, want] of rows)
    assert.deepEqual(body(headers, text), [want, false], headers["content-type"]);
});

test("takes body before raw_body, and neither for an empty one", () => {
  assert.deepEqual(body(JSON_TYPE, "1", "2"), [1, false]);
  assert.deepEqual(body(JSON_TYPE, "", "2"), [2, false]);
  assert.deepEqual(body({ ...JSON_TYPE, "content-length": "bad" }, ""), [null, false]);
});

test("sees truncation by Envoy's header first, then by the length in bytes", () => {
  assert.deepEqual(body({ "x-envoy-auth-partial-body": "true" }, ""), [null, true]);
  assert.deepEqual(body({ ...JSON_TYPE, "x-envoy-auth-partial-body": "true" }, "{"), [null, true]);
  assert.deepEqual(body({ ...JSON_TYPE, "x-envoy-auth-partial-body": "True" }, "1"), [1, false]);
  assert.deepEqual(body({ ...JSON_TYPE, "content-length": "5" }, '"é"'), [null, true]);
  assert.deepEqual(body({ ...JSON_TYPE, "content-length": "4" }, '"é"'), ["é", false]);
});

test("reports the first problem of path, query and body", () => {
  const bad = { headers: JSON_TYPE, body: Buffer.from("{") };
  const rows: readonly [Partial<RequestFacts>, string][] = [
    [{ ...bad, path: "/%zz?a;b" }, 'invalid URL escape "%zz"'],
    [{ ...bad, path: "/?a;b" }, "invalid semicolon separator in query"],
    [bad, "unexpected EOF"],
    [
      { headers: { ...JSON_TYPE, "content-length": "x" }, body: Buffer.from("1") } as Partial<RequestFacts>,
      'strconv.ParseInt: parsing "x": invalid syntax',
    ],
  ];
  for (const [changes, detail] of rows) {
    assert.deepEqual(writeInput(facts(changes), undefined, {}), { ok: false, code: "request_malformed", detail });
  }
});
