import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { certificateSubject } from "../../../src/identity/credential-facts.ts";
import { parseDenyList } from "../../../src/identity/deny-list.ts";
import { createKnownCertificates, type KnownCertificates } from "../../../src/identity/known-certificates.ts";
import { commonName } from "../../support/der-certificate.ts";
import { createTestBundles } from "../../support/held-bundles.ts";
import {
  type CertificateProfile,
  createKeys,
  issueAuthority,
  issueCertificate,
  type SignedCertificate,
  toEnvoyText,
} from "../../support/signed-certificate.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR_MS = 3_600_000;
const DATES = { notBeforeUnixMs: NOW - HOUR_MS, notAfterUnixMs: NOW + HOUR_MS };
const LONG = { notBeforeUnixMs: NOW - HOUR_MS, notAfterUnixMs: NOW + 24 * HOUR_MS };
const keys = createKeys();
const authority = (profile: CertificateProfile = {}, issuer?: SignedCertificate) =>
  issueAuthority(issuer, { ...LONG, subject: "root", uris: ["spiffe://td1.test"], ...profile });
const root = authority();
const intermediate = authority({ subject: "intermediate" }, root);
const svid = (path = "/a", profile: CertificateProfile = {}, issuer = root) =>
  issueCertificate(issuer, { ...DATES, keys, uris: [`spiffe://td1.test${path}`], ...profile });

const codeOf = (known: KnownCertificates, text: string, nowUnixMs = NOW, chain?: readonly Uint8Array[]) => {
  const verified = known.verify(text, chain, nowUnixMs);
  return verified.ok ? undefined : verified.code;
};

function world(options: { readonly maxEntries?: number; readonly clockSkewMs?: number } = {}) {
  const bundles = createTestBundles({ "td1.test": [root] });
  return { bundles, known: createKnownCertificates({ bundles, ...options }) };
}

