// Bundles and svidgate's own SVID from a real SPIRE: entries that come and go, rotation of SVIDs and of authorities, federation,
// an agent that restarts and a server that is down. What a message may do otherwise is in test/integration/workload-api.test.ts.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { systemTimers } from "../../src/base/timers.ts";
import { verifyJwtSvid } from "../../src/identity/jwt-svid.ts";
import { startWorkloadApi, type WorkloadApi } from "../../src/identity/sources/workload-api.ts";
import { parseTrustBundle, type TrustBundle } from "../../src/identity/trust-bundle.ts";
import { createTrustBundles, type TrustBundles } from "../../src/identity/trust-bundles.ts";
import { verifyX509Svid } from "../../src/identity/x509-svid.ts";
import { type Spire, spireMissing, startSpire } from "../support/spire.ts";
import { createEventLog, type EventLog, recordSink } from "../support/workload-api-client.ts";

const PDP = "/ns/authz/sa/svidgate";
const CLIENT = "/ns/shop/sa/checkout";

describe("a real SPIRE", { skip: spireMissing(), timeout: 120_000 }, () => {
  let spire: Spire;
  let other: Spire;
  let log: EventLog;
  let bundles: TrustBundles;
  let api: WorkloadApi;
  let entry = "";

  const held = (trustDomain = "example.org"): TrustBundle => {
    const found = bundles.find(trustDomain)?.bundle;
    assert.ok(found !== undefined, `there is a bundle of ${trustDomain}`);
    return found;
  };
  const authorityIds = (): readonly (string | undefined)[] =>
    held().x509Authorities.map(({ fields }) => fields.subjectKeyId);
  const isLive = (): boolean => bundles.ageSeconds("example.org", systemClock.unixMs() + 1_000) === 0;
  const states = (): readonly string[] => api.status().streams.map(({ state }) => state);
  /** Waits for something that comes in steps whose number is SPIRE's business. */
  const until = async (line: RegExp, isSo: () => boolean): Promise<void> => {
    while (!isSo()) await log.next(line);
  };
  const createEntry = (federatesWith: readonly string[] = []): Promise<string> =>
    spire.createEntry({
      ...{ path: PDP, program: process.execPath, x509TtlSeconds: 16, hint: "pdp" },
      ...{ federatesWith, dnsNames: ["svidgate"] },
    });

  const verifyCertificate = ({ certificatePem }: { readonly certificatePem: string }): string => {
    const leaf = new X509Certificate(certificatePem).raw;
    const verified = verifyX509Svid(leaf, { bundles, nowUnixMs: systemClock.unixMs() });
    return verified.ok ? verified.value.spiffeId.id : verified.code;
  };
  const verifyToken = async (token: string, audience = "svidgate"): Promise<string> => {
    const verified = await verifyJwtSvid(token, { bundles, audiences: [audience], nowUnixMs: systemClock.unixMs() });
    return verified.ok ? verified.value.spiffeId.id : verified.code;
  };

  before(async () => {
    [spire, other] = await Promise.all([startSpire(), startSpire({ trustDomain: "other.test", agent: false })]);
    await spire.setForeignBundle("other.test", await other.bundle());
    await spire.createEntry({ path: CLIENT, program: spire.agentProgram });
    log = createEventLog();
    const others = { origin: "workload_api", maxStalenessMs: 3_600_000 } as const;
    bundles = createTrustBundles({ clock: systemClock, trustDomains: new Map(), others });
    api = startWorkloadApi({ socket: spire.socket, wantSvid: true }, recordSink(bundles.sink("workload_api"), log), {
      clock: systemClock,
      timers: systemTimers,
      onStreamChange: ({ name, state, problem }) => log.write(`stream ${name} ${state} ${problem ?? ""}`),
    });
    api.onSvid(() => log.write("svid"));
  });
  after(async () => {
    api?.close();
    await Promise.all([spire?.close(), other?.close()]);
  });

  it("denies without a registration entry, and gives everything once there is one", async () => {
    await api.ready;
    assert.deepEqual(states(), ["denied", "denied", "denied"]);
    assert.match(api.status().streams[0]?.problem ?? "", /registration entry.*no identity issued/);
    assert.equal(api.ownSvid(), undefined);
    entry = await createEntry(["other.test"]);
    await until(/^(stream|svid)/, () => states().every((state) => state === "connected"));
    const server = parseTrustBundle(await spire.bundle(), { trustDomain: "example.org" });
    assert.ok(server.ok);
    assert.deepEqual(
      held().x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
      server.value.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
    );
    assert.deepEqual([...held().jwtAuthorities.keys()], [...server.value.jwtAuthorities.keys()]);
    assert.deepEqual(held().ignored, []);
    assert.ok(isLive());
  });

  it("gives svidgate's own SVID, and the next one before it ends", async () => {
    const first = api.ownSvid();
    assert.ok(first !== undefined);
    assert.equal(first.spiffeId, `spiffe://example.org${PDP}`);
    assert.equal(first.hint, "pdp");
    const leaf = new X509Certificate(first.certificateChain[0] ?? Buffer.alloc(0));
    assert.ok(held().x509Authorities.some(({ x509 }) => leaf.verify(x509.publicKey)));
    await until(/^svid/, () => api.ownSvid() !== first);
    const second = api.ownSvid();
    assert.ok(second !== undefined && second.notAfterUnixMs > first.notAfterUnixMs);
    assert.ok(systemClock.unixMs() < first.notAfterUnixMs, "before the first has ended");
    assert.notDeepEqual(second.privateKeyPkcs8, first.privateKeyPkcs8);
  });

  it("gives bundles of federated trust domains, apart, and takes them back", async () => {
    const server = parseTrustBundle(await other.bundle(), { trustDomain: "other.test" });
    assert.ok(server.ok);
    assert.equal(
      held("other.test").x509Authorities[0]?.fingerprintSha256,
      server.value.x509Authorities[0]?.fingerprintSha256,
    );
    assert.deepEqual([...held("other.test").jwtAuthorities.keys()], [...server.value.jwtAuthorities.keys()]);
    const [foreign, token] = [await other.mintX509Svid("/a"), await other.mintJwtSvid("/a", "svidgate")];
    assert.equal(verifyCertificate(foreign), "spiffe://other.test/a");
    assert.equal(await verifyToken(token), "spiffe://other.test/a");
    await spire.deleteForeignBundle("other.test");
    await log.next(/^withdraw other.test/);
    assert.equal(verifyCertificate(foreign), "no_bundle");
    assert.equal(await verifyToken(token), "no_bundle");
    assert.ok(isLive());
  });

  it("rotates the authority of certificates: two for a while, then the new one, and a new SVID of our own", async () => {
    const { active } = await spire.authorities("x509");
    const client = await spire.fetchX509Svid(CLIENT);
    assert.equal(verifyCertificate(client), `spiffe://example.org${CLIENT}`);
    const next = await spire.prepareAuthority("x509");
    await until(/^replace example.org x509=2/, () => authorityIds().length === 2);
    assert.deepEqual([...authorityIds()].sort(), [active, next].sort());
    await spire.activateAuthority("x509", next);
    await spire.taintAuthority("x509", active);
    await until(/^svid/, () => {
      const [leaf] = api.ownSvid()?.certificateChain ?? [];
      const issuer = held().x509Authorities.find(({ fields }) => fields.subjectKeyId === next);
      return leaf !== undefined && issuer !== undefined && new X509Certificate(leaf).verify(issuer.x509.publicKey);
    });
    assert.equal(verifyCertificate(client), `spiffe://example.org${CLIENT}`, "until the old one is revoked");
    await spire.revokeAuthority("x509", active);
    await until(/^replace example.org x509=1/, () => authorityIds().length === 1);
    assert.deepEqual(authorityIds(), [next]);
    assert.equal(verifyCertificate(client), "untrusted");
    assert.equal(verifyCertificate(await spire.fetchX509Svid(CLIENT)), `spiffe://example.org${CLIENT}`);
  });

  it("rotates the authority of tokens: a token of the new key has its key here before it is signed", async () => {
    const { active } = await spire.authorities("jwt");
    const token = await spire.fetchJwtSvid(CLIENT, "svidgate");
    assert.equal(await verifyToken(token), `spiffe://example.org${CLIENT}`);
    assert.equal(await verifyToken(token, "another"), "aud");
    const next = await spire.prepareAuthority("jwt");
    await until(/^replace example.org x509=1 jwt=2/, () => held().jwtAuthorities.has(next));
    assert.ok(held().jwtAuthorities.has(active));
    await spire.activateAuthority("jwt", next);
    // The agent gives the same audiences the token that it has, for half of its life.
    const renewed = await spire.fetchJwtSvid(CLIENT, "svidgate", "another");
    assert.equal(await verifyToken(renewed), `spiffe://example.org${CLIENT}`);
    const header = renewed.split(".")[0] ?? "";
    assert.equal((JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string }).kid, next);
    await spire.taintAuthority("jwt", active);
    await spire.revokeAuthority("jwt", active);
    await until(/^replace example.org x509=1 jwt=1/, () => !held().jwtAuthorities.has(active));
    assert.deepEqual([...held().jwtAuthorities.keys()], [next]);
    assert.equal(await verifyToken(token), "kid");
    assert.equal(await verifyToken(renewed), `spiffe://example.org${CLIENT}`);
  });

  it("keeps the last good bundle while the agent restarts, and is live again after that", async () => {
    const { generation } = bundles;
    await spire.agent.stop();
    await until(/^stream/, () => states().every((state) => state === "connecting"));
    assert.equal(held().x509Authorities.length, 1);
    assert.ok(!isLive());
    await spire.agent.start();
    await until(/^(live|svid|stream)/, () => states().every((state) => state === "connected"));
    assert.ok(isLive());
    assert.equal(bundles.generation, generation, "the same content has no new generation");
  });

  it("keeps the last good bundle while the server is down, the agent too, and until both are back", async () => {
    const { generation } = bundles;
    await spire.server.stop("SIGKILL");
    assert.ok(isLive(), "the agent answers from what it knows");
    await spire.agent.stop("SIGKILL");
    await until(/^stream/, () => states().every((state) => state === "connecting"));
    spire.agent.launch();
    await spire.agent.logged("Failed to initialize manager");
    assert.ok(!isLive(), "an agent without its server does not serve");
    assert.equal(held().x509Authorities.length, 1);
    assert.ok(api.ownSvid() !== undefined);
    await spire.server.start();
    await spire.agent.logged("Starting agent APIs");
    await until(/^(live|svid|stream)/, () => states().every((state) => state === "connected"));
    assert.ok(isLive());
    assert.equal(bundles.generation, generation);
  });

  it("says that it is denied when the entry is gone, and keeps for a moment what it had", async () => {
    await spire.deleteEntry(entry);
    await until(/^stream/, () => states().every((state) => state === "denied"));
    assert.equal(held().x509Authorities.length, 1);
    assert.ok(!isLive());
    entry = await createEntry();
    await until(/^(live|svid|stream)/, () => states().every((state) => state === "connected"));
    assert.ok(isLive());
  });
});
