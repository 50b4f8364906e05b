// A reload that changes what identity is made of, while a source of trust bundles is silent.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import type { IdentityPorts } from "../../src/app-identity.ts";
import { loadRules } from "../../src/app-rules.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemTimers } from "../../src/base/timers.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { createTestAuthority } from "../support/ca.ts";
import { makeSocketFolder, toDer } from "../support/workload-api-client.ts";
import { jwtBundles, startWorkloadApiServer, x509Bundles } from "../support/workload-api-server.ts";

const PORTS: IdentityPorts = { clock: systemClock, timers: systemTimers, log: silentLog };

/** `set` are words of `--set`, without the section that they begin with. */
function settingsOf(folder: string, ...set: readonly string[]): Settings {
  const policy = join(folder, "policy.rego");
  writeFileSync(policy, "package envoy.authz\n\ndefault allow := false\n");
  const words = [`svidgate.policy.paths=${policy}`, ...set.map((word) => `svidgate.identity.${word}`)];
  const loaded = loadConfig({ flags: new Map(), set: words, env: {} });
  const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given, loaded.notes) : loaded;
  assert.ok(resolved.ok, resolved.ok ? "" : resolved.problems.join("\n"));
  return resolved.settings;
}

it("keeps identity as it is while a new one would lack a trust bundle that is in force", async (t) => {
  const { certificatePem } = await createTestAuthority();
  const folder = makeSocketFolder(t);
  const agent = await startWorkloadApiServer(t, folder);
  const api = `workload_api=${agent.socket}`;
  const starting = loadRules(settingsOf(folder, api), PORTS);
  (await agent.next("FetchX509Bundles")).send(x509Bundles({ "spiffe://example.org": toDer(certificatePem) }));
  (await agent.next("FetchJWTBundles")).send(jwtBundles({ "spiffe://example.org": '{"keys":[]}' }));
  (await agent.next("FetchX509SVID")).fail(7, "no entry");
  const started = await starting;
  assert.ok(started.ok);
  const { identity } = started.rules;
  t.after(() => identity.close());
  await agent.stop();

  const changed = settingsOf(folder, api, "gateways=spiffe://example.org/ns/edge/sa/gateway");
  const reloaded = await loadRules(changed, PORTS, identity);
  assert.deepEqual(reloaded, {
    ok: false,
    problems: [
      "svidgate.identity.trust_domains.example.org.bundle: its source does not answer: what is in force stays, reload again when it does, or restart",
    ],
  });
  assert.equal(identity.bundles?.state("example.org", systemClock.unixMs()), "fresh");
  // Nobody asks for that bundle any more.
  const none = await loadRules(settingsOf(folder), PORTS, identity);
  assert.ok(none.ok);
  none.rules.identity.close();
});
