import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { toConfigurationPage, toFlagHelp } from "../../../src/config/document.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { changesThatNeedRestart } from "../../../src/config/restart.ts";
import { type ResolvedSettings, resolveSettings, type Settings } from "../../../src/config/settings.ts";

function resolve(...set: readonly string[]): ResolvedSettings {
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return resolveSettings(loaded.config, loaded.given);
}

function settingsOf(...set: readonly string[]): Settings {
  const resolved = resolve(...set);
  assert.ok(resolved.ok);
  return resolved.settings;
}

it("denies on errors and refuses plaintext by default", () => {
  const settings = settingsOf();
  assert.deepEqual(
    [settings.onError, settings.plaintextAllowed, settings.allowHeaderControlCharacters, settings.dryRun],
    ["deny", false, false, false],
  );
});

it("turns every deviation off under compatibility: opa-envoy-plugin, but not what was set by hand", () => {
  const settings = settingsOf("compatibility=opa-envoy-plugin");
  assert.deepEqual([settings.onError, settings.allowHeaderControlCharacters], ["grpc_error", true]);
  assert.equal(settingsOf("compatibility=opa-envoy-plugin", "svidgate.on_error=deny").onError, "deny");
});

it("listens where the plugin does under its preset, unless told otherwise", () => {
  const preset = settingsOf("compatibility=opa-envoy-plugin");
  assert.deepEqual([preset.listen, preset.plaintextAllowed], [":9191", true]);
  assert.deepEqual([preset.inputIdentity, preset.metadataReason], [false, false]);
  const listen = settingsOf(
    "compatibility=opa-envoy-plugin",
    "svidgate.listen=127.0.0.1:1",
    "svidgate.input.identity=true",
  );
  assert.deepEqual([listen.listen, listen.plaintextAllowed, listen.inputIdentity], ["127.0.0.1:1", false, true]);
  assert.deepEqual([settingsOf().inputIdentity, settingsOf().metadataReason], [true, true]);
});

it("refuses more labels than an audit event has room for", () => {
  const labels = Array.from({ length: 40 }, (_, index) => `labels.n${index}=${"x".repeat(100)}`);
  const resolved = resolve(...labels);
  assert.ok(!resolved.ok);
  assert.match(resolved.problems[0] ?? "", /^labels: \d+ characters together, as JSON; at most 2048 are allowed$/);
  assert.equal(settingsOf(...labels.slice(0, 15)).labels.size, 15);
});

it("names the keys whose change needs a restart", () => {
  const before = settingsOf().config;
  assert.deepEqual(changesThatNeedRestart(before, settingsOf().config), []);
  const after = settingsOf(
    "svidgate.listen=127.0.0.1:1",
    "labels.a=b",
    "svidgate.dry_run=true",
    "svidgate.log.level=error",
  );
  assert.deepEqual(changesThatNeedRestart(before, after.config), ["svidgate.listen", "labels"]);
});

it("takes OPA's address as it is, and ours before OPA's", () => {
  const opa = settingsOf("plugins.envoy_ext_authz_grpc.addr=:9191");
  assert.deepEqual([opa.listen, opa.plaintextAllowed], [":9191", true]);
  const both = settingsOf("plugins.envoy_ext_authz_grpc.addr=:9191", "svidgate.listen=127.0.0.1:1");
  assert.deepEqual([both.listen, both.plaintextAllowed], ["127.0.0.1:1", false]);
});

it("takes OPA's path and dry-run keys", () => {
  assert.equal(settingsOf("plugins.envoy_ext_authz_grpc.path=/a/b/").entrypoint, "a/b");
  assert.equal(settingsOf("plugins.envoy_ext_authz_grpc.path=a/b", "svidgate.policy.entrypoint=c/d").entrypoint, "c/d");
  assert.equal(settingsOf("plugins.envoy_ext_authz_grpc.dry-run=true").dryRun, true);
});

it("names what is not built yet instead of ignoring it", () => {
  const resolved = resolve("svidgate.workers=2", "svidgate.decision_cache.enabled=on");
  assert.ok(!resolved.ok);
  assert.equal(resolved.problems.length, 2);
  for (const problem of resolved.problems) assert.match(problem, /not built yet/);
});

it("refuses an entrypoint that names nothing", () => {
  assert.equal(resolve("svidgate.policy.entrypoint=///").ok, false);
});

it("has a documentation page that is made from the field table", () => {
  const committed = readFileSync(join(packageRoot(), "docs", "configuration.md"), "utf8");
  assert.equal(committed, toConfigurationPage(), "run `npm run docs`");
});

it("shows a flag's value, default and meaning in the help", () => {
  const help = toFlagHelp(["listen", "dry-run"]);
  assert.match(help, /--listen ADDR +address of the ext_authz listener \(default 127\.0\.0\.1:9191\)/);
  assert.match(help, /--dry-run +decide, log and count/);
});
