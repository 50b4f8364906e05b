// Attacks on one check: hostile requests and hostile policy results. Expected: the decision of the harmless twin, or a deny with
// its reason; never an allow by accident, a fault, or an answer that repeats megabytes of the request.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createAuditWriter } from "../../src/audit/event.ts";
import { toDecisionFacts } from "../../src/authz/audit-record.ts";
import { decodeCheckResponse, encodeCheckRequest, toPlainMetadata } from "../support/check-messages.ts";
import { activePolicy, type InProcess, inProcess } from "../support/in-process.ts";
import { runsOnStack } from "../support/stack.ts";

const POLICY = `package envoy.authz

default allow := false

http := input.attributes.request.http

path := input.parsed_path

body := input.parsed_body

# Denied by the first segment, as people write it.
allow if { http.method == "GET"; path[0] == "public"; not path[0] == "admin" }

allow if { http.headers["x-role"] == "root" }

allow if { body.role == "root" }

allow if { input.parsed_query.role == ["root"] }

allow if { input.identity.authenticated }

allow if { path[0] == "set"; body.n in {1, 2, 3} }

allow if { path[0] == "bits"; bits.and(body.n, 1) == 1 }

allow := {"allowed": true, "dynamic_metadata": {"decision_id": "forged", "svidgate": {"reason": "forged"}, "a": 1}} if path[0] == "spoof"

allow := {"allowed": true, "dynamic_metadata": {"list": numbers.range(1, 50000)}} if path[0] == "list"

allow := {"allowed": true, "dynamic_metadata": {"list": numbers.range(1, 1000000)}} if path[0] == "million"

allow := {"allowed": true, "headers": {sprintf("h%d", [i]): "v" | some i in numbers.range(1, 3000)}} if path[0] == "headers"
allow := {"allowed": true, "headers": {sprintf("h%d", [i]): "v" | some i in numbers.range(1, 20000)}} if path[0] == "too-many-headers"

allow := {"allowed": true, "dynamic_metadata": {"deep": body}} if path[0] == "deep"

allow := {"allowed": true, "dynamic_metadata": {"n": json.unmarshal("1e309")}} if path[0] == "infinite"

allow := {"allowed": true, "headers": {"x": "a\\r\\nevil: 1"}} if path[0] == "split"

allow := {"allowed": false, "body": concat("", ["${"x".repeat(1_000)}" | some _ in numbers.range(1, 1000)])} if path[0] == "megabyte"

allow := "true" if path[0] == "text"

allow := 1 if path[0] == "number"

allow := {"allowed": "true"} if path[0] == "texted"

allow := [true] if path[0] == "array"

allow := null if path[0] == "null"
`;

const SECRET = "s3cr3t-value";
const http = (fields: object, attributes: object = {}): Uint8Array =>
  encodeCheckRequest({ attributes: { ...attributes, request: { http: { method: "GET", path: "/", ...fields } } } });
const json = (body: string, path = "/"): Uint8Array =>
  http({ path, headers: { "content-type": "application/json" }, raw_body: Buffer.from(body, "latin1") });
const form = (body: string): Uint8Array =>
  http({ headers: { "content-type": "application/x-www-form-urlencoded" }, body });
