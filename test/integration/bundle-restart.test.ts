// A federated trust domain over a restart of identity as the configuration asks for it: kept in `svidgate.state_dir`, taken from there,
// told in the log, and left alone by the commands that are no server.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { type IdentityPorts, startIdentity } from "../../src/app-identity.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemTimers } from "../../src/base/timers.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { bundleText, x509Entry } from "../support/bundle-documents.ts";
import { openBundleEndpoint, webServer } from "../support/bundle-endpoint.ts";
import { makeFolder } from "../support/open-check-server.ts";
import { runInProcess } from "../support/run-cli.ts";
import { issueAuthority } from "../support/signed-certificate.ts";

const webRoot = issueAuthority(undefined, { subject: "web root" });
const authority = issueAuthority(undefined, { uris: ["spiffe://example.org"] });

it("keeps the bundle of an endpoint in the state folder, and takes it from there while the endpoint is silent", async (t) => {
  const endpoint = await openBundleEndpoint(t, webServer(webRoot), bundleText([x509Entry(authority.pem)]));
  const folder = makeFolder(t);
  const stateDir = join(folder, "state");
  const kept = join(stateDir, "bundle-example.org.last-good");
  const roots = join(folder, "roots.pem");
  writeFileSync(roots, webRoot.pem);
  const file = join(folder, "svidgate.json");
  const bundle = { bundle: `${endpoint.url}/bundle`, bundle_profile: "https_web", bundle_ca: roots };
  const svidgate = { state_dir: stateDir, identity: { trust_domains: { "example.org": bundle } } };
  writeFileSync(file, JSON.stringify({ svidgate }));

  const start = async () => {
    const events: string[] = [];
    const lines: string[] = [];
    const log = { ...silentLog, info: (message: string) => void lines.push(message) };
    const loaded = loadConfig({ file, flags: new Map(), set: [], env: {} });
    const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given) : loaded;
    assert.ok(resolved.ok);
    const onBundle: IdentityPorts["onBundle"] = (origin, event) => events.push(`${origin} ${event}`);
    const started = await startIdentity(resolved.settings, { clock: systemClock, timers: systemTimers, log, onBundle });
    assert.ok(started.ok);
    started.identity.close();
    const [status] = started.identity.bundles?.list(systemClock.unixMs()) ?? [];
    return { events, lines, told: [status?.source, status?.state, status?.x509Authorities] };
  };

  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies", "p.rego"), "package envoy.authz\n\nallow := true\n");
  const request = join(folder, "request.json");
  writeFileSync(request, JSON.stringify({ attributes: { request: { http: { method: "GET", path: "/" } } } }));
  const { err } = await runInProcess("check", "-c", file, "--policy", join(folder, "policies"), request);
  assert.equal(endpoint.asked.length, 1, err);
  assert.ok(!existsSync(kept), "`svidgate check` writes nothing there");

  const first = await start();
  assert.deepEqual(first, {
    events: ["https_web changed"],
    lines: ["trust bundle changed"],
    told: ["https_web", "fresh", 1],
  });
  assert.ok(existsSync(kept));
  endpoint.answer((response) => response.writeHead(503).end());
  const second = await start();
  assert.deepEqual(second, {
    events: ["https_web failed"],
    lines: ["trust bundle restored"],
    told: ["https_web", "fresh", 1],
  });
});
