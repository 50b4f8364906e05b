import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startBundleEndpoint } from "../../../../src/identity/sources/https.ts";
import { parseTrustBundle } from "../../../../src/identity/trust-bundle.ts";
import { createTrustBundles } from "../../../../src/identity/trust-bundles.ts";
import { bundleText, x509Entry } from "../../../support/bundle-documents.ts";
import {
  openBundleEndpoint,
  type Presented,
  present,
  spiffeServer,
  webServer,
} from "../../../support/bundle-endpoint.ts";
import { createManualClock } from "../../../support/manual-clock.ts";
import { makeFolder } from "../../../support/open-check-server.ts";
import { type CertificateProfile, issueAuthority, issueCertificate } from "../../../support/signed-certificate.ts";

const ID = "spiffe://example.org/spire/server";
const MINUTE_MS = 60_000;
const root = issueAuthority(undefined, { subject: "root", uris: ["spiffe://example.org"] });
const nextRoot = issueAuthority(undefined, { subject: "next root", uris: ["spiffe://example.org"] });
const otherRoot = issueAuthority(undefined, { subject: "other root", uris: ["spiffe://other.test"] });
const documentOf = (...roots: readonly { readonly pem: string }[]): string =>
  bundleText(roots.map(({ pem }) => x509Entry(pem)));
const shown = spiffeServer(root, ID);

interface Changes {
  readonly show?: Presented;
  readonly document?: string;
  readonly endpointSpiffeId?: string;
  /** Null: none is configured. */
  readonly bootstrap?: string | null;
}

/** The bundle of `example.org` from a real endpoint of `example.org` itself; `other.test` is there from a file. */
async function open(t: TestContext, changes: Changes = {}) {
  const { show = shown, document = documentOf(root), endpointSpiffeId = ID, bootstrap = root.pem } = changes;
  const endpoint = await openBundleEndpoint(t, show, document);
  const bootstrapFile = join(makeFolder(t), "bootstrap.pem");
  if (bootstrap !== null) writeFileSync(bootstrapFile, bootstrap);
  const clock = createManualClock(Date.now());
  const told: string[] = [];
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([
      ["example.org", { origin: "https_spiffe", maxStalenessMs: 0 }],
      ["other.test", { origin: "file", maxStalenessMs: 0 }],
    ]),
    onProblem: ({ problem }) => told.push(problem),
  });
  const other = parseTrustBundle(otherRoot.pem, { trustDomain: "other.test" });
  assert.ok(other.ok);
  bundles.sink("file").replace(other.value);
  const source = startBundleEndpoint(
    {
      trustDomain: "example.org",
      url: `${endpoint.url}/bundle`,
      profile: { name: "https_spiffe", endpointSpiffeId, ...(bootstrap === null ? {} : { bootstrapFile }) },
    },
    bundles.sink("https_spiffe"),
    { clock, timers: clock.timers, bundles, random: () => 0 },
  );
  t.after(() => source.close());
  await source.ready;
  const poll = async (): Promise<void> => {
    clock.advanceMs(clock.timers.nextMs ?? 0);
    await source.reload();
  };
  const authorities = (): number | undefined => bundles.find("example.org")?.bundle.x509Authorities.length;
  return { endpoint, source, bundles, told, poll, authorities, bootstrapFile };
}

const shows = (profile: CertificateProfile): Presented =>
  present(issueCertificate(root, { subject: "server", uris: [ID], ...profile }));

