// The same requests by `opa eval` and by svidgate's http.send, to the same server: the same objects come out, but for what
// the two say of themselves (user agent, connection). Needs `opa` 1.22.2, named by OPA or found on the PATH; skipped with
// the reason printed otherwise.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { createHttpSendWorld, echo, startHttpServer, type TestServer } from "../support/http-send-world.ts";
import { runInProcess } from "../support/run-cli.ts";

const OPA = process.env["OPA"] ?? "opa";
const VERSION = "1.22.2";

function skipReason(): string | false {
  const run = spawnSync(OPA, ["version"], { encoding: "utf8" });
  if (run.error !== undefined) return `no OPA CLI: set OPA to a binary of version ${VERSION}`;
  return run.stdout.includes(`Version: ${VERSION}`) ? false : `\`${OPA}\` is not version ${VERSION}`;
}

const RAW = Buffer.from([0x22, 0xff, 0x80, 0xc3, 0xa9, 0xc3, 0x22]);
const DATE = "Thu, 01 Jan 2026 00:00:00 GMT";

async function startServer(): Promise<TestServer> {
  return startHttpServer((request, response) => {
    response.setHeader("date", DATE);
    const [, kind = "", rest = ""] = /^\/([a-z]*)\/?(.*)$/.exec(request.url ?? "") ?? [];
    switch (kind) {
      case "status":
        return response.writeHead(Number(rest), { location: "/echo", "content-type": "text/plain" }).end("s");
      case "type":
        return response.writeHead(200, { "content-type": decodeURIComponent(rest) }).end('{"a": [1.50, 1e3, null]}');
      case "yaml":
        return response.writeHead(200, { "content-type": "application/yaml" }).end("a: [1, x]\nb: 2026-01-01\n");
      case "garbage":
        return response.writeHead(200, { "content-type": "application/json" }).end('{"a":1} x');
      case "raw":
        return response.writeHead(200, { "content-type": decodeURIComponent(rest) }).end(RAW);
      case "keyed":
        return response
          .writeHead(200, { "content-type": "application/yaml" })
          .end(Buffer.concat([Buffer.from("a: "), RAW]));
      case "packed":
        return response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("packed"));
      case "multi":
        return response.setHeader("x-multi", ["a", "b"]).setHeader("pragma", "no-cache").end("x");
      case "drop":
        return response.destroy();
      case "hex":
        return void buffer(request).then((body) =>
          response.end(
            `${body.toString("hex")} ${Buffer.from(String(request.headers["x-raw"]), "latin1").toString("hex")}`,
          ),
        );
      default:
        return echo(request, response);
    }
  });
}

/** Operands; `URL` stands for the server's. */
const CASES: readonly object[] = [
  { method: "get", url: "URL/echo" },
  { method: "GET", url: "URL/echo?x=1&y=%20" },
  { method: "get", url: "URL/a/../b/./c%2fd e" },
  { method: "get", url: "URL/echo#fragment" },
  { method: "post", url: "URL/echo", body: { b: [1.5, null, true], a: "<é&>" } },
  { method: "post", url: "URL/echo", body: "text" },
  { method: "post", url: "URL/echo" },
  { method: "put", url: "URL/echo", raw_body: '"quoted"', body: 1 },
  { method: "delete", url: "URL/echo", headers: { "x-REQUEST-id": "1", "content-length": "99" } },
  { method: "patch", url: "URL/echo", headers: { HOST: "other.example" } },
  { method: "get", url: "URL/status/301" },
  { method: "get", url: "URL/status/302", enable_redirect: true },
  { method: "post", url: "URL/status/303", raw_body: "b", headers: { "content-type": "a/b" }, enable_redirect: true },
  { method: "post", url: "URL/status/307", raw_body: "b", headers: { "content-type": "a/b" }, enable_redirect: true },
  { method: "get", url: "URL/status/404" },
  { method: "get", url: "URL/status/500" },
  { method: "get", url: "URL/type/application%2Fjson" },
  { method: "get", url: "URL/type/application%2Fproblem+json" },
  { method: "get", url: "URL/type/text%2Fjson" },
  { method: "get", url: "URL/type/text%2Fplain", force_json_decode: true },
  { method: "get", url: "URL/type/text%2Fplain", force_yaml_decode: true },
  { method: "get", url: "URL/yaml" },
  { method: "get", url: "URL/garbage" },
  { method: "get", url: "URL/packed" },
  { method: "get", url: "URL/multi" },
  { method: "head", url: "URL/multi" },
  { method: "get", url: "URL/multi", cache: true },
  { method: "get", url: "URL/multi", timeout: "2s", tls_insecure_skip_verify: true },
  { method: "get", url: "URL/drop", raise_error: false },
  { method: "get", url: "http://127.0.0.1:1/x", raise_error: false },
  { method: "get", url: "foo://x", raise_error: false },
];

/** What each says of itself, and what differs with it. */
const OWN = /"(?:user-agent|connection|keep-alive|content-length)"|"rawHeaders"/;

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !OWN.test(`"${name}"`));
  const isEcho = "body" in value && typeof value.body === "object" && value.body !== null && "rawHeaders" in value.body;
  return Object.fromEntries(
    entries.filter(([name]) => !(isEcho && name === "raw_body")).map(([name, member]) => [name, comparable(member)]),
  );
}

describe("http.send beside OPA's", { skip: skipReason() }, () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.close());

  for (const operand of CASES) {
    it(JSON.stringify(operand), async () => {
      const text = JSON.stringify(operand).replace("URL", server.url);
      const { stdout } = await promisify(execFile)(OPA, ["eval", "--format", "raw", `http.send(${text})`]);
      const world = createHttpSendWorld();
      const ours = await world.send(JSON.parse(text) as object);
      world.close();
      assert.deepEqual(comparable(ours), comparable(JSON.parse(stdout)));
    });
  }

  const SENT = 'base64.decode("/4AgqcOpww==")';
  for (const expression of [
    `http.send({"method": "post", "url": "URL/hex", "raw_body": ${SENT}, "headers": {"x-raw": ${SENT}}}).raw_body`,
    'base64.encode(http.send({"method": "get", "url": "URL/raw/text%2Fplain"}).raw_body)',
    'http.send({"method": "get", "url": "URL/raw/application%2Fjson"}).body',
    'http.send({"method": "get", "url": "URL/raw/application%2Fyaml"}).body',
    'http.send({"method": "get", "url": "URL/keyed"})["body"] == null',
  ]) {
    it(`bytes that are no UTF-8: ${expression}`, async () => {
      const query = expression.replace("URL", server.url);
      const { stdout } = await promisify(execFile)(OPA, ["eval", "--format", "raw", query]);
      const { out, err } = await runInProcess("eval", "--allow-net", "127.0.0.1", "--format", "raw", query);
      assert.deepEqual([out, err], [stdout, ""]);
    });
  }
});
