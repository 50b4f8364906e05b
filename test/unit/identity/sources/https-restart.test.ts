import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type BundleEndpointOptions, startBundleEndpoint } from "../../../../src/identity/sources/https.ts";
import { createTrustBundles } from "../../../../src/identity/trust-bundles.ts";
import { bundleText, x509Entry } from "../../../support/bundle-documents.ts";
import { openBundleEndpoint, present } from "../../../support/bundle-endpoint.ts";
import { createManualClock, type ManualClock } from "../../../support/manual-clock.ts";
import { makeFolder } from "../../../support/open-check-server.ts";
import { issueAuthority, issueCertificate, type SignedCertificate } from "../../../support/signed-certificate.ts";

const ID = "spiffe://example.org/spire/server";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const notAfterUnixMs = Date.now() + 48 * HOUR_MS;
const authority = (subject: string) =>
  issueAuthority(undefined, { subject, uris: ["spiffe://example.org"], notAfterUnixMs });
const serverOf = (signer: SignedCertificate) =>
  present(issueCertificate(signer, { subject: "server", uris: [ID], notAfterUnixMs }));
const [oldRoot, root, nextRoot] = [authority("old root"), authority("root"), authority("next root")];
const documentOf = (sequence: number, ...roots: readonly { readonly pem: string }[]): string =>
  bundleText(
    roots.map(({ pem }) => x509Entry(pem)),
    { spiffe_sequence: sequence },
  );

interface Run {
  readonly bootstrap?: string | null;
  readonly url?: string;
  readonly endpointSpiffeId?: string;
  readonly stateDir?: string;
}

/** An `https_spiffe` endpoint, the files of one machine, and svidgate on it, started as often as a test likes. */
async function open(t: TestContext) {
  const endpoint = await openBundleEndpoint(t, serverOf(root), documentOf(7, root));
  const folder = makeFolder(t);
  const stateDir = join(folder, "state");
  const bootstrapFile = join(folder, "bootstrap.pem");
  const clock = createManualClock(Date.now());
  const serve = (document: string) => endpoint.answer((response) => response.end(document));
  const fall = () => endpoint.answer((response) => response.writeHead(503).end());
  const start = async ({ bootstrap = root.pem, ...changes }: Run = {}) => {
    if (bootstrap !== null) writeFileSync(bootstrapFile, bootstrap);
    const options: BundleEndpointOptions = {
      trustDomain: "example.org",
      url: changes.url ?? `${endpoint.url}/bundle`,
      profile: { name: "https_spiffe", endpointSpiffeId: changes.endpointSpiffeId ?? ID, bootstrapFile },
      stateDir: changes.stateDir ?? stateDir,
    };
    return run(t, options, clock);
  };
  return { endpoint, clock, stateDir, serve, fall, start, kept: join(stateDir, "bundle-example.org.last-good") };
}

async function run(t: TestContext, options: BundleEndpointOptions, clock: ManualClock) {
  const told: string[] = [];
  const keepProblems: string[] = [];
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([["example.org", { origin: "https_spiffe", maxStalenessMs: 24 * HOUR_MS }]]),
    onProblem: ({ problem }) => told.push(problem),
  });
  const source = startBundleEndpoint(options, bundles.sink("https_spiffe"), {
    clock,
    timers: clock.timers,
    bundles,
    random: () => 0,
    onKeepProblem: (problem) => keepProblems.push(problem),
  });
  t.after(() => source.close());
  await source.ready;
  return {
    source,
    told,
    keepProblems,
    state: () => bundles.state("example.org", clock.unixMs()),
    ageMs: () => Math.round(bundles.ageSeconds("example.org", clock.unixMs()) * 1_000),
    sequence: () => bundles.find("example.org")?.bundle.sequence,
    roots: () => bundles.find("example.org")?.bundle.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
  };
}

const prints = (...roots: readonly { readonly der: Uint8Array }[]): readonly string[] =>
  roots.map(({ der }) => hash("sha256", der));