const part = (name: string, value: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const multipart = (text: string): Uint8Array =>
  http({ headers: { "content-type": "multipart/form-data; boundary=b" }, raw_body: Buffer.from(text) });

/** `inner` as the content of the field, in chunks: nesting copies nothing. */
function field(number: number, inner: readonly Uint8Array[]): readonly Uint8Array[] {
  const header: number[] = [(number << 3) | 2];
  let rest = inner.reduce((sum, chunk) => sum + chunk.length, 0);
  for (; rest > 0x7f; rest >>>= 7) header.push((rest & 0x7f) | 0x80);
  return [Uint8Array.from([...header, rest]), ...inner];
}
const mapOf = (value: readonly Uint8Array[]): readonly Uint8Array[] =>
  field(1, [Buffer.from("0a016b", "hex"), ...value]);

/** A Struct of 310 levels in filter metadata, and behind it attributes once more, empty: a repeated singular field. */
function deepAndRepeated(payload: readonly Uint8Array[]): Uint8Array {
  let struct = payload;
  for (let level = 0; level < 310; level++) struct = mapOf(field(2, field(5, struct)));
  return Buffer.concat([...field(1, field(11, mapOf(field(2, struct)))), Buffer.from("0a00", "hex")]);
}

type Row = readonly [name: string, request: () => Uint8Array, reason: string];

const PATHS: readonly string[] = [
  ...[
    "//admin",
    "///admin",
    "/a/../admin",
    "/a/%2e%2e/admin",
    "/a/..;/admin",
    "/admin%2fx",
    "/ADMIN",
    "/admin/",
    "/admin.",
  ],
  ...[
    "/%61dmin",
    "/%2561dmin",
    "/admin%00",
    "/admin;public=1",
    "/admin#/public",
    "/admin%3f/public",
    "admin",
    "*",
    "",
    "?",
  ],
  ...[
    "/%c0%ae%c0%ae/admin",
    "\\admin",
    "/%5cadmin",
    "http://public/admin",
    "http:/public",
    "/PUBLIC",
    "/public%00",
    "/public.",
  ],
  ...[
    "/public;x=y",
    "/public#x",
    "/.%2fpublic",
    "/%2e/public",
    "/x/../public",
    "/publi%63%20",
    "/ public",
    "/public\u0000",
  ],
];

const REQUESTS: readonly Row[] = [
  ...PATHS.map((path): Row => [`path ${JSON.stringify(path)}`, () => http({ path }), "policy_denied"]),
  ["path of 64 KiB", () => http({ path: `/${"a/".repeat(32_768)}` }), "policy_denied"],
  ["bad escape", () => http({ path: "/public%zz" }), "request_malformed"],
  ["10,000 parameters", () => http({ path: `/?${"k=v&".repeat(9_999)}` }), "policy_denied"],
  ["10,001 parameters", () => http({ path: `/?${"k=v&".repeat(10_000)}` }), "request_malformed"],
  ["semicolon in a query", () => http({ path: "/?a=1;role=root" }), "request_malformed"],
  ["role twice in a query", () => http({ path: "/?role=root&role=user" }), "policy_denied"],
  ["role[] in a query", () => http({ path: "/?role[]=root" }), "policy_denied"],
  ["query field, not path", () => http({ query: "role=root", fragment: "/public" }), "policy_denied"],
  ["__proto__ in a query", () => http({ path: "/?__proto__=root&constructor=root" }), "policy_denied"],
  ["__proto__ header", () => http({ headers: { ["__proto__"]: "root", constructor: "root" } }), "policy_denied"],
  ["upper-case header name", () => http({ headers: { "X-Role": "root" } }), "policy_denied"],
  ["underscore header name", () => http({ headers: { x_role: "root" } }), "policy_denied"],
  ["header twice, joined", () => http({ headers: { "x-role": "root,user" } }), "policy_denied"],
  ["header value with NUL", () => http({ headers: { "x-role": "root\0" } }), "policy_denied"],
  [
    "header in header_map only",
    () => http({ header_map: { headers: [{ key: "x-role", raw_value: Buffer.from("root") }] } }),
    "policy_denied",
  ],
  [
    "body with its type in header_map only",
    () =>
      http({
        header_map: { headers: [{ key: "content-type", raw_value: Buffer.from("application/json") }] },
        body: '{"role":"root"}',
      }),
    "policy_denied",
  ],
  [
    "method override header",
    () => http({ method: "POST", path: "/public", headers: { "x-http-method-override": "GET" } }),
    "policy_denied",
  ],
  ["method in lower case", () => http({ method: "get", path: "/public" }), "policy_denied"],
  ["claimed principal", () => http({}, { source: { principal: "spiffe://example.org/root" } }), "policy_denied"],
  [
    "forged partial body",
    () =>
      http({
        headers: { "content-type": "application/json", "x-envoy-auth-partial-body": "true" },
        body: '{"role":"root"}',
      }),
    "policy_denied",
  ],
  [
    "truncated body",
    () => http({ headers: { "content-type": "application/json", "content-length": "999" }, body: '{"role":"root"}' }),
    "policy_denied",
  ],
  [
    "content type in other case",
    () => http({ headers: { "content-type": "Application/JSON" }, body: '{"role":"root"}' }),
    "policy_denied",
  ],
  [
    "compressed flag of gRPC",
    () => http({ headers: { "content-type": "application/grpc" }, raw_body: Buffer.from([1, 0, 0, 0, 0]) }),
    "policy_denied",
  ],
  [
    "__proto__ in JSON",
    () => json('{"__proto__":{"role":"root"},"constructor":{"prototype":{"role":"root"}}}'),
    "policy_denied",
  ],
  ["key twice, root first", () => json('{"role":"root","role":"user"}'), "policy_denied"],
  ["key in other case", () => json('{"Role":"root"}'), "policy_denied"],
  ["lone surrogates", () => json('{"\\ud800":"\\udfff","role":"\\ud800root"}'), "policy_denied"],
  ["BOM", () => json('\xef\xbb\xbf{"role":"root"}'), "request_malformed"],
  ["text after the value", () => json('{"role":"user"} {"role":"root"}'), "request_malformed"],
  ["NaN", () => json('{"role":NaN}'), "request_malformed"],
  ["bytes that are no UTF-8", () => json('{"role":"root\xff"}'), "policy_denied"],
  ["JSON 2,001 deep", () => json(`${"[".repeat(2_001)}${"]".repeat(2_001)}`, "/deep"), "policy_result_type"],
  ["JSON 10,001 deep", () => json(`${"[".repeat(10_001)}${"]".repeat(10_001)}`), "request_malformed"],
  ["exponent of 9 digits looked up in a set", () => json('{"n":1e999999999}', "/set"), "request_malformed"],
  ["exponent of 5 digits for bits.and", () => json('{"n":1e40000}', "/bits"), "request_malformed"],
  ["number of 100,000 digits", () => json(`{"n":${"9".repeat(100_000)}}`, "/bits"), "request_malformed"],
  ["largest double", () => json('{"n":1.7976931348623157e+308}', "/set"), "policy_denied"],
  ["__proto__ in a form", () => form("__proto__=root&constructor=root&role=root"), "policy_denied"],
  [
    "__proto__ in multipart",
    () => multipart(`${part("__proto__", "root")}${part("role", "root")}--b--`),
    "policy_denied",
  ],
  ["boundary inside a part", () => multipart(`${part("a", `x\r\n--b-\r\n`)}--b--`), "policy_denied"],
  ["no protobuf", () => Buffer.from([0xff, 0xff]), "request_unreadable"],
  ["empty message", () => Buffer.alloc(0), "policy_denied"],
  ["groups without end", () => Buffer.alloc(100_000, 0x7b), "request_unreadable"],
  ["no UTF-8 in a string", () => Buffer.from("0a09220712052203ff2f61".replace(/ /g, ""), "hex"), "request_unreadable"],
];

const RESULTS: readonly Row[] = [
  ["text, not a boolean", () => http({ path: "/text" }), "policy_result_type"],
  ["a number", () => http({ path: "/number" }), "policy_result_type"],
  ["allowed as text", () => http({ path: "/texted" }), "policy_result_type"],
  ["an array", () => http({ path: "/array" }), "policy_result_type"],
  ["null", () => http({ path: "/null" }), "policy_result_type"],
  ["a number that is no double in metadata", () => http({ path: "/infinite" }), "policy_result_type"],
  ["a header with a line end", () => http({ path: "/split" }), "policy_result_type"],
  ["metadata deeper than Envoy reads", () => json(`${"[".repeat(40)}${"]".repeat(40)}`, "/deep"), "policy_result_type"],
  ["a megabyte of body", () => http({ path: "/megabyte" }), "policy_denied"],
  ["3,000 headers", () => http({ path: "/headers" }), "policy_allowed"],
  ["more headers than the budget has calls", () => http({ path: "/too-many-headers" }), "policy_budget"],
  ["a list of 50,000 numbers in metadata", () => http({ path: "/list" }), "policy_allowed"],
  ["a list of a million numbers in metadata", () => http({ path: "/million" }), "policy_budget"],
];

describe("an attack on one check", () => {
  let folder: string;
  const worlds: Record<"deny" | "dryRun", InProcess> = {} as never;
  const writer = createAuditWriter({ pdpId: "p", pdpVersion: "0", path: "full" });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "svidgate-"));
    writeFileSync(join(folder, "p.rego"), POLICY);
    const policy = await activePolicy([join(folder, "p.rego")]);
    worlds.deny = inProcess(policy, { onError: "deny" });
    worlds.dryRun = inProcess(policy, { onError: "deny", dryRun: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [name, request, reason] of [...REQUESTS, ...RESULTS]) {
    if (!runsOnStack("attacks-check", name)) continue;
    it(`gets ${reason}: ${name}`, () => {
      const { check, records, faults } = worlds.deny;
      const bytes = request();
      const reply = check(bytes);
      assert.ok(reply.kind === "message");
      const record = records.at(-1);
      assert.ok(record);
      assert.equal(record.decision.reason, reason);
      assert.deepEqual(faults, []);
      const code = decodeCheckResponse(reply.bytes).status?.code ?? 0;
      assert.equal(code === 0, reason === "policy_allowed");
      if (reason.startsWith("request_")) assert.ok(reply.bytes.length < 20_000);
      const line = writer.toDecisionLine(
        toDecisionFacts(record, { dryRun: false, errorsAreGrpcStatus: false }),
        1,
        "t",
      );
      assert.match(line, /^[\x20-\x7e]{1,16383}\n$/);
    });
    it(`never blocks under dry run: ${name}`, () => {
      const { check, records, faults } = worlds.dryRun;
      const reply = check(request());
      assert.ok(reply.kind === "message");
      assert.equal(decodeCheckResponse(reply.bytes).status?.code ?? 0, 0);
      assert.equal(records.at(-1)?.decision.reason, reason);
      assert.deepEqual(faults, []);
    });
  }

  for (const [name, payload] of [
    ["one string", mapOf(field(2, field(3, [Buffer.alloc(4_000_000, "a")])))],
    ["two million empty entries", [Buffer.alloc(4_000_000, Buffer.from("0a00", "hex"))]],
  ] as const) {
    if (!runsOnStack("attacks-check", "310 levels")) break;
    it(`costs time in proportion to its size, not to its depth: 310 levels around ${name}`, () => {
      const bytes = deepAndRepeated(payload);
      const startMs = performance.now();
      const reply = worlds.deny.check(bytes);
      const tookMs = performance.now() - startMs;
      assert.ok(reply.kind === "message");
      assert.notEqual(decodeCheckResponse(reply.bytes).status?.code ?? 0, 0);
      assert.deepEqual(worlds.deny.faults, []);
      assert.ok(tookMs < 2_000, `${tookMs} ms`); // 20 to 600 ms; merged level by level, it was 4 to 17 s
    });
  }

  it("cannot forge the id and the reason in dynamic metadata", () => {
    const reply = worlds.deny.check(http({ path: "/spoof" }));
    assert.ok(reply.kind === "message");
    const metadata = toPlainMetadata(decodeCheckResponse(reply.bytes));
    assert.match(String(metadata["decision_id"]), /^[0-9a-f-]{36}$/);
    assert.deepEqual(metadata["svidgate"], { reason: "policy_allowed" });
    assert.equal(metadata["a"], 1);
  });

  it("repeats the beginning of a bad header, not all of it", () => {
    const reply = worlds.deny.check(
      http({ headers: { "content-type": "application/json", "content-length": "\u0007".repeat(1 << 20) }, body: "1" }),
    );
    assert.ok(reply.kind === "message");
    assert.ok(reply.bytes.length < 20_000);
  });

  it("leaves no credential, header value, body or query in the audit event", () => {
    const { check, records } = worlds.deny;
    const fields = {
      path: `/x;jsessionid=${SECRET}?token=${SECRET}#${SECRET}`,
      host: `user:${SECRET}@host`,
      query: SECRET,
      fragment: SECRET,
      headers: {
        authorization: SECRET,
        cookie: SECRET,
        "content-type": "application/json",
        "x-request-id": `${SECRET} `,
      },
      body: `"${SECRET}"`,
      raw_body: Buffer.from(SECRET),
    };
    const attributes = { source: { certificate: SECRET, labels: { a: SECRET } }, context_extensions: { k: SECRET } };
    for (const request of [http(fields, attributes), http({ ...fields, body: `${SECRET} {` }, attributes)]) {
      check(request);
      const record = records.at(-1);
      assert.ok(record);
      const facts = toDecisionFacts(record, { dryRun: false, errorsAreGrpcStatus: false });
      assert.ok(!writer.toDecisionLine(facts, 1, "t").includes(SECRET));
    }
  });

  it("takes no answer after the deadline for an allow", () => {
    const { check, clock, records } = worlds.deny;
    for (const deadlineMs of [Number.NEGATIVE_INFINITY, clock.monotonicMs() - 1, clock.monotonicMs()]) {
      check(http({ path: "/public" }), { deadlineMs });
      assert.equal(records.at(-1)?.decision.reason, "deadline_exceeded");
    }
    check(http({ path: "/public" }), { cancelled: () => true });
    assert.equal(records.at(-1)?.decision.reason, "cancelled");
    check(http({ path: "/public" }));
    assert.equal(records.at(-1)?.decision.reason, "policy_allowed");
  });
});
