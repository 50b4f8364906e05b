// Policies that ask outside, by command: what `--allow-net` opens, and what those who did not open it are told.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startHttpServer, type TestServer } from "../../support/http-send-world.ts";
import { runInProcess } from "../../support/run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-allow-net-"));
const at = (name: string): string => join(folder, name);
let server: TestServer;
before(async () => {
  server = await startHttpServer((_, response) => response.end("here"));
  const call = `http.send({"method": "get", "url": "${server.url}/"}).raw_body == "here"`;
  writeFileSync(at("send.rego"), `package envoy.authz\n\ndefault allow := false\n\nallow if {\n\t${call}\n}\n`);
  writeFileSync(
    at("look.rego"),
    'package envoy.authz\n\ndefault allow := false\n\nallow if count(net.lookup_ip_addr("localhost")) > 0\n',
  );
  writeFileSync(at("send_test.rego"), "package envoy.authz_test\n\ntest_asks if data.envoy.authz.allow\n");
});
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const SEND_KEY = /svidgate\.policy\.http_send\.allowed_hosts/;
const LOOKUP_KEY = /svidgate\.policy\.net_lookup\.allowed_hosts/;

describe("svidgate eval", () => {
  const query = ["--format", "raw", "data.envoy.authz.allow"];

  it("asks whom --allow-net names", async () => {
    for (const host of ["127.0.0.1", `127.0.0.1:${server.port}`, "*"]) {
      const run = await runInProcess("eval", "--policy", at("send.rego"), "--allow-net", host, ...query);
      assert.deepEqual(run, { code: 0, out: "true\n", err: "" });
    }
    const run = await runInProcess("eval", "--policy", at("look.rego"), "--allow-net", "localhost", ...query);
    assert.deepEqual(run, { code: 0, out: "true\n", err: "" });
  });

  it("asks nobody else", async () => {
    const before = server.requests.length;
    const other = await runInProcess("eval", "--policy", at("send.rego"), "--allow-net", "other.example", ...query);
    assert.notEqual(other.out, "true\n");
    assert.ok(!other.err.includes(" at "), other.err);
    const none = await runInProcess("eval", "--policy", at("send.rego"), ...query);
    assert.notEqual(none.code, 0);
    assert.match(none.err, /send\.rego:6:2: .*undefined function http\.send/);
    assert.match(none.err, SEND_KEY);
    assert.equal(server.requests.length, before);
  });

  it("takes the configuration's hosts too", async () => {
    const set = "svidgate.policy.http_send.allowed_hosts=127.0.0.1";
    const run = await runInProcess("eval", "--policy", at("send.rego"), "--set", set, ...query);
    assert.deepEqual(run, { code: 0, out: "true\n", err: "" });
  });

  it("refuses a host that is none", async () => {
    for (const host of ["http://127.0.0.1", "a b", ""]) {
      const run = await runInProcess("eval", "--allow-net", host, "1");
      assert.equal(run.code, 2);
      assert.match(run.err, /--allow-net: `.*` is not valid: expected `\*`, HOST/);
    }
  });
});

describe("svidgate test", () => {
  const words = () => ["test", at("send.rego"), at("send_test.rego")];

  it("asks whom --allow-net names", async () => {
    const run = await runInProcess(...words(), "--allow-net", "127.0.0.1");
    assert.equal(run.code, 0, run.out + run.err);
    assert.match(run.out, /PASS/);
  });

  it("asks nobody else", async () => {
    const before = server.requests.length;
    assert.notEqual((await runInProcess(...words(), "--allow-net", "other.example")).code, 0);
    const none = await runInProcess(...words());
    assert.notEqual(none.code, 0);
    assert.match(none.out + none.err, SEND_KEY);
    assert.equal(server.requests.length, before);
  });
});

describe("svidgate build", () => {
  it("builds a policy that asks outside, since it may run elsewhere, and says what it needs there", async () => {
    for (const [name, builtin, key] of [
      ["send.rego", "http.send", SEND_KEY],
      ["look.rego", "net.lookup_ip_addr", LOOKUP_KEY],
    ] as const) {
      const run = await runInProcess("build", "--policy", at(name), "--check");
      assert.equal(run.code, 0, run.err);
      assert.ok(run.err.startsWith(`svidgate: warning: the policy calls ${builtin}: where it runs, `), run.err);
      assert.match(run.err, key);
    }
  });

  it("makes a bundle that is refused where nothing is allowed, with the key, and decides where it is", async () => {
    const output = at("bundle.tar.gz");
    assert.equal((await runInProcess("build", "--policy", at("send.rego"), "--output", output)).code, 0);
    const request = ["--policy", output, "--method", "GET", "--path", "/"];
    const refused = await runInProcess("check", ...request);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /policy_missing_builtin: .*`http\.send`/);
    assert.match(refused.err, SEND_KEY);
    const set = "svidgate.policy.http_send.allowed_hosts=127.0.0.1";
    const allowed = await runInProcess("check", ...request, "--set", set);
    assert.equal(allowed.code, 0, allowed.out + allowed.err);
  });
});

describe("svidgate check", () => {
  const words = ["check", "--method", "GET", "--path", "/"];

  it("refuses a policy that may ask nobody, with file, line and key", async () => {
    for (const [name, place, key] of [
      ["send.rego", /send\.rego:6:2: .*undefined function http\.send: /, SEND_KEY],
      ["look.rego", /look\.rego:5:16: .*undefined function net\.lookup_ip_addr: /, LOOKUP_KEY],
    ] as const) {
      const run = await runInProcess(...words, "--policy", at(name));
      assert.equal(run.code, 2);
      assert.match(run.err, place);
      assert.match(run.err, key);
    }
  });

  it("asks under the preset of the plugin, unless the list is set and empty", async () => {
    const file = at("svidgate.yaml");
    writeFileSync(file, "compatibility: opa-envoy-plugin\n");
    const open = await runInProcess(...words, "--config", file, "--policy", at("send.rego"));
    assert.equal(open.code, 0, open.out + open.err);
    writeFileSync(file, "compatibility: opa-envoy-plugin\nsvidgate: {policy: {http_send: {allowed_hosts: []}}}\n");
    const closed = await runInProcess(...words, "--config", file, "--policy", at("send.rego"));
    assert.equal(closed.code, 2);
    assert.match(closed.err, SEND_KEY);
  });
});
