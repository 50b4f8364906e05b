import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { type ConfigSources, type LoadedConfig, loadConfig } from "../../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-config-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "svidgate.yaml");

function load(text: string | Uint8Array, sources: Partial<ConfigSources> = {}): LoadedConfig {
  writeFileSync(path, text);
  return loadConfig({ file: path, flags: new Map(), set: [], env: {}, ...sources });
}

/** Problems without the folder, so that they begin with line and column. */
function problemsOf(text: string | Uint8Array, sources: Partial<ConfigSources> = {}): readonly string[] {
  const loaded = load(text, sources);
  return loaded.ok ? [] : loaded.problems.map((problem) => problem.replaceAll(`${path}:`, ""));
}

const GOOD = `# yaml-language-server: $schema=x.json
plugins:
  envoy_ext_authz_grpc:
    addr: :9191
    path: envoy/authz/allow
    dry-run: false
    grpc-max-recv-msg-size: 40194304
decision_logs:
  console: true
labels: {region: eu, "n": "1"}
svidgate:
  policy:
    paths: [a.rego, b]
    max_memory: 64MiB
  unix_socket_mode: 0600
  drain: {grace: 7s}
`;

it("reads OPA's keys and ours", () => {
  const loaded = load(GOOD);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { config } = loaded;
  assert.deepEqual(
    [config.opaAddr, config.opaPath, config.opaDryRun, config.maxRequestBytes, config.consoleDecisionLog],
    [":9191", "envoy/authz/allow", false, 40_194_304, true],
  );
  assert.deepEqual(
    [config.policyPaths, config.maxMemoryBytes, config.unixSocketMode, config.graceMs],
    [["a.rego", "b"], 64 * 1024 ** 2, 0o600, 7_000],
  );
  assert.deepEqual(config.labels, [
    ["region", "eu"],
    ["n", "1"],
  ]);
  assert.deepEqual(loaded.notes, []);
});

for (const [name, text] of [
  ["an empty file", ""],
  ["comments only", "# nothing\n"],
  ["empty sections", "svidgate:\nplugins: {}\n"],
  ["JSON", '{"plugins": {"envoy_ext_authz_grpc": {"path": "envoy/authz/allow"}}}'],
  ["a byte order mark and CRLF", "\uFEFFlabels:\r\n  a: b\r\n"],
  ["OPA features that are left off", "services: {}\nbundles:\nkeys: []\nnd_builtin_cache: false\n"],
  ["one path without a list", "svidgate: {policy: {paths: a.rego}}"],
  ["anchors and aliases", "svidgate: {policy: {paths: &p [a], data: *p}}"],
] as const) {
  it(`takes ${name}`, () => assert.deepEqual(problemsOf(text), []));
}

it("lets the environment, --set and flags win over the file, in this order", () => {
  const text = "svidgate: {listen: '127.0.0.1:1', admin: '127.0.0.1:1', audit: {sink: stdout}, on_error: deny}";
  const loaded = load(text, {
    env: { SVIDGATE_ADMIN: "127.0.0.1:2", SVIDGATE_AUDIT__SINK: "file:x", SVIDGATE_ON_ERROR: "grpc_error" },
    set: ["svidgate.audit.sink=none", "svidgate.on_error=error_response"],
    flags: new Map([["on-error", ["deny"]]]),
  });
  assert.ok(loaded.ok);
  const { listen, admin, audit, onError } = loaded.config;
  assert.deepEqual([listen, admin, audit, onError], ["127.0.0.1:1", "127.0.0.1:2", "none", "deny"]);
});

it("replaces the file's policies by a flag's, and adds to the file's labels", () => {
  const loaded = load("svidgate: {policy: {paths: [a, b]}}\nlabels: {x: '1', y: '1'}", {
    set: ["labels.y=2", "labels.z=a=b"],
    flags: new Map([["policy", ["c"]]]),
  });
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.config.policyPaths, ["c"]);
  assert.deepEqual(Object.fromEntries(loaded.config.labels), { x: "1", y: "2", z: "a=b" });
});

