import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { encodeCheckRequest } from "../../support/check-messages.ts";
import { runInProcess } from "../../support/run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-check-"));
after(() => rmSync(folder, { recursive: true }));
const vectors = join(packageRoot(), "test", "vectors");
const policy = ["--policy", join(vectors, "decisions.rego")];

const check = (...words: readonly string[]) => runInProcess("check", ...words);

const json = async (...args: readonly string[]): Promise<Record<string, unknown> & { readonly code: number }> => {
  const { code, out } = await check(...policy, "--format", "json", ...args);
  return { ...(JSON.parse(out) as Record<string, unknown>), code };
};

it("exits 0 for an allow and 1 for a denial, and says why", async () => {
  const allowed = await json("--path", "/x/true");
  assert.deepEqual([allowed.code, allowed["decision"], allowed["reason"]], [0, "allow", "policy_allowed"]);
  const denied = await json("--path", "/x/all-denied");
  assert.deepEqual(
    [denied.code, denied["decision"], denied["http_status"], denied["headers"], denied["body"]],
    [1, "deny", 429, ["x-a: 1"], "b"],
  );
});

it("shows what an allow does to request and response", async () => {
  const allowed = await json("--path", "/x/all-allowed");
  assert.deepEqual(
    ["headers", "headers_to_remove", "response_headers", "query_to_set", "query_to_remove"].map((key) => allowed[key]),
    [["x-a: 1"], ["x-z"], ["x-r: 1"], ["q=1"], ["r"]],
  );
});

it("shows the status of the call, and no HTTP status, when errors end calls", async () => {
  const error = await json("--path", "/x/string", "--on-error", "grpc_error");
  assert.deepEqual([error["grpc_status"], error["http_status"], error.code], [2, undefined, 1]);
  assert.match(String(error["detail"]), /illegal value for policy evaluation result: string/);
});

it("takes a CheckRequest as proto3 JSON or as bytes", async () => {
  const asJson = join(folder, "request.json");
  writeFileSync(asJson, JSON.stringify({ attributes: { request: { http: { method: "GET", path: "/x/true" } } } }));
  const asBytes = join(folder, "request.bin");
  writeFileSync(
    asBytes,
    encodeCheckRequest({ attributes: { request: { http: { method: "GET", path: "/x/false" } } } }),
  );
  assert.equal((await json(asJson)).code, 0);
  assert.equal((await json(asBytes)).code, 1);
});

it("describes headers, body and principal as Envoy would send them", async () => {
  const args = ["--method", "post", "--host", "a.example", "--header", "X-Role: a", "--header", "x-role: b"];
  const more = ["--header", "content-type: application/json", "--body", '{"n":1.0}', "--principal", "spiffe://a/b"];
  const echo = await check("--policy", join(vectors, "echo.rego"), "--format", "json", ...args, ...more);
  const input = JSON.parse((JSON.parse(echo.out) as { body: string }).body) as {
    attributes: { request: { http: { headers: Record<string, string> } } };
    parsed_body: unknown;
    source_principal: string;
  };
  assert.equal(input.attributes.request.http.headers["x-role"], "a,b");
  assert.deepEqual([input.parsed_body, input.source_principal], [{ n: 1 }, "spiffe://a/b"]);
});

it("escapes what could move the reader's cursor", async () => {
  const { out } = await check(...policy, "--path", "/x/\u001b[2Jtrue");
  assert.ok(!out.includes("\u001b"));
  assert.match(out, /\\u001b/);
});

const broken = join(folder, "broken.json");
writeFileSync(broken, '{"attributes": {"reqest": {}}}');
const deep = join(folder, "deep.json");
writeFileSync(deep, `{"attributes": ${'{"k":'.repeat(20_000)}1${"}".repeat(20_000)}}`);
const escaping = join(folder, "escaping.json");
writeFileSync(escaping, JSON.stringify({ "\u001b[2J\u009b1m\u202e": 1 }));
for (const [name, args, sentence] of [
  ["a request that nests 20,000 deep", [deep], /deep\.json: not a CheckRequest: nests too deep/],
  ["an escape sequence in a flag", ["--bogus\u001b[2J"], /^svidgate: [\x20-\x7e]*--bogus\\u001b\[2J/],
  ["escape sequences in a request", [escaping], /\\u001b\[2J\\u009b1m\\u202e/],
  ["a misspelt field of the request", [broken], /not a CheckRequest: .*reqest/],
  ["a file that is not there", [join(folder, "none.json")], /none\.json: cannot be read/],
  ["a file and flags together", [broken, "--method", "GET"], /either a request file or flags/],
  ["a header without a colon", ["--header", "nonsense"], /--header: `nonsense` is not valid/],
  ["an unknown format", ["--format", "xml"], /--format: `xml` is not valid/],
  ["two files", [broken, broken], /one word too many/],
] as const) {
  it(`refuses ${name} with exit code 2`, async () => {
    const { code, err } = await check(...policy, ...args);
    assert.match(err, sentence);
    assert.doesNotMatch(err, /[^\P{Cc}\n]|\p{Cf}/u);
    assert.equal(code, 2);
  });
}