describe("https_spiffe", () => {
  it("believes the configured workload by a bootstrap bundle, whatever its host name", async (t) => {
    const { authorities, told, bundles, endpoint } = await open(t);
    assert.deepEqual([authorities(), told, endpoint.asked], [1, [], ["GET /bundle"]]);
    assert.ok(endpoint.bytes > 80, "the request itself is counted");
    assert.equal(bundles.find("example.org")?.source, "https_spiffe");
  });

  it("takes a bundle document as bootstrap too", async (t) => {
    assert.equal((await open(t, { bootstrap: documentOf(root) })).authorities(), 1);
  });

  it("finds a path over the intermediate certificates that the server sends", async (t) => {
    const between = issueAuthority(root, { subject: "between" });
    const { authorities, told } = await open(t, { show: spiffeServer(root, ID, between) });
    assert.deepEqual([authorities(), told], [1, []]);
  });

  it("asks an endpoint of another trust domain by the bundle of that one", async (t) => {
    const id = "spiffe://other.test/federation";
    const { authorities, told } = await open(t, {
      show: spiffeServer(otherRoot, id),
      endpointSpiffeId: id,
      bootstrap: null,
    });
    assert.deepEqual([authorities(), told], [1, []]);
  });

  const between = issueAuthority(root, { subject: "between" });
  const notCa = issueCertificate(root, { subject: "leaf", uris: ["spiffe://example.org/leaf"] });
  const unproven: readonly (readonly [name: string, show: Presented, why: RegExp])[] = [
    [
      "another workload of the trust domain",
      shows({ uris: ["spiffe://example.org/web"] }),
      /it is `spiffe:\/\/example\.org\/web`, not/,
    ],
    [
      "one whose ID begins with the right one",
      shows({ uris: [`${ID}/x`] }),
      /not `spiffe:\/\/example\.org\/spire\/server`/,
    ],
    ["one of a trust domain that looks alike", shows({ uris: ["spiffe://example.org./spire/server"] }), /no_bundle/],
    ["the trust domain in capitals", shows({ uris: ["spiffe://EXAMPLE.org/spire/server"] }), /spiffe_id/],
    ["the trust domain alone", shows({ uris: ["spiffe://example.org"] }), /spiffe_id/],
    ["two IDs", shows({ uris: [ID, "spiffe://example.org/web"] }), /uri_san_count/],
    ["no ID but the right host name", shows({ uris: [], dnsNames: ["localhost"] }), /uri_san_count/],
    [
      "an expired certificate",
      shows({ notAfterUnixMs: Date.now() - MINUTE_MS }),
      /expired.*correct this machine's clock/,
    ],
    ["a certificate of tomorrow", shows({ notBeforeUnixMs: Date.now() + 10 * MINUTE_MS }), /not_yet_valid/],
    ["a certificate authority", shows({ isAuthority: true }), /leaf_is_ca/],
    [
      "a right name signed by another trust domain",
      spiffeServer(otherRoot, ID),
      /untrusted.*give a new `bundle_bootstrap`/,
    ],
    ["a right name signed by itself", present(issueCertificate(undefined, { uris: [ID] })), /untrusted/],
    ["a right name signed by the web", webServer(issueAuthority(undefined, {}), ["localhost"]), /uri_san_count/],
    ["a name signed by a leaf", spiffeServer(root, ID, notCa), /ca_flags|untrusted/],
    [
      "an expired certificate between",
      spiffeServer(root, ID, issueAuthority(root, { subject: "between", notAfterUnixMs: Date.now() - MINUTE_MS })),
      /expired/,
    ],
    ["no certificate between, where one is needed", present(issueCertificate(between, { uris: [ID] })), /untrusted/],
  ];
  for (const [name, show, why] of unproven) {
    it(`sends no byte to ${name}, and keeps what it has`, async (t) => {
      const { endpoint, poll, told, authorities } = await open(t, { document: documentOf(root) });
      const before = endpoint.bytes;
      endpoint.present(show);
      endpoint.answer((response) => response.end(documentOf()));
      await poll();
      assert.equal(told.length, 1);
      assert.match(told[0] ?? "", why);
      assert.ok(told[0]?.endsWith(": the last good bundle stays in force"));
      assert.deepEqual([endpoint.bytes - before, endpoint.asked.length, authorities()], [0, 1, 1]);
      endpoint.present(shown);
      await poll();
      assert.equal(authorities(), 0);
    });
  }

  it("says what is missing without any bundle to begin with", async (t) => {
    const { told, endpoint } = await open(t, { bootstrap: null });
    assert.match(
      told.join(),
      /there is no bundle of trust domain example\.org to verify it with: set `bundle_bootstrap`/,
    );
    assert.deepEqual([endpoint.bytes, endpoint.asked], [0, []]);
  });

  it("says what is wrong with its bootstrap bundle, and reads it again", async (t) => {
    const { told, poll, bootstrapFile, authorities } = await open(t, { bootstrap: "" });
    assert.match(told.join(), /`bundle_bootstrap` `.*bootstrap\.pem`: it holds no PEM certificate/);
    writeFileSync(bootstrapFile, root.pem);
    await poll();
    assert.equal(authorities(), 1);
  });

  it("refuses an ID that is none", async (t) => {
    const { told } = await open(t, { endpointSpiffeId: "example.org/spire/server" });
    assert.match(told.join(), /`bundle_endpoint_spiffe_id` is no SPIFFE ID \(scheme\)/);
  });

  it("always uses the newest bundle: authorities change under it, and the bootstrap counts no more", async (t) => {
    const { endpoint, poll, told, authorities } = await open(t, { document: documentOf(root, nextRoot) });
    assert.equal(authorities(), 2);
    endpoint.present(spiffeServer(nextRoot, ID));
    endpoint.answer((response) => response.end(documentOf(nextRoot)));
    await poll();
    assert.deepEqual([authorities(), told], [1, []]);
    endpoint.present(shown);
    await poll();
    assert.match(told.join(), /untrusted/);
  });

  it("does not fall back to its bootstrap bundle once everything was revoked", async (t) => {
    const { endpoint, poll, told, authorities } = await open(t);
    endpoint.answer((response) => response.end(documentOf()));
    await poll();
    assert.deepEqual([authorities(), told], [0, []]);
    endpoint.answer((response) => response.end(documentOf(root)));
    await poll();
    assert.match(told.join(), /no_bundle.*the newest bundle has no certificate authorities/);
    assert.deepEqual([authorities(), endpoint.asked.length], [0, 2]);
  });

  it("follows a redirect to a server with the same ID", async (t) => {
    const second = await openBundleEndpoint(t, spiffeServer(root, ID), documentOf(root, nextRoot));
    const { endpoint, poll, authorities, told } = await open(t);
    endpoint.answer((response) => response.writeHead(302, { location: `${second.url}/b` }).end());
    await poll();
    assert.deepEqual([authorities(), told, second.asked], [2, [], ["GET /b"]]);
  });

  it("follows no redirect to a server with another ID, or with a certificate of the web", async (t) => {
    const other = spiffeServer(root, "spiffe://example.org/web");
    const second = await openBundleEndpoint(t, other, documentOf());
    const { endpoint, poll, authorities, told } = await open(t);
    endpoint.answer((response) => response.writeHead(302, { location: second.url }).end());
    await poll();
    second.present(webServer(issueAuthority(undefined, {})));
    await poll();
    assert.match(told[0] ?? "", /redirected to localhost:\d+: it is `spiffe:\/\/example\.org\/web`, not/);
    assert.match(told[1] ?? "", /redirected to localhost:\d+: its X509-SVID does not verify \(uri_san_count\)/);
    assert.deepEqual([authorities(), second.bytes, second.asked], [1, 0, []]);
  });
});