it("puts the environment's variables in as OPA does, and says which are not set", () => {
  const loaded = load(
    "labels: {region: ${REGION}, zone: '${ZONE}'}\nplugins: {envoy_ext_authz_grpc: {dry-run: ${DRY}}}",
    {
      env: { REGION: "eu", DRY: "true" },
    },
  );
  assert.ok(loaded.ok);
  assert.deepEqual(Object.fromEntries(loaded.config.labels), { region: "eu", zone: "${ZONE}" });
  assert.equal(loaded.config.opaDryRun, true);
  assert.deepEqual(loaded.notes, [`${path}: \`\${ZONE}\` is not set and stays as it is written`]);
});

it("counts lines and columns in the file, not in what the variables make of it", () => {
  const env = { LINES: "a: b\n  c: d", LONG: "x".repeat(100) };
  assert.deepEqual(problemsOf("labels:\n  ${LINES}\nsvidgate: {admin: ${LONG}, nope: 1}\n", { env }), [
    "3:28: svidgate.nope: unknown key",
  ]);
});

it("accepts the plugin's older name, but not both", () => {
  const loaded = load("plugins: {envoy.ext_authz.grpc: {path: a/b}}");
  assert.ok(loaded.ok);
  assert.equal(loaded.config.opaPath, "a/b");
  assert.deepEqual(problemsOf("plugins:\n  envoy.ext_authz.grpc: {}\n  envoy_ext_authz_grpc: {}"), [
    "3:3: plugins.envoy_ext_authz_grpc: stands twice, once under the plugin's older name",
  ]);
});

it("takes keys that change nothing, and says so", () => {
  const loaded = load("default_decision: /x\nplugins: {envoy_ext_authz_grpc: {enable-performance-metrics: true}}");
  assert.ok(loaded.ok);
  assert.equal(loaded.notes.length, 2);
  for (const note of loaded.notes) assert.match(note, /:\d+:\d+: \S+: no effect: /);
});

it("reports every problem of every source at once, with line, column, key and reason", () => {
  const text = `plugins:
  envoy_ext_authz_grpc:
    addr: 9191
    dry-run: "true"
    pth: a/b
    query: data.x
    grpc-max-recv-msg-size: [1]
  envoy_ext_authz_grcp: {}
  other: {a: 1}
decision_logs:
  consol: true
services: {a: {url: x}}
labels: {a: 1}
svidgate:
  lisen: x
  listen:
  policy: x
  drain: {grace: 20}
  on_error: allow
servces: 1
workers: 2
`;
  const problems = problemsOf(text, { set: ["svidgate.nope=1"], flags: new Map([["admin", [""]]]) });
  assert.deepEqual(
    problems.filter((problem) => /; did you mean/.test(problem)),
    [
      "5:5: plugins.envoy_ext_authz_grpc.pth: unknown key; did you mean `plugins.envoy_ext_authz_grpc.path`?",
      "8:3: plugins.envoy_ext_authz_grcp: unknown key; did you mean `plugins.envoy_ext_authz_grpc`?",
      "11:3: decision_logs.consol: unknown key; did you mean `decision_logs.console`?",
      "15:3: svidgate.lisen: unknown key; did you mean `svidgate.listen`?",
      "20:1: servces: unknown key; did you mean `services`?",
      "21:1: workers: unknown key; did you mean `svidgate.workers`?",
    ],
  );
  for (const wanted of [
    '3:11: plugins.envoy_ext_authz_grpc.addr: expected text, not the number 9191: write it in quotes, "9191"',
    "4:14: plugins.envoy_ext_authz_grpc.dry-run: expected true or false, not the text `true`: write it without quotes",
    "6:5: plugins.envoy_ext_authz_grpc.query: not supported: deprecated by the plugin; name the rule with `path`",
    "7:29: plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size: expected a whole number or text, not a list",
    "9:3: plugins.other: not supported: only the plugin envoy_ext_authz_grpc is built in",
    "12:1: services: not supported: services are not built yet; name files with `svidgate.policy.paths` until then",
    '13:13: labels: `a`: expected text, not the number 1: write it in quotes, "1"',
    "16:3: svidgate.listen: has no value: give one, or leave the line out",
    "17:3: svidgate.policy: expected keys below it, not the text `x`",
    "18:18: svidgate.drain.grace: `20` is not valid: expected a duration with a unit such as 250ms, 5s, 2m, from 0ms to 600000ms",
    "19:13: svidgate.on_error: `allow` is not valid: expected one of deny, error_response, grpc_error",
    "--set svidgate.nope: unknown key",
    "--admin: `` is not valid: must not be empty",
  ]) {
    assert.ok(problems.includes(wanted), `${wanted}\n${problems.join("\n")}`);
  }
  assert.equal(problems.length, 19, problems.join("\n"));
});

