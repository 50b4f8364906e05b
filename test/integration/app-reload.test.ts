// Reloads of a svidgate in this process: what a reload replaces, what it counts, and what becomes of one that ends too late.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type App, startApp } from "../../src/app.ts";
import { systemClock } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type ResolvedSettings, resolveSettings, type Settings } from "../../src/config/settings.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createTestAuthority } from "../support/ca.ts";
import { STACK_ENVIRONMENT, stackReader } from "../support/stack.ts";
import { makeSocketFolder, toDer } from "../support/workload-api-client.ts";
import {
  jwtBundles,
  startWorkloadApiServer,
  type WorkloadApiServer,
  x509Bundles,
} from "../support/workload-api-server.ts";

const GATEWAY = "svidgate.identity.gateways=spiffe://example.org/ns/edge/sa/gateway";
const authority = await createTestAuthority();

function settingsOf(folder: string, ...more: readonly string[]): ResolvedSettings & { readonly ok: true } {
  const policy = join(folder, "policy.rego");
  writeFileSync(policy, "package envoy.authz\n\ndefault allow := false\n");
  const flags = ["svidgate.listen=127.0.0.1:0", "svidgate.admin=127.0.0.1:0", "svidgate.audit.sink=none"];
  const set = [`svidgate.policy.paths=${policy}`, ...flags, ...more];
  const loaded = loadConfig({ flags: new Map(), set, env: STACK_ENVIRONMENT });
  const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given, loaded.notes) : loaded;
  assert.ok(resolved.ok, resolved.ok ? "" : resolved.problems.join("\n"));
  return resolved;
}

interface Running {
  readonly app: App;
  readonly lines: readonly string[];
  status(): Promise<Status>;
  metrics(): Promise<string>;
}

interface Status {
  readonly policy: { readonly warnings: readonly string[] };
  readonly identity: { readonly state_epoch: number };
}

async function start(t: TestContext, settings: Settings): Promise<Running> {
  const lines: string[] = [];
  const log = createLog({ level: "info", write: (line) => lines.push(line), clock: systemClock });
  const started = await startApp(settings, { clock: systemClock, log, readRequest: stackReader });
  assert.ok(started.ok, started.ok ? "" : started.problems.join("\n"));
  const { app } = started;
  let isClosed = false;
  t.after(() => (isClosed ? undefined : app.close()));
  const close = (): Promise<void> => {
    isClosed = true;
    return app.close();
  };
  const get = async (page: string): Promise<string> => (await fetch(`http://${app.adminAddress}${page}`)).text();
  return {
    app: { ...app, close },
    lines,
    status: async () => JSON.parse(await get("/status")) as Status,
    metrics: () => get("/metrics"),
  };
}

/** Answers the next three streams with a bundle of example.org, and gives them. */
async function answer(agent: WorkloadApiServer) {
  const streams = await Promise.all([
    agent.next("FetchX509Bundles"),
    agent.next("FetchJWTBundles"),
    agent.next("FetchX509SVID"),
  ]);
  const [x509, jwt, svid] = streams;
  x509.send(x509Bundles({ "spiffe://example.org": toDer(authority.certificatePem) }));
  jwt.send(jwtBundles({ "spiffe://example.org": '{"keys":[]}' }));
  svid.fail(7, "no entry");
  return { bundles: [x509, jwt] };
}

describe("a reload that replaces identity", () => {
  it("says anew how callers are known, and its epoch goes on", async (t) => {
    const folder = makeSocketFolder(t);
    const agent = await startWorkloadApiServer(t, folder);
    const api = `svidgate.identity.workload_api=${agent.socket}`;
    const [running] = await Promise.all([start(t, settingsOf(folder, api).settings), answer(agent)]);
    const before = (await running.status()).identity.state_epoch;
    const [problems] = await Promise.all([running.app.reload(settingsOf(folder, api, GATEWAY)), answer(agent)]);
    assert.deepEqual(problems, []);
    assert.ok((await running.status()).identity.state_epoch > before);
    assert.equal(running.lines.filter((line) => line.includes('"msg":"identity is verified"')).length, 2);
    // The stream that the agent ended is a problem of the stream, and those that opened are none.
    const levels = running.lines.flatMap(
      (line) => /"level":"(\w+)","msg":"workload API".*?"state":"(\w+)"/.exec(line) ?? [],
    );
    assert.ok(levels.includes("denied") && levels.includes("connected"), running.lines.join(""));
    for (const line of running.lines.filter((text) => text.includes('"msg":"workload API"')))
      assert.match(line, line.includes('"problem"') ? /"level":"warn"/ : /"level":"info"/);
  });

  it("is closed with all it started when it ends after the end", async (t) => {
    const folder = makeSocketFolder(t);
    const agent = await startWorkloadApiServer(t, folder);
    const api = `svidgate.identity.workload_api=${agent.socket}`;
    const [running] = await Promise.all([start(t, settingsOf(folder, api).settings), answer(agent)]);
    const { app, lines } = running;
    const reloading = app.reload(settingsOf(folder, api, GATEWAY));
    await app.close();
    const { bundles } = await answer(agent);
    assert.deepEqual(await reloading, ["svidgate is stopping: nothing is reloaded"]);
    await Promise.all(bundles.map((stream) => stream.left));
    assert.doesNotMatch(lines.join(""), /"msg":"reloaded"/);
    assert.deepEqual(app.settings.gateways, []);
    assert.deepEqual(await app.reload(), ["svidgate is stopping: nothing is reloaded"]);
    assert.equal(agent.opened("FetchX509Bundles"), 2);
  });
});

it("files a trust bundle that is not there yet under identity, not under the policy", async (t) => {
  const folder = makeSocketFolder(t);
  const agent = await startWorkloadApiServer(t, folder);
  const wanted = [
    `svidgate.identity.workload_api=${agent.socket}`,
    "svidgate.identity.trust_domains.example.com.bundle=workload_api",
  ];
  const [running] = await Promise.all([start(t, settingsOf(folder, ...wanted).settings), answer(agent)]);
  assert.deepEqual((await running.status()).policy.warnings, []);
  assert.match(running.lines.join(""), /"msg":"identity","warning":"no trust bundle for example\.com yet: /);
  assert.doesNotMatch(running.lines.join(""), /"msg":"policy"/);
});

it("counts a failed TLS reload only where TLS was at fault", async (t) => {
  const folder = makeSocketFolder(t);
  const own = await authority.svid("/ns/authz/sa/svidgate");
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certificate, own.certificatePem);
  writeFileSync(key, own.privateKeyPem);
  const tls = [`svidgate.tls.certificate=${certificate}`, `svidgate.tls.private_key=${key}`];
  const settings = settingsOf(folder, ...tls);
  const running = await start(t, settings.settings);
  const failures = async (): Promise<string | undefined> =>
    /svidgate_tls_reloads_total\{result="failure"\} (\d+)/.exec(await running.metrics())?.[1];
  writeFileSync(join(folder, "policy.rego"), "package envoy.authz\n\nallow if {");
  assert.equal((await running.app.reload(settings)).length > 0, true);
  assert.equal(await failures(), "0");
  writeFileSync(key, "no key");
  assert.match((await running.app.reload(settings)).join("\n"), /key\.pem/);
  assert.notEqual(await failures(), "0");
});
