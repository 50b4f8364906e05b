// `svidgate serve` as its users meet it: a process with flags, sockets, signals and files.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { decodeCheckResponse, encodeCheckRequest, toPlainMetadata } from "../support/check-messages.ts";
import { createGrpcPeer, type Ended } from "../support/grpc-peer.ts";
import { runSvidgate, type Serving, startServing } from "../support/serve-process.ts";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";
const SECRET = "s3cr3t-token-value";
const folder = mkdtempSync(join(tmpdir(), "svidgate-serve-"));
after(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const policy = file(
  "policy.rego",
  `package envoy.authz
default allow := false
allow if input.parsed_path == ["ok"]
allow if input.parsed_path[0] == data.open
allow := {"allowed": false, "http_status": 401} if input.parsed_path == ["login"]
allow := 7 if input.parsed_path == ["seven"]`,
);
const request = (path: string, headers: Record<string, string> = {}): Uint8Array =>
  encodeCheckRequest({ attributes: { request: { http: { method: "GET", path, headers } } } });

async function reasonOf(serving: Serving, bytes: Uint8Array): Promise<unknown> {
  const peer = createGrpcPeer(serving.address);
  try {
    const ended = await peer.call(CHECK, bytes);
    if (!("bytes" in ended)) return ended;
    return (toPlainMetadata(decodeCheckResponse(ended.bytes))["svidgate"] as { reason: string }).reason;
  } finally {
    peer.close();
  }
}

const events = (path: string): readonly Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it("decides, counts and records; drains on SIGTERM with every event written", async () => {
  const audit = join(folder, "audit.jsonl");
  const serving = await startServing(["--policy", policy, "--audit", `file:${audit}`]);
  const headers = { authorization: `Bearer ${SECRET}`, cookie: SECRET, "content-type": "application/json" };
  assert.equal(await reasonOf(serving, request("/ok", headers)), "policy_allowed");
  assert.equal(await reasonOf(serving, request(`/no?key=${SECRET}`, headers)), "policy_denied");
  assert.equal(await reasonOf(serving, request("/login")), "policy_denied");
  assert.equal(await reasonOf(serving, request("/seven")), "policy_result_type");
  assert.equal(await reasonOf(serving, request("/%zz")), "request_malformed");
  assert.equal(await reasonOf(serving, Buffer.from([0xff, 0xff])), "request_unreadable");
  assert.equal(await reasonOf(serving, Buffer.alloc(0)), "policy_denied");

  const metrics = await (await fetch(`${serving.admin}/metrics`)).text();
  assert.match(metrics, /svidgate_decisions_total\{outcome="deny",reason="policy_denied"\} 3/);
  assert.match(metrics, /svidgate_check_duration_seconds_count\{outcome="allow"\} 1/);
  assert.match(metrics, /svidgate_policy_info\{revision="sha256:[0-9a-f]{12}"\} 1/);
  assert.equal((await fetch(`${serving.admin}/readyz`)).status, 200);
  const status = (await (await fetch(`${serving.admin}/status`)).json()) as { policy: { entrypoint: string } };
  assert.equal(status.policy.entrypoint, "envoy/authz/allow");

  const { code, err } = await serving.stop();
  assert.equal(code, 0);
  const recorded = events(audit);
  assert.deepEqual(
    recorded.map(({ seq, outcome, reason, http_status: http }) => [seq, outcome, reason, http]),
    [
      [1, "allow", "policy_allowed", 200],
      [2, "deny", "policy_denied", 403],
      [3, "deny", "policy_denied", 401],
      [4, "error", "policy_result_type", 503],
      [5, "deny", "request_malformed", 400],
      [6, "error", "request_unreadable", 400],
      [7, "deny", "policy_denied", 403],
    ],
  );
  for (const text of [readFileSync(audit, "utf8"), err, metrics, JSON.stringify(status)]) {
    assert.ok(!text.includes(SECRET), "a secret of the request was written somewhere");
  }
  assert.equal(statSync(audit).mode & 0o777, 0o640);
});

it("reloads policy and data on SIGHUP: all valid, or all kept", async () => {
  const data = file("data.json", '{"open":"a"}');
  const serving = await startServing(["--policy", policy, "--data", data, "--audit", "none"]);
  assert.equal(await reasonOf(serving, request("/a")), "policy_allowed");
  file("data.json", '{"open":"b"}');
  serving.signal("SIGHUP");
  await serving.logged("reloaded");
  assert.equal(await reasonOf(serving, request("/a")), "policy_denied");
  assert.equal(await reasonOf(serving, request("/b")), "policy_allowed");
  file("data.json", '{"open":');
  serving.signal("SIGHUP");
  await serving.logged("reload failed: configuration and policy in force stay");
  assert.equal(await reasonOf(serving, request("/b")), "policy_allowed");
  const metrics = await (await fetch(`${serving.admin}/metrics`)).text();
  assert.match(metrics, /svidgate_policy_reloads_total\{result="success"\} 1/);
  assert.match(metrics, /svidgate_policy_reloads_total\{result="failure"\} 1/);
  assert.equal((await serving.stop()).code, 0);
});

it("ends calls as the plugin does under grpc_error, and never blocks under dry_run", async () => {
  const plugin = await startServing(["--policy", policy, "--on-error", "grpc_error", "--audit", "none"]);
  assert.deepEqual(await reasonOf(plugin, request("/seven")), {
    code: 2,
    details: "failed to get response status: illegal value for policy evaluation result: json.Number",
  });
  assert.equal(((await reasonOf(plugin, Buffer.from([0xff]))) as { code: number }).code, 13);
  assert.equal((await plugin.stop("SIGINT")).code, 0);

  const audit = join(folder, "dry.jsonl");
  const dry = await startServing(["--policy", policy, "--dry-run", "--audit", `file:${audit}`]);
  const peer = createGrpcPeer(dry.address);
  for (const bytes of [request("/no"), request("/seven"), request("/%zz"), Buffer.from([0xff])]) {
    const ended: Ended = await peer.call(CHECK, bytes);
    assert.ok("bytes" in ended);
    assert.deepEqual(decodeCheckResponse(ended.bytes).status, {});
  }
  peer.close();
  await dry.stop();
  assert.deepEqual(
    events(audit).map(({ reason, enforced }) => [reason, enforced]),
    [
      ["policy_denied", false],
      ["policy_result_type", false],
      ["request_malformed", false],
      ["request_unreadable", false],
    ],
  );
});

it("serves on a unix socket with the mode that was asked for, and removes it", async () => {
  const socket = join(folder, "pdp.sock");
  const serving = await startServing([
    "--policy",
    policy,
    "--listen",
    `unix:${socket}`,
    "--audit",
    "none",
    "--set",
    "svidgate.unix_socket_mode=0600",
  ]);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(await reasonOf({ ...serving, address: `unix:${socket}` }, request("/ok")), "policy_allowed");
  assert.equal((await serving.stop()).code, 0);
  assert.throws(() => statSync(socket), /ENOENT/);
});

it("answers DEADLINE_EXCEEDED or a denial, never an allow, when the time is up", async () => {
  const serving = await startServing(["--policy", policy, "--audit", "none"]);
  const peer = createGrpcPeer(serving.address);
  const ended = await peer.call(CHECK, request("/ok"), { metadata: { "grpc-timeout": "1n" } });
  peer.close();
  await serving.stop();
  if ("bytes" in ended) assert.notEqual(decodeCheckResponse(ended.bytes).status?.code ?? 0, 0);
  else assert.equal(ended.code, 4);
});

it("refuses requests that are too large, and unknown methods, with their gRPC status", async () => {
  const serving = await startServing(["--policy", policy, "--audit", "none"]);
  const peer = createGrpcPeer(serving.address);
  const large = await peer.call(CHECK, request("/", { x: "y".repeat(5 * 1024 * 1024) }));
  assert.equal("code" in large && large.code, 8);
  for (const path of [
    "/envoy.service.auth.v2.Authorization/Check",
    "/envoy.service.auth.v3.Authorization/Other",
    "/x/y",
  ]) {
    const unknown = await peer.call(path, request("/ok"));
    assert.equal("code" in unknown && unknown.code, 12);
  }
  peer.close();
  assert.equal(await reasonOf(serving, request("/ok")), "policy_allowed");
  await serving.stop();
});

const broken = file("broken.rego", "package envoy.authz\n\nallow if {\n  input.x == nope(1)\n}\n");
const refusals = [
  ["no policy", [], /no policy: name one with --policy PATH/],
  [
    "a policy that does not compile",
    ["--policy", broken],
    /broken\.rego:4:14: rego_type_error: undefined function nope[\s\S]*\^/,
  ],
  ["a policy without the entrypoint", ["--policy", policy, "--entrypoint", "a/b"], /a\/b/],
  ["a policy file that is not there", ["--policy", join(folder, "none.rego")], /none\.rego: no such file or folder/],
  ["data that is no JSON", ["--policy", policy, "--data", broken], /broken\.rego: not JSON/],
  [
    "an address that other machines reach, without TLS",
    ["--policy", policy, "--listen", "0.0.0.0:0"],
    /--insecure-listen/,
  ],
  ["an abstract socket", ["--policy", policy, "--listen", "unix:@name"], /abstract/],
  ["an address that is none", ["--policy", policy, "--listen", "127.0.0.1:99999"], /99999/],
  [
    "a proto descriptor that is none",
    ["--policy", policy, "--set", `plugins.envoy_ext_authz_grpc.proto-descriptor=${broken}`],
    /proto-descriptor/,
  ],
  [
    "an audit file that cannot be opened",
    ["--policy", policy, "--audit", `file:${folder}/no/such/file`],
    /no\/such\/file/,
  ],
  ["features that are not built yet", ["--policy", policy, "--workers", "4"], /not built yet/],
] as const;
for (const [name, args, sentence] of refusals) {
  it(`refuses to start with ${name}, says why, and exits 2`, async () => {
    const { code, err } = await runSvidgate(
      ["serve", "--admin", "off", "--listen", "127.0.0.1:0", ...args].filter(once),
    );
    assert.match(err, sentence);
    assert.equal(code, 2);
  });
}

/** A flag that the row gives replaces the one given before it. */
function once(word: string, index: number, words: readonly string[]): boolean {
  const isListen = word === "--listen" || words[index - 1] === "--listen";
  return !isListen || index >= words.lastIndexOf("--listen");
}

it("says which port is in use and what to do", async () => {
  const serving = await startServing(["--policy", policy, "--audit", "none"]);
  const { code, err } = await runSvidgate(["serve", "--policy", policy, "--admin", "off", "--listen", serving.address]);
  await serving.stop();
  assert.equal(code, 2);
  assert.match(err, new RegExp(`${serving.address}.*in use`));
});

it("starts from a bundle that `build` wrote, with its revision", async () => {
  const bundle = join(folder, "bundle.tar.gz");
  const built = await runSvidgate(["build", "--policy", policy, "--output", bundle, "--revision", "r-42"]);
  assert.deepEqual([built.code, built.err], [0, ""]);
  const serving = await startServing(["--policy", bundle, "--audit", "none"]);
  assert.equal(await reasonOf(serving, request("/ok")), "policy_allowed");
  assert.match(await (await fetch(`${serving.admin}/metrics`)).text(), /svidgate_policy_info\{revision="r-42"\} 1/);
  await serving.stop();
});
