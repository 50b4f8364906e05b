import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runInProcess } from "../../support/run-cli.ts";

const POLICY = `package envoy.authz

default allow := false

allow if {
	input.parsed_path[0] == "orders"
	input.attributes.request.http.method in data.methods
}
`;

const WHO = "spiffe://example.org/ns/shop/sa/web";

describe("svidgate bench", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-cli-bench-"));
    await writeFile(file("p.rego"), POLICY);
    await writeFile(file("methods.json"), '{"methods": ["GET"]}');
    await writeFile(
      file("input.json"),
      '{"parsed_path": ["orders"], "attributes": {"request": {"http": {"method": "GET"}}}}',
    );
    await writeFile(file("input.yaml"), "parsed_path: [orders]\nattributes: {request: {http: {method: PUT}}}\n");
    const http = { method: "GET", path: "/orders/7", host: "orders", headers: {} };
    await writeFile(file("request.json"), JSON.stringify({ attributes: { request: { http } } }));
  });
  after(() => rm(folder, { recursive: true }));

  const bench = (...words: readonly string[]) =>
    runInProcess("bench", "--policy", file("p.rego"), "--data", file("methods.json"), ...words);
  const measured = async (...words: readonly string[]): Promise<Record<string, unknown>> => {
    const run = await bench("--count", "20", "--format", "json", ...words);
    assert.deepEqual([run.code, run.err], [0, ""]);
    return JSON.parse(run.out) as Record<string, unknown>;
  };

  const inputs: readonly (readonly [string, () => readonly string[], boolean])[] = [
    ["a JSON input", () => ["--input", file("input.json")], true],
    ["a YAML input", () => ["-i", file("input.yaml")], false],
    ["a request's file", () => [file("request.json")], true],
    ["a request described by flags", () => ["--path", "/orders/7", "--principal", WHO], true],
    ["another request", () => ["--path", "/orders/7", "--method", "DELETE"], false],
    ["the request that is there without any flag", () => [], false],
  ];
  for (const [name, words, result] of inputs) {
    it(`measures ${name}`, async () => {
      const report = await measured(...words());
      assert.equal(report["result"], result);
      assert.equal(report["evaluations"], 20);
    });
  }

  it("evaluates a request over the input that a check makes, identity included", async () => {
    await writeFile(file("echo.rego"), "package envoy.authz\n\nallow := input\n");
    const words = ["--path", "/a?b=c", "--principal", WHO, "--count", "5", "--format", "json"];
    const run = await runInProcess("bench", "--policy", file("echo.rego"), ...words);
    const { result } = JSON.parse(run.out) as { result: Record<string, unknown> };
    assert.deepEqual(result["parsed_query"], { b: ["c"] });
    assert.equal(result["source_principal"], WHO);
    assert.ok("identity" in result);
  });

  it("says as text what it measured, under which mode and budget", async () => {
    const run = await bench("--input", file("input.json"), "--duration", "20ms");
    assert.equal(run.code, 0);
    assert.match(run.out, /^entrypoint: +envoy\/authz\/allow\nresult: +true\nstrict mode: +/);
    assert.match(run.out, /^one evaluation: +p50 [\d.]+ µs, p90 [\d.]+ µs, p99 [\d.]+ µs, max [\d.]+ [µm]s$/m);
    assert.match(run.out, /^budget: +\d+ of 20000000 steps/m);
    const off = await bench("--input", file("input.json"), "--count", "5", "--set", "svidgate.policy.budget=off");
    assert.match(off.out, /^budget: +off$/m);
  });

  it("--fail-above: exit 1 above it, with the report and the reason; 0 below", async () => {
    const above = await bench("--input", file("input.json"), "--count", "20", "--fail-above", "0");
    assert.equal(above.code, 1);
    assert.match(above.out, /^one evaluation: /m);
    assert.match(above.err, /^svidgate: the median of [\d.]+ µs is above 0 µs, which --fail-above allows\n$/);
    const below = await bench("--input", file("input.json"), "--count", "20", "--fail-above", "60000000");
    assert.deepEqual([below.code, below.err], [0, ""]);
  });

  it("asks what is outside once, and measures with the answer known", async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.setHeader("content-type", "application/json").end('{"ok": true}');
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    try {
      const { port } = server.address() as AddressInfo;
      await writeFile(file("url.json"), JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
      await writeFile(
        file("net.rego"),
        'package envoy.authz\n\nallow := http.send({"method": "get", "url": input.url}).body.ok\n',
      );
      const words = ["--policy", file("net.rego"), "--input", file("url.json"), "--count", "20", "--format", "json"];
      const run = await runInProcess("bench", ...words, "--set", "svidgate.policy.http_send.allowed_hosts=127.0.0.1");
      assert.equal(run.code, 0, run.err);
      const report = JSON.parse(run.out) as { asked: { about: string; ms: number }[]; result: boolean };
      assert.equal(report.result, true);
      assert.deepEqual(
        report.asked.map(({ about }) => about),
        [`http.send to 127.0.0.1:${port}`],
      );
      assert.ok((report.asked[0]?.ms ?? 0) > 0);
      assert.equal(requests, 1);
      const refused = await runInProcess("bench", ...words);
      assert.equal(refused.code, 2);
      assert.match(refused.err, /http\.send/);
      assert.equal(requests, 1);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  const usage: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["an unknown format", ["--format", "junit"], /--format: `junit` is not valid: expected pretty, json/],
    ["no evaluation at all", ["--count", "0"], /--count: expected a whole number from 1/],
    ["a duration without a unit", ["--duration", "5"], /--duration: /],
    ["both ends", ["--count", "5", "--duration", "5s"], /--count: give it or --duration, not both/],
    ["a limit that is no number", ["--fail-above", "5us"], /--fail-above: `5us` is not valid: expected microseconds/],
    ["an input that is not there", ["--input", "/nowhere.json"], /\/nowhere\.json: cannot be read/],
    ["an input and a request", ["--input", "x.json", "--path", "/"], /--input: give the input document or a request/],
    ["a request twice", ["--path", "/", "r.json"], /--path: give either a request file or flags/],
    ["a request without a name for its header", ["--header", "x"], /--header: `x` is not valid/],
    ["a flag of another command", ["--listen", ":1"], /--listen: unknown flag/],
  ];
  for (const [name, words, expected] of usage) {
    it(`exit 2: ${name}`, async () => {
      const run = await bench(...words);
      assert.equal(run.code, 2);
      assert.match(run.err, expected);
      assert.equal(run.out, "");
    });
  }

  it("exit 2: an input that is no JSON", async () => {
    await writeFile(file("broken.json"), "{");
    const run = await bench("--input", file("broken.json"));
    assert.equal(run.code, 2);
    assert.match(run.err, /broken\.json: not JSON/);
  });

  it("exit 2: a request that the policy is never asked about", async () => {
    const run = await bench("--path", "/%zz");
    assert.equal(run.code, 2);
    assert.match(run.err, /the request does not come to an evaluation: request_malformed/);
  });

  it("exit 2: a policy whose evaluation fails, by its code", async () => {
    await writeFile(
      file("slow.rego"),
      "package envoy.authz\n\nallow if {\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\ta + b == -1\n}\n",
    );
    const run = await runInProcess("bench", "--policy", file("slow.rego"), "--input", file("input.json"));
    assert.equal(run.code, 2);
    assert.match(run.err, /^svidgate: policy_budget: /);
  });
});
