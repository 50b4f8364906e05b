// What policies may reach outside, from configuration: nothing unless set, anything under the plugin's preset, and what is set
// by hand, an empty list among it, always counts.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { toNetworkOptions } from "../../../src/app-network.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { resolveSettings, type Settings } from "../../../src/config/settings.ts";
import { networkNames } from "../../../src/policy/network-builtins.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-config-"));
after(() => rmSync(folder, { recursive: true }));

function settingsOf(text: string, set: readonly string[] = [], env: Record<string, string> = {}): Settings {
  const file = join(folder, "svidgate.yaml");
  writeFileSync(file, text);
  const loaded = loadConfig({ file, flags: new Map(), set, env });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const resolved = resolveSettings(loaded.config, loaded.given);
  assert.ok(resolved.ok);
  return resolved.settings;
}

const listsOf = (settings: Settings): readonly (readonly string[])[] => [
  settings.httpSendAllowedHosts,
  settings.httpSendAllowedFiles,
  settings.httpSendAllowedEnv,
  settings.netLookupAllowedHosts,
];
const PLUGIN = "compatibility: opa-envoy-plugin\n";

describe("hosts, files and variables of policies", () => {
  it("are none unless set", () => {
    const settings = settingsOf("{}");
    assert.deepEqual(listsOf(settings), [[], [], [], []]);
    assert.deepEqual(networkNames(toNetworkOptions(settings, {})), []);
  });

  it("are any under the preset of the plugin", () => {
    const settings = settingsOf(PLUGIN);
    assert.deepEqual(listsOf(settings), [["*", "unix:*"], ["*"], ["*"], ["*"]]);
    assert.deepEqual(networkNames(toNetworkOptions(settings, {})), ["http.send", "net.lookup_ip_addr"]);
  });

  it("are none under the preset where the lists are set and empty", () => {
    const lists = "http_send: {allowed_hosts: [], allowed_files: [], allowed_env: []}, net_lookup: {allowed_hosts: []}";
    const settings = settingsOf(`${PLUGIN}svidgate:\n  policy: {${lists}}\n`);
    assert.deepEqual(listsOf(settings), [[], [], [], []]);
    assert.deepEqual(networkNames(toNetworkOptions(settings, {})), []);
  });

  it("are each what is set of them, whatever the preset says of the others", () => {
    const settings = settingsOf(
      `${PLUGIN}svidgate:\n  policy: {http_send: {allowed_hosts: [a.example]}, net_lookup: {allowed_hosts: []}}\n`,
    );
    assert.deepEqual(listsOf(settings), [["a.example"], ["*"], ["*"], []]);
    assert.deepEqual(networkNames(toNetworkOptions(settings, {})), ["http.send"]);
  });

  it("can be closed by a later source, and a command line adds to what is listed", () => {
    const key = "svidgate.policy.http_send.allowed_hosts";
    const settings = settingsOf(PLUGIN, [`${key}=b.example`, `${key}=unix:/run/b.sock`]);
    assert.deepEqual(settings.httpSendAllowedHosts, ["b.example", "unix:/run/b.sock"]);
    const byVariable = settingsOf("{}", [], { SVIDGATE_POLICY__NET_LOOKUP__ALLOWED_HOSTS: "*.c.example" });
    assert.deepEqual(byVariable.netLookupAllowedHosts, ["*.c.example"]);
    const { httpSend, netLookup } = toNetworkOptions(byVariable, { A: "1" }, ["d.example"]);
    assert.deepEqual(
      [httpSend?.allowedHosts, netLookup?.allowedHosts, httpSend?.environment],
      [["d.example"], ["*.c.example", "d.example"], { A: "1" }],
    );
  });

  for (const entry of ["http://a", "a:b:c", "*:80", "a b", ""]) {
    it(`are refused with what an entry may be: \`${entry}\``, () => {
      const set = [`svidgate.policy.http_send.allowed_hosts=${entry}`];
      const loaded = loadConfig({ flags: new Map(), set, env: {} });
      assert.ok(!loaded.ok);
      assert.match(loaded.problems[0] ?? "", /allowed_hosts: `.*` is not valid: expected `\*`, HOST, HOST:PORT/);
    });
  }
});
