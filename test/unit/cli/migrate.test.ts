import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { runCli } from "../../../src/cli/index.ts";
import { OPA_KEYS, PLUGIN } from "../../../src/config/opa-keys.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-migrate-"));
after(() => rmSync(folder, { recursive: true }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  let out = "";
  let err = "";
  const ports = {
    env,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    onSignal: () => assert.fail("migrate waits for nothing"),
  };
  const code = await runCli(["migrate", ...words], ports);
  return { code, out, err };
}

async function check(text: string, ...more: readonly string[]): Promise<Ran> {
  const path = join(folder, "opa.yaml");
  writeFileSync(path, text);
  return await run(["check", path, ...more]);
}

interface Report {
  readonly same: number;
  readonly different: number;
  readonly unsupported: number;
  readonly notes: readonly string[];
  readonly keys: readonly { key: string; line: number; column: number; verdict: string; why: string }[];
}

it("finds nothing unsupported in the plugin's quick start", async () => {
  const { code, out } = await run(["check", join(packageRoot(), "test/vectors/quick-start/config.yaml")]);
  assert.equal(code, 0);
  assert.match(out, /^same +plugins\.envoy_ext_authz_grpc\.addr$/m);
  assert.match(out, /^different +decision_logs\.console$/m);
  assert.match(out, /\n3 keys: 2 same, 1 different, 0 unsupported\n$/);
});

it("judges every key with its place, and ends with 1 when something is unsupported", async () => {
  const text = `services: {a: {url: "https://x"}}
bundles: {}
plugins:
  envoy.ext_authz.grpc:
    addr: ":9191"
    dry-run: true
    enable-performance-metrics: true
    grpc-max-recv-msg-size: 5
    qery: x
  acme: {x: 1}
labels: {a: b}
decision_logs: {reporting: {min_delay_seconds: 3}, console: "\${CONSOLE}"}
svidgate: {admin: "off"}
`;
  const { code, out } = await check(text, "--format", "json");
  assert.equal(code, 1);
  const report = JSON.parse(out) as Report;
  assert.deepEqual(
    report.keys.map(({ verdict, key, line, column }) => `${verdict} ${key} ${line}:${column}`),
    [
      "unsupported services 1:1",
      "same bundles 2:1",
      "same plugins.envoy_ext_authz_grpc.addr 5:5",
      "different plugins.envoy_ext_authz_grpc.dry-run 6:5",
      "different plugins.envoy_ext_authz_grpc.enable-performance-metrics 7:5",
      "unsupported plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size 8:5",
      "unsupported plugins.envoy_ext_authz_grpc.qery 9:5",
      "unsupported plugins.acme 10:3",
      "same labels 11:1",
      "unsupported decision_logs.reporting 12:17",
      "unsupported decision_logs.console 12:61",
      "different svidgate.admin 13:12",
    ],
  );
  assert.deepEqual([report.same, report.different, report.unsupported], [3, 3, 6]);
  assert.deepEqual(report.notes, ["`${CONSOLE}` is not set here and stays as it is written"]);
  for (const { why } of report.keys) assert.ok(why.length > 10 && !why.endsWith("."), why);
});

it("has a sentence for every key of OPA that it knows", async () => {
  for (const [key, { why }] of Object.entries(OPA_KEYS)) {
    if (key === "plugins" || key === "decision_logs") continue;
    const words = key.split(".");
    const value = key.startsWith(`${PLUGIN}.`) || key === "decision_logs.console" ? "odd" : "{odd: odd}";
    const text = words.reduceRight((inner, word) => `{${word}: ${inner}}`, value);
    const { out } = await check(text);
    assert.ok(out.includes(key), `${key}\n${out}`);
    assert.ok(out.includes(why) || /not valid|expected /.test(out), `${key}\n${out}`);
  }
});

it("escapes what would move the cursor of a terminal", async () => {
  const { out } = await check('"a\\e[2Jb": 1');
  assert.ok(out.includes("a\\u001b[2Jb"), out);
});

it("ends with 2 for a file that cannot be read and for wrong words", async () => {
  const wrong = [
    [["check", join(folder, "none.yaml")], /none\.yaml: cannot be read: there is no such file\n$/],
    [["check"], /name the configuration file; usage: svidgate migrate check FILE\n$/],
    [[], /expected check/],
    [["chek", "x"], /`chek`: expected check/],
    [["check", "x", "y"], /`y`: one word too many/],
    [["check", "x", "--format", "xml"], /--format: `xml` is not valid/],
  ] as const;
  for (const [words, sentence] of wrong) {
    const { code, out, err } = await run(words);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, sentence);
  }
  const syntax = await check("a: [");
  assert.equal(syntax.code, 2);
  assert.match(syntax.err, /opa\.yaml:1:5: not valid YAML: /);
});
