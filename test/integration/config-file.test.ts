// `svidgate serve -c`: opa-envoy-plugin's own quick start unchanged, wrong files, and reloads of the file.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { decodeCheckResponse, encodeCheckRequest } from "../support/check-messages.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { runSvidgate, type Serving, startServing as startProcess } from "../support/serve-process.ts";

const CHECK = "/envoy.service.auth.v3.Authorization/Check";
const QUICK_START = join(packageRoot(), "test", "vectors", "quick-start");
// The README's two people.
const ALICE =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiZ3Vlc3QiLCJzdWIiOiJZV3hwWTJVPSIsIm5iZiI6MTUxNDg1MTEzOSwiZXhwIjoxOTQxMDgxNTM5fQ.rN_hxMsoQzCjg6lav6mfzDlovKM9azaAjuwhjq3n9r8";
const BOB =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYWRtaW4iLCJzdWIiOiJZbTlpIiwibmJmIjoxNTE0ODUxMTM5LCJleHAiOjE5NDEwODE1Mzl9.ek3jmNLPclafELVLTfyjtQNj0QKIEGrbhKqpwXmQ8EQ";

const folder = mkdtempSync(join(tmpdir(), "svidgate-config-file-"));
const started: Serving[] = [];
after(() => {
  for (const serving of started) serving.signal("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** A server that a failed test does not leave behind. */
async function startServing(args: readonly string[]): Promise<Serving> {
  const serving = await startProcess(args);
  started.push(serving);
  return serving;
}

const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const toRequest = (method: string, path: string, token?: string, body?: string): Uint8Array =>
  encodeCheckRequest({
    attributes: {
      request: {
        http: {
          method,
          path,
          headers: {
            ...(token && { authorization: `Bearer ${token}` }),
            ...(body && { "content-type": "application/json" }),
          },
          ...(body && { body }),
        },
      },
    },
  });

/** The gRPC status code in the answer: 0 allow, 7 deny. */
async function askFor(serving: Serving, bytes: Uint8Array): Promise<number> {
  const peer = createGrpcPeer(serving.address);
  try {
    const ended = await peer.call(CHECK, bytes, { deadlineMs: 10_000 });
    return "bytes" in ended ? (decodeCheckResponse(ended.bytes).status?.code ?? 0) : ended.code;
  } finally {
    peer.close();
  }
}

const linesOf = (text: string): readonly Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it("serves the plugin's quick start, configuration and policy unchanged", async () => {
  const config = join(QUICK_START, "config.yaml");
  const loaded = loadConfig({ file: config, flags: new Map(), set: [], env: {} });
  assert.ok(loaded.ok);
  const resolved = resolveSettings(loaded.config, loaded.given, loaded.notes);
  assert.ok(resolved.ok);
  assert.deepEqual([resolved.settings.listen, resolved.settings.plaintextAllowed], [":9191", true]);
  assert.deepEqual([resolved.settings.entrypoint, resolved.settings.notes], ["envoy/authz/allow", []]);

  const serving = await startServing(["-c", config, "--policy", join(QUICK_START, "policy.rego"), "--audit", "none"]);
  const charlie = '{"firstname":"Charlie",\n "lastname":"OPA"}';
  const got = [
    await askFor(serving, toRequest("GET", "/people", ALICE)),
    await askFor(serving, toRequest("POST", "/people", ALICE, charlie)),
    await askFor(serving, toRequest("GET", "/people", BOB)),
    await askFor(serving, toRequest("POST", "/people", BOB, charlie)),
    await askFor(serving, toRequest("POST", "/people", BOB, '{"firstname":"Bob", "lastname":"Rego"}')),
    await askFor(serving, toRequest("GET", "/people")),
    await askFor(serving, toRequest("GET", "/people?a;b", ALICE)),
  ];
  const { err } = await serving.stop();
  assert.deepEqual(got, [0, 7, 0, 0, 7, 7, 7]);

  const decisions = linesOf(err).filter(({ msg }) => msg === "Decision Log");
  assert.equal(decisions.length, got.length, "one line each, though a body has line ends");
  // The keys that opa-envoy-plugin 1.19.1 writes.
  const keys = "decision_id input labels level metrics msg path result time timestamp type".split(" ");
  assert.deepEqual(Object.keys(decisions[0] ?? {}), keys);
  assert.deepEqual(
    decisions.map(({ result, error }) => result ?? error),
    [true, false, true, true, false, false, "invalid semicolon separator in query"],
  );
  const [first, post, , , , , malformed] = decisions;
  assert.deepEqual(
    Object.keys(malformed ?? {}),
    keys
      .toSpliced(-5, 0)
      .filter((key) => key !== "result")
      .toSpliced(1, 0, "error"),
  );
  assert.equal(malformed?.["input"], null);
  assert.equal(first?.["path"], "envoy/authz/allow");
  assert.equal(first?.["type"], "openpolicyagent.org/decision_logs");
  assert.deepEqual(Object.keys(first?.["labels"] ?? {}), ["id", "version"]);
  assert.deepEqual(Object.keys(first?.["metrics"] ?? {}), ["timer_rego_query_eval_ns", "timer_server_handler_ns"]);
  const input = (post?.["input"] ?? {}) as { parsed_path?: unknown; parsed_body?: unknown; version?: unknown };
  assert.deepEqual(input.parsed_path, ["people"]);
  assert.deepEqual(input.parsed_body, { firstname: "Charlie", lastname: "OPA" });
  assert.deepEqual(input.version, { encoding: "protojson", ext_authz: "v3" });
});

it("writes no decision log and no label unless asked to", async () => {
  const serving = await startServing(["--policy", join(QUICK_START, "policy.rego")]);
  await askFor(serving, toRequest("GET", "/people", ALICE));
  const { err, out } = await serving.stop();
  assert.ok(!err.includes("Decision Log") && !out.includes("Decision Log"));
  assert.ok(!`${err}${out}`.includes(ALICE), "no token anywhere");
  assert.ok(linesOf(out).every((event) => !("labels" in event)));
});

it("puts the labels into audit events and decision log lines", async () => {
  const config = file("labels.yaml", `labels: {region: "\${REGION}", "a\\"b": "ü"}\ndecision_logs: {console: true}`);
  const serving = await startServing([
    "-c",
    config,
    "--policy",
    join(QUICK_START, "policy.rego"),
    "--set",
    "labels.id=mine",
  ]);
  await askFor(serving, toRequest("GET", "/people"));
  const { err, out } = await serving.stop();
  const labels = { region: "${REGION}", 'a"b': "ü", id: "mine" };
  assert.deepEqual(linesOf(out)[0]?.["labels"], labels);
  const line = linesOf(err).find(({ msg }) => msg === "Decision Log");
  const { id, version, ...rest } = (line?.["labels"] ?? {}) as Record<string, string>;
  assert.deepEqual(rest, { region: "${REGION}", 'a"b': "ü" });
  assert.equal(id, linesOf(out)[0]?.["pdp_id"], "OPA's own label wins");
  assert.equal(version, linesOf(out)[0]?.["pdp_version"]);
  assert.match(err, /`\$\{REGION\}` is not set/);
});

it("ends with code 2 and all problems when the file is wrong, before anything starts", async () => {
  const config = file("wrong.yaml", "svidgate:\n  lisen: x\n  on_error: allow\nservices: {a: {}}\n");
  for (const command of [["serve"], ["check"], ["build", "--check"]]) {
    const { code, err, out } = await runSvidgate([...command, "-c", config]);
    assert.equal(code, 2, command[0]);
    assert.equal(out, "");
    assert.deepEqual(err.trimEnd().split("\n"), [
      `svidgate: ${config}:2:3: svidgate.lisen: unknown key; did you mean \`svidgate.listen\`?`,
      `svidgate: ${config}:4:1: services: not supported: services are not built yet; name files with \`svidgate.policy.paths\` until then`,
      `svidgate: ${config}:3:13: svidgate.on_error: \`allow\` is not valid: expected one of deny, error_response, grpc_error`,
    ]);
  }
  const twice = await runSvidgate(["serve", "-c", config, "--config", config]);
  assert.deepEqual([twice.code, twice.err], [2, "svidgate: --config: given 2 times, once is allowed\n"]);
});

it("takes up what can change on SIGHUP, and keeps everything when the file is wrong or asks for a restart", async () => {
  const allowing = (path: string): string =>
    `package envoy.authz\ndefault allow := false\nallow if input.parsed_path == ["${path}"]`;
  const before = file("before.rego", allowing("before"));
  const next = file("after.rego", allowing("after"));
  const toYaml = (policy: string, more = ""): string => `svidgate:\n  policy: {paths: ["${policy}"]}\n${more}`;
  const config = file("reload.yaml", toYaml(before));
  const serving = await startServing(["-c", config, "--audit", "none"]);
  const status = async (): Promise<
    Record<string, { last_reload: { result: string; problems: readonly string[] } | null }>
  > => (await (await fetch(`${serving.admin}/status`)).json()) as never;
  const asks = async (): Promise<readonly number[]> => [
    await askFor(serving, toRequest("GET", "/before")),
    await askFor(serving, toRequest("GET", "/after")),
  ];
  assert.deepEqual(await asks(), [0, 7]);
  assert.equal((await status())["configuration"]?.last_reload, null);

  let failures = 0;
  for (const [text, problem] of [
    [
      "svidgate: {policy: {pths: []}}",
      /1:21: svidgate\.policy\.pths: unknown key; did you mean `svidgate\.policy\.paths`\?$/,
    ],
    ["svidgate: [", /1:1\d: not valid YAML: /],
    [
      toYaml(next, "  limits: {max_connections: 5}\n"),
      /^svidgate\.limits\.max_connections: cannot change while serving: restart, or set it back$/,
    ],
    [toYaml(next, "  policy_typo: 1\n"), /3:3: svidgate\.policy_typo: unknown key/],
    [toYaml(join(folder, "none.rego")), /none\.rego: no such file or folder/],
    [toYaml(next, "plugins: {envoy_ext_authz_grpc: {proto-descriptor: /none}}"), /proto-descriptor/],
  ] as const) {
    file("reload.yaml", text);
    serving.signal("SIGHUP");
    await serving.logged("reload failed: configuration and policy in force stay", ++failures);
    assert.deepEqual(await asks(), [0, 7], "nothing of a refused file comes into force");
    const last = (await status())["configuration"]?.last_reload;
    assert.equal(last?.result, "failure");
    assert.match(last?.problems[0] ?? "", problem);
  }
  const metrics = await (await fetch(`${serving.admin}/metrics`)).text();
  assert.match(metrics, /svidgate_policy_reloads_total\{result="failure"\} 6/);

  file("reload.yaml", toYaml(next, "  dry_run: false\n  log: {level: error}\n"));
  serving.signal("SIGHUP");
  await serving.logged("reloaded");
  assert.deepEqual(await asks(), [7, 0]);
  assert.equal((await status())["configuration"]?.last_reload?.result, "success");
  const { code, err } = await serving.stop();
  assert.equal(code, 0);
  assert.ok(!err.includes('"msg":"draining"'), "the log's new level is in force");
});

it("changes what Envoy is told by a reload", async () => {
  const policy = file("undefined.rego", "package envoy.authz\nallow if input.parsed_path == []");
  const config = file("answers.yaml", "svidgate: {on_error: grpc_error}");
  const serving = await startServing(["-c", config, "--policy", policy, "--audit", "none"]);
  assert.equal(await askFor(serving, toRequest("GET", "/")), 2);
  file("answers.yaml", "svidgate: {on_error: deny}");
  serving.signal("SIGHUP");
  await serving.logged("reloaded");
  assert.equal(await askFor(serving, toRequest("GET", "/")), 2, "the status within the answer");
  file("answers.yaml", "svidgate: {dry_run: true}");
  serving.signal("SIGHUP");
  await serving.logged("reloaded", 2);
  assert.equal(await askFor(serving, toRequest("GET", "/")), 0);
  await serving.stop();
});