describe("known certificates", () => {
  it("compare names whole, and cut them by code points to show them", () => {
    const name = `${"a".repeat(508)}${"\u{1f600}".repeat(100)}`;
    const issuer = issueAuthority(root, { ...LONG, subject: commonName(name), uris: ["spiffe://td1.test"] });
    const leaf = svid("/long", { subject: commonName(name) }, issuer);
    const verified = world().known.verify(toEnvoyText(leaf.der), [issuer.der], NOW);
    assert.ok(verified.ok, verified.ok ? "" : verified.detail);
    const shown = `CN=${"a".repeat(508)}\u{1f600}`;
    assert.deepEqual([verified.value.issuer, verified.value.subject], [shown, shown]);
    assert.equal(verified.value.issuersAndSerials[0]?.issuer, `CN=${name}`);
    const list = parseDenyList(
      JSON.stringify({ entries: [{ issuer: `CN=${name}`, serial: "0a0b", reason: "x", expires: "never" }] }),
    );
    assert.ok(list.ok && list.value.find(certificateSubject(verified.value), NOW) !== undefined);
  });

  it("give the facts of a certificate and its path, frozen, and the same object the next time", () => {
    const { known } = world();
    const leaf = svid(
      "/ns/pay/sa/api",
      { dnsNames: ["api.test"], serial: Buffer.of(0, 0xfe, 1), notAfterUnixMs: NOW + 25 * HOUR_MS },
      intermediate,
    );
    const first = known.verify(toEnvoyText(leaf.der), [intermediate.der], NOW);
    assert.ok(first.ok);
    const { chainFingerprintsSha256, fingerprintSha256, ...facts } = first.value;
    assert.deepEqual(facts, {
      spiffeId: { id: "spiffe://td1.test/ns/pay/sa/api", trustDomain: "td1.test", path: "/ns/pay/sa/api" },
      serial: "fe01",
      issuer: "CN=intermediate",
      subject: "CN=workload",
      keyType: "EC",
      keySize: 256,
      signatureAlgorithm: "ecdsa-with-SHA256",
      dnsNames: ["api.test"],
      notBeforeUnixMs: DATES.notBeforeUnixMs,
      notAfterUnixMs: NOW + 25 * HOUR_MS,
      chainNotAfterUnixMs: LONG.notAfterUnixMs,
      chainLength: 3,
      issuersAndSerials: [
        { issuer: "CN=intermediate", serial: "fe01" },
        { issuer: "CN=root", serial: "0a0b" },
        { issuer: "CN=root", serial: "0a0b" },
      ],
      bundleGeneration: 1,
    });
    assert.equal(chainFingerprintsSha256.length, 3);
    assert.equal(chainFingerprintsSha256[0], fingerprintSha256);
    for (const part of [first.value, first.value.spiffeId, first.value.dnsNames, first.value.issuersAndSerials]) {
      assert.ok(Object.isFrozen(part));
    }
    const again = known.verify(toEnvoyText(leaf.der), [intermediate.der], NOW);
    assert.equal(again.ok && again.value, first.value);
    assert.deepEqual(known.stats(), { entries: 1, hits: 1, misses: 1, evictions: 0 });
  });

  it("name a subject of several parts as RFC 4514 does", () => {
    const { known } = world();
    const part = (oidHex: string, text: string) =>
      Buffer.concat([
        Buffer.from([0x31, text.length + 9, 0x30, text.length + 7, 6, 3]),
        Buffer.from(oidHex, "hex"),
        Buffer.from([0x0c, text.length]),
        Buffer.from(text),
      ]);
    const parts = Buffer.concat([part("550406", "US"), part("55040a", "SPIRE"), part("550403", "a,b")]);
    const leaf = svid("/a", { subject: Buffer.concat([Buffer.from([0x30, parts.length]), parts]) });
    const verified = known.verify(toEnvoyText(leaf.der), undefined, NOW);
    assert.equal(verified.ok && verified.value.subject, "CN=a\\,b,O=SPIRE,C=US");
  });

  it("look at the dates of the leaf every time", () => {
    const { known } = world();
    const text = toEnvoyText(svid().der);
    assert.equal(codeOf(known, text), undefined);
    assert.equal(codeOf(known, text, DATES.notAfterUnixMs), undefined);
    assert.equal(codeOf(known, text, DATES.notAfterUnixMs + 1), "expired");
    assert.equal(codeOf(known, text, DATES.notBeforeUnixMs - 30_000), undefined);
    assert.equal(codeOf(known, text, DATES.notBeforeUnixMs - 30_001), "not_yet_valid");
    assert.equal(codeOf(known, text, Number.NaN), "not_yet_valid");
    assert.equal(codeOf(known, text), undefined);
    assert.equal(known.stats().misses, 1);
  });

  it("look at the dates of the whole path every time, and for another path when one has ended", () => {
    const short = authority({ subject: "intermediate", keys: intermediate.keys, notAfterUnixMs: NOW + 1000 }, root);
    const { known } = world();
    const text = toEnvoyText(svid("/a", {}, intermediate).der);
    const chain = [short.der];
    assert.equal(codeOf(known, text, NOW, chain), undefined);
    assert.equal(codeOf(known, text, NOW + 1000, chain), undefined);
    assert.equal(codeOf(known, text, NOW + 1001, chain), "expired");
    assert.equal(codeOf(known, text, NOW + 1001, [short.der, intermediate.der]), undefined);
    assert.equal(codeOf(known, text, NOW + 1001, chain), "expired");
    const rootEnds = authority({ keys: root.keys, notAfterUnixMs: NOW + 1000 });
    const bundles = createTestBundles({ "td1.test": [rootEnds, root] });
    const both = createKnownCertificates({ bundles });
    const direct = toEnvoyText(svid().der);
    const before = both.verify(direct, undefined, NOW);
    assert.equal(before.ok && before.value.chainNotAfterUnixMs, NOW + 1000);
    const after = both.verify(direct, undefined, NOW + 1001);
    assert.equal(after.ok && after.value.chainNotAfterUnixMs, DATES.notAfterUnixMs);
  });

  it("follow the bundle: a changed one is asked again, one without the authority revokes at once", () => {
    const { known, bundles } = world();
    const text = toEnvoyText(svid().der);
    const first = known.verify(text, undefined, NOW);
    bundles.hold("td2.test", [root]);
    assert.equal(codeOf(known, text), undefined);
    assert.equal(known.stats().hits, 1, "another trust domain's bundle does not matter");
    bundles.hold("td1.test", [authority({ subject: "new" }), root]);
    const second = known.verify(text, undefined, NOW);
    assert.ok(first.ok && second.ok);
    assert.deepEqual([first.value.bundleGeneration, second.value.bundleGeneration], [1, 3]);
    bundles.hold("td1.test", [authority({ subject: "new" })]);
    assert.equal(codeOf(known, text), "untrusted");
    bundles.hold("td1.test", []);
    assert.equal(codeOf(known, text), "no_bundle");
    bundles.withdraw("td1.test");
    assert.equal(codeOf(known, text), "no_bundle");
    bundles.hold("td1.test", [root]);
    assert.equal(codeOf(known, text), undefined);
  });

  it("rest on the candidates that came along: without them a certificate is judged without them", () => {
    const { known } = world();
    const text = toEnvoyText(svid("/a", {}, intermediate).der);
    assert.equal(codeOf(known, text), "untrusted");
    assert.equal(codeOf(known, text, NOW, [intermediate.der]), undefined);
    assert.equal(codeOf(known, text, NOW, [Buffer.from(intermediate.der)]), undefined);
    assert.equal(known.stats().hits, 1);
    assert.equal(codeOf(known, text), "untrusted");
    assert.equal(codeOf(known, text, NOW, [intermediate.der, root.der]), undefined);
  });

  it("take no certificate for another: every character counts", () => {
    const { known } = world();
    const text = toEnvoyText(svid().der);
    assert.equal(codeOf(known, text), undefined);
    for (let at = 0; at < text.length; at += 7) {
      const other = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
      assert.notEqual(codeOf(known, other), undefined, `${at}`);
    }
    const twin = svid("/b");
    const verified = known.verify(toEnvoyText(twin.der), undefined, NOW);
    assert.equal(verified.ok && verified.value.spiffeId.path, "/b");
    assert.equal(codeOf(known, text), undefined);
  });

  it("know a certificate's fingerprint, verified or not", () => {
    const { known } = world();
    const [good, evil] = [svid(), issueCertificate(undefined, {})];
    const expected = (one: SignedCertificate) => known.fingerprintOf(toEnvoyText(one.der));
    const before = expected(good);
    assert.match(before ?? "", /^[0-9a-f]{64}$/);
    const verified = known.verify(toEnvoyText(good.der), undefined, NOW);
    assert.equal(verified.ok && verified.value.fingerprintSha256, before);
    assert.equal(expected(good), before);
    assert.match(expected(evil) ?? "", /^[0-9a-f]{64}$/);
    assert.equal(known.fingerprintOf("hello"), undefined);
  });

  it("are bounded: the longest unused leave, those in use stay", () => {
    const { known } = world({ maxEntries: 10 });
    const favourite = toEnvoyText(svid("/favourite").der);
    assert.equal(codeOf(known, favourite), undefined);
    for (let index = 0; index < 40; index++) {
      assert.equal(codeOf(known, toEnvoyText(svid(`/w${index}`).der)), undefined);
      assert.equal(codeOf(known, favourite), undefined);
    }
    assert.deepEqual(known.stats(), { entries: 10, hits: 40, misses: 41, evictions: 31 });
  });

  it("keep fewer of those that are large", () => {
    const { known } = world({ maxEntries: 10 });
    const dnsNames = Array.from({ length: 100 }, (_, index) => `${"x".repeat(60)}.${index}.test`);
    for (let index = 0; index < 12; index++)
      assert.equal(codeOf(known, toEnvoyText(svid(`/w${index}`, { dnsNames }).der)), undefined);
    assert.ok(known.stats().entries < 5, `${known.stats().entries}`);
  });

  it("lose nobody to certificates that prove nothing", () => {
    const { known } = world({ maxEntries: 4 });
    const good = toEnvoyText(svid().der);
    assert.equal(codeOf(known, good), undefined);
    const evil = authority();
    for (let index = 0; index < 30; index++) {
      assert.equal(codeOf(known, toEnvoyText(svid(`/e${index}`, {}, evil).der)), "untrusted");
    }
    assert.equal(codeOf(known, good), undefined);
    assert.deepEqual(known.stats(), { entries: 1, hits: 1, misses: 31, evictions: 0 });
  });

  describe("that were refused a moment ago", () => {
    const refused = toEnvoyText(svid("/a", {}, authority()).der);

    it("are refused again without a look, for a second", () => {
      const { known } = world();
      assert.equal(codeOf(known, refused), "untrusted");
      assert.equal(codeOf(known, refused, NOW + 999), "untrusted");
      assert.equal(known.stats().misses, 1);
      assert.equal(codeOf(known, refused, NOW + 1000), "untrusted");
      assert.equal(known.stats().misses, 2);
    });

    it("are looked at again as soon as the bundle or the candidates are others", () => {
      const { known, bundles } = world();
      bundles.withdraw("td1.test");
      const text = toEnvoyText(svid().der);
      assert.equal(codeOf(known, text), "no_bundle");
      bundles.hold("td1.test", [root]);
      assert.equal(codeOf(known, text), undefined);
      const below = toEnvoyText(svid("/a", {}, intermediate).der);
      assert.equal(codeOf(known, below), "untrusted");
      assert.equal(codeOf(known, below, NOW, [intermediate.der]), undefined);
    });

    it("are looked at again when their time may have come", () => {
      const { known } = world({ clockSkewMs: 0 });
      const early = toEnvoyText(svid("/a", { notBeforeUnixMs: NOW + 10_000 }).der);
      assert.equal(codeOf(known, early, NOW + 9_999), "not_yet_valid");
      assert.equal(codeOf(known, early, NOW + 10_000), undefined);
    });

    it("are bounded in number", () => {
      const { known } = world();
      assert.equal(codeOf(known, refused), "untrusted");
      const other = issueCertificate(undefined, {}).der;
      for (let index = 0; index < 1024; index++) {
        const der = Buffer.from(other);
        der.writeUInt16BE(index, der.length - 2);
        assert.notEqual(codeOf(known, toEnvoyText(der)), undefined);
      }
      const { misses } = known.stats();
      assert.equal(codeOf(known, refused), "untrusted");
      assert.equal(known.stats().misses, misses + 1, "the oldest was forgotten");
    });
  });
});
