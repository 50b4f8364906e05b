import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadListenerTls, type OwnSvidSource, type TlsSettings, toTlsStatus, wantsTls } from "../../src/app-tls.ts";
import { followTls, watchTls } from "../../src/app-tls-follow.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import type { OwnSvid } from "../../src/identity/sources/own-svid.ts";
import type { TlsMaterial } from "../../src/server/tls-material.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createTestAuthority } from "../support/ca.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { makeFolder } from "../support/open-check-server.ts";

const ENVOY = "spiffe://example.org/ns/edge/sa/envoy";
const OWN = "spiffe://example.org/ns/authz/sa/svidgate";
const authority = await createTestAuthority();
const [first, second] = await Promise.all([
  authority.svid("/ns/authz/sa/svidgate"),
  authority.svid("/ns/authz/sa/svidgate"),
]);

const PLAIN: TlsSettings = {
  tlsSource: "files",
  tlsCertificate: undefined,
  tlsPrivateKey: undefined,
  tlsClientCa: undefined,
  tlsClientSpiffeIds: [],
  tlsMinVersion: "1.2",
  workloadApi: undefined,
  trustDomains: new Map(),
};

/** Writes beside and moves into place, as renewals do. */
function write(path: string, text: string): string {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

function filesOf(t: TestContext, own: IssuedCertificate = first): TlsSettings {
  const folder = makeFolder(t);
  return {
    ...PLAIN,
    tlsCertificate: write(join(folder, "cert.pem"), own.certificatePem),
    tlsPrivateKey: write(join(folder, "key.pem"), own.privateKeyPem),
  };
}

const svidOf = ({ certificatePem, privateKeyPem }: IssuedCertificate): OwnSvid => ({
  spiffeId: OWN,
  certificateChain: [new X509Certificate(certificatePem).raw],
  privateKeyPkcs8: createPrivateKey(privateKeyPem).export({ format: "der", type: "pkcs8" }),
  notBeforeUnixMs: 0,
  notAfterUnixMs: 0,
});

/** A Workload API that gives what the test sets. */
function createSvids(): OwnSvidSource & { give(svid: OwnSvid): void; readonly listeners: number } {
  let svid: OwnSvid | undefined;
  const listeners = new Set<() => void>();
  return {
    ownSvid: () => svid,
    onSvid: (listen) => {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    give: (next) => {
      svid = next;
      for (const listen of listeners) listen();
    },
    get listeners() {
      return listeners.size;
    },
  };
}

describe("the listener's TLS settings", () => {
  const trusted = { trustDomains: new Map([["example.org", {}]]) };
  const ids = { tlsClientSpiffeIds: [ENVOY] };
  const rows: readonly (readonly [name: string, changes: Partial<TlsSettings>, problem: RegExp])[] = [
    ["a certificate without key", { tlsCertificate: "/c" }, /^svidgate\.tls\.private_key: missing/],
    ["a key without certificate", { tlsPrivateKey: "/k" }, /^svidgate\.tls\.certificate: missing/],
    ["a client CA without TLS", { tlsClientCa: "/ca", ...ids }, /^svidgate\.tls\.client_ca: has no effect/],
    [
      "a client CA without IDs",
      { tlsCertificate: "/c", tlsPrivateKey: "/k", tlsClientCa: "/ca" },
      /^svidgate\.tls\.client_spiffe_ids: missing/,
    ],
    [
      "IDs that nobody can prove",
      { tlsCertificate: "/c", tlsPrivateKey: "/k", ...ids },
      /^svidgate\.tls\.client_ca: missing: without it or trust bundles \(.*\) nobody proves/,
    ],
    ["IDs without TLS", { ...trusted, ...ids }, /^svidgate\.tls\.client_spiffe_ids: has no effect without TLS/],
    [
      "IDs of a trust domain that has no bundle",
      { tlsCertificate: "/c", tlsPrivateKey: "/k", trustDomains: new Map([["other.example", {}]]), ...ids },
      /`spiffe:\/\/example\.org\/.*` is of a trust domain without a bundle: set `svidgate\.identity\.trust_domains\.example\.org\.bundle`$/,
    ],
    ["no SVID from the Workload API", { tlsSource: "workload_api", workloadApi: "unix:///s" }, /has given no SVID/],
  ];
  for (const [name, changes, problem] of rows) {
    it(`are refused with ${name}`, async () => {
      const loaded = await loadListenerTls({ ...PLAIN, ...changes }, Date.now(), createSvids());
      assert.ok(!loaded.ok);
      assert.equal(loaded.problems.length, 1, loaded.problems.join("\n"));
      assert.match(loaded.problems[0] ?? "", problem);
    });
  }

  it("give plaintext, no client certificates, or clients proven by client_ca or by bundles", async (t) => {
    const files = filesOf(t);
    const svids = createSvids();
    svids.give(svidOf(first));
    const ca = write(join(makeFolder(t), "ca.pem"), authority.certificatePem);
    const workloadApi = { tlsSource: "workload_api", workloadApi: "unix:///s" } as const;
    const proofOf = async (settings: TlsSettings): Promise<string | undefined> => {
      const loaded = await loadListenerTls(settings, Date.now(), svids);
      assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join());
      assert.equal(loaded.material !== undefined, wantsTls(settings));
      return loaded.material?.clientProof;
    };
    assert.equal(await proofOf(PLAIN), undefined);
    assert.equal(await proofOf(files), "none");
    assert.equal(await proofOf({ ...files, ...ids, tlsClientCa: ca }), "client_ca");
    assert.equal(await proofOf({ ...files, ...ids, tlsClientCa: ca, ...trusted }), "client_ca");
    assert.equal(await proofOf({ ...files, ...ids, ...trusted }), "bundles");
    assert.equal(await proofOf({ ...files, ...ids, workloadApi: "unix:///s" }), "bundles");
    assert.equal(await proofOf({ ...PLAIN, ...workloadApi }), "none");
    assert.equal(await proofOf({ ...PLAIN, ...workloadApi, ...ids }), "bundles");
    assert.equal(await proofOf({ ...PLAIN, ...workloadApi, ...ids, tlsClientCa: ca }), "client_ca");
  });
});

interface Watching {
  readonly clock: ManualClock;
  readonly lines: string[];
  readonly counted: string[];
  readonly watch: ReturnType<typeof watchTls>;
  material(): TlsMaterial | undefined;
  /** Lets time and the file system go on until it holds. */
  until(holds: () => boolean): Promise<void>;
}

async function startWatching(t: TestContext, settings: TlsSettings, svids?: OwnSvidSource): Promise<Watching> {
  const clock = createManualClock(Date.now());
  const lines: string[] = [];
  const counted: string[] = [];
  const loaded = await loadListenerTls(settings, clock.unixMs(), svids);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join());
  let { material } = loaded;
  const watch = watchTls(
    settings,
    {
      clock,
      timers: clock.timers,
      log: createLog({ level: "debug", write: (line) => lines.push(line), clock }),
      svids,
      counted: (result) => counted.push(result),
      inForce: () => material,
    },
    (next) => {
      material = next;
    },
  );
  t.after(() => watch.close());
  return {
    clock,
    lines,
    counted,
    watch,
    material: () => material,
    until: async (holds) => {
      const end = performance.now() + 20_000;
      while (!holds()) {
        assert.ok(performance.now() < end, `not within 20 s: ${holds.toString()}\n${lines.join("")}`);
        clock.advanceMs(20);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe("watching TLS files", () => {
  it("takes a renewed certificate and key, whichever comes first, and says so once", async (t) => {
    const settings = filesOf(t);
    const { material, until, counted, lines, watch } = await startWatching(t, settings);
    const before = material()?.leaf.serial;
    write(settings.tlsPrivateKey ?? "", second.privateKeyPem);
    write(settings.tlsCertificate ?? "", second.certificatePem);
    await until(() => material()?.leaf.serial !== before);
    assert.equal(material()?.leaf.serial, new X509Certificate(second.certificatePem).serialNumber);
    assert.deepEqual(counted, ["success"]);
    assert.match(
      lines.join(""),
      /"msg":"TLS certificate renewed","spiffeId":"spiffe:\/\/example\.org\/ns\/authz\/sa\/svidgate"/,
    );
    assert.equal(watch.last?.result, "success");
  });

  it("keeps what is in force when a renewal is broken, says why, and takes it when it is mended", async (t) => {
    const settings = filesOf(t);
    const { material, until, counted, lines, watch } = await startWatching(t, settings);
    const before = material();
    write(settings.tlsCertificate ?? "", second.certificatePem);
    await until(() => counted.length > 0);
    assert.equal(material(), before);
    assert.deepEqual(counted, ["failure"]);
    assert.match(
      lines.join(""),
      /"level":"error","msg":"TLS renewal failed: certificate and key in force stay".*is not the key of/,
    );
    assert.doesNotMatch(lines.join(""), /PRIVATE KEY-----/);
    const status = toTlsStatus(material(), watch.last) as { renewal: { result: string; problems: string[] } };
    assert.equal(status.renewal.result, "failure");
    assert.match(status.renewal.problems.join(), /write both from one renewal/);
    write(settings.tlsPrivateKey ?? "", second.privateKeyPem);
    await until(() => counted.length > 1);
    assert.notEqual(material(), before);
    assert.deepEqual(counted, ["failure", "success"]);
  });

  it("forgets a failed renewal once a reload has read what mends it", async (t) => {
    const settings = filesOf(t);
    const clock = createManualClock(Date.now());
    const load = async (): Promise<TlsMaterial> => {
      const loaded = await loadListenerTls(settings, clock.unixMs());
      assert.ok(loaded.ok && loaded.material !== undefined);
      return loaded.material;
    };
    let tls = await load();
    const counted: string[] = [];
    const identity = { workloadApi: undefined, bundles: undefined, denyList: undefined };
    const log = createLog({ level: "error", write: () => undefined, clock });
    const follower = followTls(
      () => ({ settings, tls, identity }),
      { clock, timers: clock.timers, log, counted: (result) => counted.push(result) },
      { onMaterial: () => assert.fail("it is mended by the reload"), onTrust: () => undefined },
    );
    t.after(() => follower.close());
    write(settings.tlsCertificate ?? "", second.certificatePem);
    const end = performance.now() + 20_000;
    while (counted.length === 0 && performance.now() < end) {
      clock.advanceMs(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(follower.last?.result, "failure");
    write(settings.tlsPrivateKey ?? "", second.privateKeyPem);
    tls = await load();
    follower.restart();
    assert.equal(follower.last, undefined);
  });

  it("notices what changed before it began to watch", async (t) => {
    const settings = filesOf(t);
    const { material, until } = await startWatching(t, settings);
    const before = material();
    // In the same turn as the watcher's start: no event and no poll has had its chance.
    write(settings.tlsCertificate ?? "", second.certificatePem);
    write(settings.tlsPrivateKey ?? "", second.privateKeyPem);
    await until(() => material() !== before);
  });

  it("follows the client authorities too, and nothing once it is closed", async (t) => {
    const ca = write(join(makeFolder(t), "ca.pem"), authority.certificatePem);
    const settings = { ...filesOf(t), tlsClientCa: ca, tlsClientSpiffeIds: [ENVOY] };
    const { material, until, watch, clock, counted } = await startWatching(t, settings);
    const other = await createTestAuthority();
    write(ca, authority.certificatePem + other.certificatePem);
    await until(() => material()?.clientCaPem?.includes(other.certificatePem) === true);
    watch.close();
    write(ca, other.certificatePem);
    for (let turn = 0; turn < 20; turn++) {
      clock.advanceMs(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(counted, ["success"]);
    assert.equal(clock.timers.pending, 0);
  });
});

describe("following the Workload API", () => {
  it("takes each new SVID, and keeps the last one that was good", async (t) => {
    const svids = createSvids();
    svids.give(svidOf(first));
    const settings = { ...PLAIN, tlsSource: "workload_api", workloadApi: "unix:///s" } as const;
    const { material, until, counted, watch, lines } = await startWatching(t, settings, svids);
    svids.give(svidOf(second));
    await until(() => counted.length === 1);
    assert.equal(material()?.leaf.serial, new X509Certificate(second.certificatePem).serialNumber);
    svids.give({ ...svidOf(second), privateKeyPkcs8: svidOf(first).privateKeyPkcs8 });
    await until(() => counted.length === 2);
    assert.deepEqual(counted, ["success", "failure"]);
    assert.equal(material()?.leaf.serial, new X509Certificate(second.certificatePem).serialNumber);
    assert.match(watch.last?.problems.join() ?? "", /^svidgate\.tls\.source: .* is not the key of/);
    svids.give(svidOf(second));
    await until(() => counted.length === 3);
    assert.equal(watch.last?.result, "success");
    assert.doesNotMatch(lines.join(""), /PRIVATE KEY-----/);
    watch.close();
    assert.equal(svids.listeners, 0);
  });
});
