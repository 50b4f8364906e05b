import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { it } from "node:test";
import { createAuthority } from "../../../src/base/x509.ts";

const DATES = { notBeforeUnixMs: Date.UTC(2026, 0, 1), notAfterUnixMs: Date.UTC(2026, 0, 2) };
const ID = "spiffe://example.org/ns/shop/sa/web";
const authority = await createAuthority({ uri: "spiffe://example.org", ...DATES });
const root = new X509Certificate(authority.certificatePem);

it("makes an authority that is one: signed by itself, CA, with the trust domain's ID", () => {
  assert.ok(root.ca);
  assert.ok(root.verify(root.publicKey));
  assert.equal(root.subjectAltName, "URI:spiffe://example.org");
});

it("issues an X.509-SVID with its key: one URI SAN, no CA, P-256, dates as asked", async () => {
  const { certificatePem, privateKeyPem } = await authority.issue({ uris: [ID], ...DATES });
  const leaf = new X509Certificate(certificatePem);
  assert.equal(leaf.subjectAltName, `URI:${ID}`);
  assert.equal(leaf.ca, false);
  assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey));
  assert.ok(leaf.checkPrivateKey(createPrivateKey(privateKeyPem)));
  assert.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  assert.equal(Date.parse(leaf.validFrom), DATES.notBeforeUnixMs);
  assert.equal(Date.parse(leaf.validTo), DATES.notAfterUnixMs);
  // Extended key usages: what both ends of mTLS ask for.
  assert.deepEqual([...(leaf.keyUsage ?? [])].sort(), ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
});

it("never repeats a serial number, and keeps it positive and within 20 octets", async () => {
  const leaves = await Promise.all(Array.from({ length: 20 }, () => authority.issue({ uris: [ID], ...DATES })));
  const serials = leaves.map(({ certificatePem }) => new X509Certificate(certificatePem).serialNumber);
  assert.equal(new Set(serials).size, serials.length);
  for (const serial of serials) assert.match(serial, /^01[0-9A-F]{30}$/);
});

it("issues what a test of bad certificates needs: several names, none, other subjects", async () => {
  const both = await authority.issue({
    uris: [ID, `${ID}2`],
    dnsNames: ["web.example.org"],
    subject: "CN=web",
    ...DATES,
  });
  const leaf = new X509Certificate(both.certificatePem);
  assert.equal(leaf.subjectAltName, `URI:${ID}, URI:${ID}2, DNS:web.example.org`);
  assert.equal(leaf.subject, "CN=web");
  const none = await authority.issue({ uris: [], ...DATES });
  assert.equal(new X509Certificate(none.certificatePem).subjectAltName, undefined);
});

it("keeps two authorities apart that call themselves the same", async () => {
  const other = await createAuthority({ uri: "spiffe://example.org", ...DATES });
  const forged = await other.issue({ uris: [ID], ...DATES });
  assert.equal(new X509Certificate(forged.certificatePem).verify(root.publicKey), false);
});