const sentences = [
  ["a tab", "svidgate:\n\tlisten: x", "2:1: not valid YAML: tabs are not allowed as indentation"],
  ["a key that stands twice", "labels: {}\nlabels: {}", "2:1: not valid YAML: `labels` stands twice in one map"],
  ["a second document", "labels: {}\n---\nlabels: {}", "2:1: not valid YAML: a second document begins here: keep one"],
  ["an unknown tag", "labels: !x {}", "1:9: not valid YAML: unresolved tag: !x"],
  ["a list as document", "- a\n- b", "1:1: expected keys such as `plugins:`, not a list"],
  ["a word as document", "hello", "1:1: expected keys such as `plugins:`, not the text `hello`"],
  ["an alias of nothing", "labels: *x", "1:9: not valid YAML: no anchor is named `x`"],
  ["an alias of itself", "labels: &x [*x]", "1:13: not valid YAML: nested deeper than 64 levels"],
] as const;
for (const [name, text, sentence] of sentences) {
  it(`refuses ${name} with its place`, () => assert.deepEqual(problemsOf(text), [sentence]));
}

const letters = "abcdefghij".split("");
const hostile = {
  "an alias bomb": letters
    .map((_, i) => `${letters[i]}: &${letters[i]} [${"*i,".replace("i", letters[i - 1] ?? "").repeat(i && 9)}x]`)
    .join("\n"),
  "open brackets": `a: ${"[".repeat(500_000)}`,
  "open braces": "{".repeat(500_000),
  "nested list markers": `${"- ".repeat(250_000)}x`,
  "nested key markers": `${"? ".repeat(250_000)}x`,
  "deep indentation": Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
  "many keys": Array.from({ length: 30_000 }, (_, index) => `k${index}: 1`).join("\n"),
  "many items": "- a\n".repeat(50_000),
  "many quotes": '"'.repeat(50_001),
  "a flood of documents": "---\n".repeat(100_000),
};
for (const [name, text] of Object.entries(hostile)) {
  it(`refuses ${name} in bounded time, with few problems`, () => {
    const problems = problemsOf(text);
    assert.ok(problems.length > 0 && problems.length <= 20, String(problems.length));
    for (const problem of problems) assert.ok(problem.length < 400 && !problem.includes("\n"), problem.slice(0, 500));
  });
}

it("refuses a file that is too large, not UTF-8, or blown up by a variable", () => {
  assert.match(problemsOf("x".repeat(1024 ** 2 + 1))[0] ?? "", /larger than 1048576 bytes$/);
  assert.match(problemsOf(Uint8Array.of(0x61, 0xff, 0x62))[0] ?? "", /not UTF-8: save it in that encoding$/);
  assert.match(
    problemsOf(Buffer.from("a: b", "utf16le").swap16())[0] ?? "",
    /not valid YAML|unknown key|not UTF-8|expected keys/,
  );
  assert.match(problemsOf("a: ${B}", { env: { B: "x".repeat(1024 ** 2) } })[0] ?? "", /variables put in$/);
});

it("refuses a file that cannot be read with the reason", () => {
  const at = (file: string): readonly string[] => {
    const loaded = loadConfig({ file, flags: new Map(), set: [], env: {} });
    return loaded.ok ? [] : loaded.problems;
  };
  assert.deepEqual(at(join(folder, "none.yaml")), [`${folder}/none.yaml: cannot be read: there is no such file`]);
  assert.deepEqual(at(folder), [`${folder}: cannot be read: it is a folder: name a file`]);
  writeFileSync(path, "");
  assert.match(at(join(path, "x"))[0] ?? "", /a part of the path is no folder$/);
  const loop = join(folder, "loop");
  symlinkSync(loop, loop);
  assert.match(at(loop)[0] ?? "", /symbolic links in a circle$/);
  const locked = join(folder, "locked.yaml");
  writeFileSync(locked, "");
  chmodSync(locked, 0);
  // The superuser may read it all the same.
  if (process.getuid?.() !== 0) assert.match(at(locked)[0] ?? "", /permission denied$/);
  assert.match(at("/dev/zero")[0] ?? "", /not a regular file$/);
});