describe("a bundle endpoint over a restart", () => {
  it("is held by its last good bundle while it is silent, as old as that is", async (t) => {
    const world = await open(t);
    const first = await world.start();
    assert.deepEqual([first.roots(), first.ageMs()], [prints(root), 0]);
    first.source.close();
    world.fall();
    world.clock.advanceMs(HOUR_MS);
    const second = await world.start();
    assert.deepEqual([second.roots(), second.sequence(), second.ageMs()], [prints(root), 7n, HOUR_MS]);
    assert.equal(second.state(), "fresh");
    assert.match(second.told.join(), /503.*the last good bundle stays in force/);
    world.clock.advanceMs(23 * HOUR_MS + 1);
    assert.equal(second.state(), "stale", "max_staleness counts from the last success, not from the start");
  });

  it("denies at once when the bundle was too old before the restart, and again accepts when the endpoint answers", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    world.fall();
    world.clock.advanceMs(25 * HOUR_MS);
    const second = await world.start();
    assert.deepEqual([second.state(), second.ageMs()], ["stale", 25 * HOUR_MS]);
    world.serve(documentOf(7, root));
    await second.source.reload();
    assert.deepEqual([second.state(), second.ageMs()], ["fresh", 0]);
  });

  it("asks soon again while it has not answered", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    world.fall();
    const before = world.clock.timers.pending;
    await world.start();
    assert.equal(world.clock.timers.pending, before + 1);
    assert.equal(world.clock.timers.nextMs, 5_000);
  });

  it("is verified with the newest authorities, long after those of the first bundle are gone", async (t) => {
    const world = await open(t);
    const first = await world.start();
    world.serve(documentOf(8, root, nextRoot));
    await first.source.reload();
    first.source.close();
    world.endpoint.present(serverOf(nextRoot));
    world.serve(documentOf(9, nextRoot));
    const second = await world.start();
    assert.deepEqual([second.roots(), second.sequence(), second.told], [prints(nextRoot), 9n, []]);
    second.source.close();
    const third = await world.start();
    assert.deepEqual([third.roots(), third.told], [prints(nextRoot), []]);
  });

  it("without a state folder begins with the first bundle", async (t) => {
    const world = await open(t);
    world.endpoint.present(serverOf(nextRoot));
    const { roots, told } = await world.start();
    assert.equal(roots(), undefined);
    assert.match(told.join(), /untrusted/);
    assert.deepEqual(readdirSync(join(world.stateDir, "..")), ["bootstrap.pem"], "nothing is kept of a failure");
  });

  it("cannot roll back to an older document", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    const before = readFileSync(world.kept);
    world.serve(documentOf(6, root, oldRoot));
    const second = await world.start();
    assert.deepEqual([second.roots(), second.sequence()], [prints(root), 7n]);
    assert.match(second.told.join(), /sequence 6 is older than 7, .*remove its file in svidgate\.state_dir/);
    assert.deepEqual(readFileSync(world.kept), before, "an old document is not kept, nor its time as a success");
  });

  it("begins anew with another first bundle, which the operator has decided", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    world.endpoint.present(serverOf(nextRoot));
    world.serve(documentOf(1, nextRoot));
    const stuck = await world.start();
    assert.match(stuck.told.join(), /untrusted.*give a new `bundle_bootstrap` and restart/);
    stuck.source.close();
    const second = await world.start({ bootstrap: nextRoot.pem });
    assert.deepEqual([second.roots(), second.sequence(), second.told], [prints(nextRoot), 1n, []]);
    second.source.close();
    world.fall();
    const third = await world.start({ bootstrap: nextRoot.pem });
    assert.deepEqual(third.roots(), prints(nextRoot), "what was learnt by the new one is kept");
    third.source.close();
    const back = await world.start({ bootstrap: root.pem });
    assert.equal(back.roots(), undefined, "and is nothing to the old one");
  });

  it("remembers the first bundle that it was believed by, not the one that was put there meanwhile", async (t) => {
    const world = await open(t);
    const first = await world.start();
    writeFileSync(join(world.stateDir, "..", "bootstrap.pem"), nextRoot.pem);
    await first.source.reload();
    first.source.close();
    world.fall();
    assert.equal((await world.start({ bootstrap: null })).roots(), undefined);
  });

  it("begins anew with another URL or another endpoint ID", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    world.fall();
    assert.equal((await world.start({ url: `${world.endpoint.url}/other` })).roots(), undefined);
    assert.equal((await world.start({ endpointSpiffeId: "spiffe://example.org/other" })).roots(), undefined);
    assert.deepEqual((await world.start()).roots(), prints(root));
  });

  it("says that what is kept is broken, and goes on as without it", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    writeFileSync(world.kept, readFileSync(world.kept, "utf8").slice(0, -1));
    const second = await world.start();
    assert.equal(second.told.length, 1);
    assert.match(
      second.told[0] ?? "",
      /^svidgate\.state_dir: `.*bundle-example\.org\.last-good` is not used, since it is damaged.*: there is no bundle yet/,
    );
    assert.deepEqual(second.roots(), prints(root));
    second.source.close();
    world.fall();
    assert.deepEqual((await world.start()).roots(), prints(root), "it was kept anew");
  });

  it("counts an empty bundle as a bundle: what was revoked stays so", async (t) => {
    const world = await open(t);
    const first = await world.start();
    world.serve(documentOf(8));
    await first.source.reload();
    first.source.close();
    world.serve(documentOf(9, root));
    const second = await world.start();
    assert.deepEqual([second.roots(), second.sequence()], [[], 8n]);
    assert.match(second.told.join(), /the newest bundle has no certificate authorities/);
  });

  it("tells once that nothing can be kept, and serves all the same", async (t) => {
    const world = await open(t);
    const first = await world.start({ stateDir: join(world.stateDir, "..", "bootstrap.pem", "x") });
    await first.source.reload();
    assert.deepEqual([first.roots(), first.told, first.keepProblems.length], [prints(root), [], 1]);
    assert.match(first.keepProblems[0] ?? "", /cannot be kept for a restart: ENOTDIR/);
  });

  it("leaves nothing behind of a start that was ended at once", async (t) => {
    const world = await open(t);
    (await world.start()).source.close();
    const asked = world.endpoint.asked.length;
    const pending = world.clock.timers.pending;
    const source = startBundleEndpoint(
      {
        trustDomain: "example.org",
        url: `${world.endpoint.url}/bundle`,
        profile: { name: "https_spiffe", endpointSpiffeId: ID },
        stateDir: world.stateDir,
      },
      {
        replace: () => assert.fail("reached the sink"),
        confirm: () => assert.fail("reached the sink"),
        live: () => assert.fail("reached the sink"),
        withdraw: () => assert.fail("reached the sink"),
        failed: () => assert.fail("reached the sink"),
      },
      { clock: world.clock, timers: world.clock.timers, bundles: { find: () => undefined } },
    );
    source.close();
    await source.ready;
    assert.deepEqual([world.endpoint.asked.length, world.clock.timers.pending], [asked, pending]);
  });
});
