// A source of trust bundles that is silent holds neither a start nor a reload for as long as it is asked.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { it } from "node:test";
import { startBundleSources } from "../../src/app-identity-sources.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { withDeadline } from "../support/deadline.ts";
import { createManualClock } from "../support/manual-clock.ts";

it("waits ten seconds for an endpoint that takes connections and says nothing, at a reload too", async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const set = [
    "svidgate.policy.paths=policy.rego",
    `svidgate.identity.trust_domains.example.org.bundle=https://127.0.0.1:${port}/bundle`,
    "svidgate.identity.trust_domains.example.org.bundle_profile=https_web",
  ];
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given, loaded.notes) : loaded;
  assert.ok(resolved.ok, resolved.ok ? "" : resolved.problems.join("\n"));
  const clock = createManualClock();
  const sources = startBundleSources(resolved.settings, { clock, timers: clock.timers, log: silentLog });
  assert.ok(sources !== undefined);
  t.after(() => sources.close());
  let over = 0;
  const count = (): void => {
    over++;
  };
  const ready = sources.ready.then(count);
  clock.advanceMs(9_999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(over, 0);
  clock.advanceMs(1);
  await withDeadline(ready, 20_000, () => "the end of the start");
  const reloaded = sources.reload().then(count);
  clock.advanceMs(9_999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(over, 1);
  clock.advanceMs(1);
  await withDeadline(reloaded, 20_000, () => "the end of the reload");
  assert.equal(sources.bundles.find("example.org"), undefined);
});
