// Paths from a leaf to a bundle, good ones and those that somebody forged. SPEC: RFC 5280 §6.1, X509-SVID §5.1.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { X509SvidCode } from "../../../src/identity/codes.ts";
import { verifyX509Svid, type X509Svid } from "../../../src/identity/x509-svid.ts";
import { extension, oid, sequence } from "../../support/der-certificate.ts";
import { assertExplainsCertificate } from "../../support/explanations.ts";
import { createTestBundles } from "../../support/held-bundles.ts";
import {
  type CertificateProfile,
  createKeys,
  issueAuthority,
  issueCertificate,
  nameConstraints,
  type SignedCertificate,
  sharedKeys,
} from "../../support/signed-certificate.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR_MS = 3_600_000;
const DATES = { notBeforeUnixMs: NOW - HOUR_MS, notAfterUnixMs: NOW + HOUR_MS };
const ID = "spiffe://td1.test/ns/pay/sa/api";
const URI = 0x86;

const root = issueAuthority(undefined, { ...DATES, subject: "root", uris: ["spiffe://td1.test"] });
const ca = (subject: string, issuer: SignedCertificate = root, profile: CertificateProfile = {}) =>
  issueAuthority(issuer, { ...DATES, subject, uris: ["spiffe://td1.test"], ...profile });
const selfSigned = (subject: string, profile: CertificateProfile = {}) =>
  issueAuthority(undefined, { ...DATES, subject, uris: ["spiffe://td1.test"], ...profile });
const leafBelow = (issuer: SignedCertificate, profile: CertificateProfile = {}) =>
  issueCertificate(issuer, { ...DATES, uris: [ID], ...profile });

function verify(
  leaf: SignedCertificate,
  intermediates: readonly SignedCertificate[],
  anchors: readonly SignedCertificate[] = [root],
) {
  const options = {
    bundles: createTestBundles({ "td1.test": anchors }),
    nowUnixMs: NOW,
    intermediates: intermediates.map(({ der }) => der),
  };
  const verified = verifyX509Svid(leaf.der, options);
  assertExplainsCertificate(leaf.der, options, verified.ok ? undefined : verified.code);
  return verified;
}

const codeOf = (...args: Parameters<typeof verify>): X509SvidCode | undefined => {
  const verified = verify(...args);
  return verified.ok ? undefined : verified.code;
};
const pathOf = (svid: X509Svid): readonly Buffer[] => svid.chain.map(({ der }) => Buffer.from(der));

describe("the path to a bundle", () => {
  const intermediate = ca("intermediate");

  it("goes over intermediates in any order, among others that have nothing to do with it", () => {
    const lower = ca("lower", intermediate);
    const leaf = leafBelow(lower);
    const stranger = ca("stranger", selfSigned("strange root"));
    for (const candidates of [
      [lower, intermediate],
      [stranger, intermediate, root, lower, leaf],
    ]) {
      const verified = verify(leaf, candidates);
      assert.ok(verified.ok);
      assert.deepEqual(pathOf(verified.value), [leaf.der, lower.der, intermediate.der, root.der]);
    }
  });

  it("is not there without the intermediate, nor with what is no certificate in its place", () => {
    const leaf = leafBelow(intermediate);
    assert.equal(codeOf(leaf, []), "untrusted");
    const bundles = createTestBundles({ "td1.test": [root] });
    const intermediates = [Buffer.alloc(0), Buffer.from("hello"), intermediate.der.subarray(1)];
    const verified = verifyX509Svid(leaf.der, { bundles, nowUnixMs: NOW, intermediates });
    assert.equal(verified.ok ? undefined : verified.code, "untrusted");
  });

  it("ends at an intermediate that is in the bundle itself, and needs no root then", () => {
    const leaf = leafBelow(intermediate);
    const verified = verify(leaf, [], [intermediate]);
    assert.ok(verified.ok);
    assert.deepEqual(pathOf(verified.value), [leaf.der, intermediate.der]);
  });

  it("is found with the right one of several authorities of one name", () => {
    const keyless = { subjectKeyId: null, authorityKeyId: null };
    const others = Array.from({ length: 5 }, () => selfSigned("rotated", keyless));
    const right = selfSigned("rotated", keyless);
    assert.equal(codeOf(leafBelow(right, { authorityKeyId: null }), [], [...others, right]), undefined);
    assert.equal(codeOf(leafBelow(right, { authorityKeyId: null }), [], others), "untrusted");
  });

  it("is found around a way that leads nowhere", () => {
    // Cross-signed: one key and name, once under an authority that nobody trusts, once under the root.
    const keys = createKeys();
    const nowhere = ca("cross", selfSigned("elsewhere"), { keys });
    const somewhere = ca("cross", root, { keys });
    const leaf = leafBelow(somewhere);
    assert.equal(codeOf(leaf, [nowhere]), "untrusted");
    const verified = verify(leaf, [nowhere, somewhere]);
    assert.ok(verified.ok);
    assert.deepEqual(pathOf(verified.value)[1], somewhere.der);
  });

  it("does not lead over a leaf", () => {
    const leaf = leafBelow(intermediate, { subject: "leaf" });
    const evil = leafBelow(leaf, { subject: "evil", uris: ["spiffe://td1.test/admin"] });
    assert.equal(codeOf(evil, [leaf, intermediate]), "ca_flags");
    const signing = leafBelow(intermediate, { subject: "leaf", keyUsage: [0x02, 0x84] });
    assert.equal(codeOf(leafBelow(signing, { subject: "evil" }), [signing, intermediate]), "ca_flags");
  });

  const rows: readonly (readonly [name: string, profile: CertificateProfile, code?: X509SvidCode])[] = [
    ["without the authority's flag", { isAuthority: false, keyUsage: [0x01, 0x06] }, "ca_flags"],
    ["without a key usage", { keyUsage: undefined }, "ca_flags"],
    ["whose key signs revocation lists only", { keyUsage: [0x01, 0x02] }, "ca_flags"],
    ["that is expired", { notAfterUnixMs: NOW - 1 - 1000 }, "expired"],
    ["that is not valid yet", { notBeforeUnixMs: NOW + 31_000 }, "not_yet_valid"],
    ["that began within the clocks' grace", { notBeforeUnixMs: NOW + 30_000 }],
    [
      "with a critical extension that nobody knows",
      { more: [extension("2b0601040182371501", true, Buffer.of(5, 0))] },
      "critical_ext",
    ],
    [
      "with critical policy constraints",
      { more: [extension("551d24", true, sequence(Buffer.of(0x80, 1, 0)))] },
      "critical_ext",
    ],
    ["with a critical ban of any policy", { more: [extension("551d36", true, Buffer.of(2, 1, 0))] }, "critical_ext"],
    [
      "with critical policies",
      { more: [extension("551d20", true, sequence(sequence(oid("551d2000"))))] },
      "critical_ext",
    ],
    [
      "with policies that are not critical",
      { more: [extension("551d20", false, sequence(sequence(oid("551d2000"))))] },
    ],
    ["with the ID of a workload", { uris: ["spiffe://td1.test/x"] }, "signing_cert_id"],
    ["with two SPIFFE IDs", { uris: ["spiffe://td1.test", "spiffe://td2.test"] }, "signing_cert_id"],
    ["with a SPIFFE ID that is none", { uris: ["spiffe://TD1.test"] }, "signing_cert_id"],
    ["with the ID of another trust domain, which is a matter of taste", { uris: ["spiffe://td9.test"] }],
    ["with a URI that is no SPIFFE ID", { uris: ["https://ca.test/"] }],
    ["without any name", { uris: [] }],
    ["for servers only", { extendedKeyUsage: ["2b06010505070301"] }, "eku"],
    ["for code only", { extendedKeyUsage: ["2b06010505070303"] }, "eku"],
    ["for clients and servers", { extendedKeyUsage: ["2b06010505070301", "2b06010505070302"] }],
    ["with a weak key", { keys: sharedKeys("RSA-1024") }, "weak_crypto"],
    ["signed by SHA-1", { hash: "sha1" }, "weak_crypto"],
    ["that permits its own trust domain", { nameConstraints: nameConstraints([[URI, "td1.test"]]) }],
    [
      "that permits another trust domain only",
      { nameConstraints: nameConstraints([[URI, "td2.test"]]) },
      "name_constraints",
    ],
    [
      "that excludes the trust domain",
      { nameConstraints: nameConstraints([], [[URI, "td1.test"]]) },
      "name_constraints",
    ],
  ];
  for (const [name, profile, code] of rows) {
    it(`${code === undefined ? "leads" : `does not lead (${code})`} over an intermediate ${name}`, () => {
      const middle = ca("middle", root, profile);
      assert.equal(codeOf(leafBelow(middle), [middle]), code);
    });
    if (name === "signed by SHA-1") continue;
    it(`${code === undefined ? "ends" : `does not end (${code})`} at an anchor ${name}`, () => {
      const anchor = selfSigned("anchor", profile);
      assert.equal(codeOf(leafBelow(anchor), [], [anchor]), code);
    });
  }

  it("keeps name constraints of the root for every certificate below, not for the leaf alone", () => {
    const strict = selfSigned("strict", { nameConstraints: nameConstraints([[URI, "td1.test"]]) });
    const foreign = ca("foreign", strict, { uris: ["spiffe://td2.test"] });
    assert.equal(codeOf(leafBelow(foreign), [foreign], [strict]), "name_constraints");
    const own = ca("own", strict);
    assert.equal(codeOf(leafBelow(own), [own], [strict]), undefined);
    assert.equal(codeOf(leafBelow(own, { uris: ["spiffe://td1.test/a"] }), [own], [strict]), undefined);
  });

  describe("with a limit of its length", () => {
    const chainOf = (count: number, top: SignedCertificate): readonly SignedCertificate[] => {
      const chain: SignedCertificate[] = [];
      for (let level = 0; level < count; level++) chain.push(ca(`level ${level}`, chain.at(-1) ?? top));
      return chain;
    };

    it("has as many authorities below one as that allows, the leaf not counted", () => {
      for (const [pathLength, below, code] of [
        [0, 0, undefined],
        [0, 1, "path_len"],
        [1, 1, undefined],
        [1, 2, "path_len"],
        [2, 2, undefined],
      ] as const) {
        const top = selfSigned("top", { pathLength });
        const chain = chainOf(below, top);
        assert.equal(codeOf(leafBelow(chain.at(-1) ?? top), chain, [top]), code, `${pathLength} ${below}`);
      }
    });

    it("counts no authority that issued itself a new certificate", () => {
      const old = selfSigned("roll", { pathLength: 0 });
      const renewed = ca("roll", old);
      assert.equal(codeOf(leafBelow(renewed), [renewed], [old]), undefined);
    });

    it("has five authorities at most", () => {
      const four = chainOf(4, root);
      assert.equal(codeOf(leafBelow(four.at(-1) ?? root), four), undefined);
      const five = chainOf(5, root);
      assert.equal(codeOf(leafBelow(five.at(-1) ?? root), five), "path_len");
    });
  });

  describe("among hostile candidates", () => {
    it("looks at eight, and checks no signature of those without the issuer's name", () => {
      const strangers = Array.from({ length: 8 }, (_, index) => ca(`stranger ${index}`));
      const leaf = leafBelow(intermediate);
      assert.equal(codeOf(leaf, [...strangers.slice(0, 7), intermediate]), undefined);
      assert.equal(codeOf(leaf, [...strangers, intermediate]), "untrusted");
    });

    it("gives up soon among fifty that have one name, and signed each other", () => {
      const keyless = { subjectKeyId: null, authorityKeyId: null };
      const first = selfSigned("same", keyless);
      const crowd = Array.from({ length: 50 }, () => ca("same", first, keyless));
      const started = process.cpuUsage();
      const code = codeOf(leafBelow(first, { authorityKeyId: null }), [first, ...crowd], [root, ...crowd]);
      const { user, system } = process.cpuUsage(started);
      assert.equal(code, "path_len");
      // 100 checks of P-256 take about 10 ms; the sum is far from what every order of eight would take.
      assert.ok(user + system < 2_000_000, `${user + system} µs`);
    });

    it("stops after a hundred signatures", () => {
      const keyless = { subjectKeyId: null, authorityKeyId: null };
      // Sixty anchors of one name, none of which signed; below them, certificates of one key that name them as their issuer.
      const anchors = Array.from({ length: 60 }, () => selfSigned("x", keyless));
      const keys = createKeys();
      const middle = Array.from({ length: 8 }, () => ca("y", selfSigned("x", keyless), { ...keyless, keys }));
      const verified = verify(leafBelow(middle[0] ?? root, { authorityKeyId: null }), middle, anchors);
      assert.ok(!verified.ok);
      assert.equal(verified.code, "path_len");
      assert.equal(verified.detail, "more than 100 signatures to check");
    });

    it("looks neither at the keys nor at the constraints of authorities that no anchor stands behind", () => {
      // By what they say of themselves each would be told as another code than the last.
      const stranger = selfSigned("made up");
      for (const changes of [
        { nameConstraints: nameConstraints([[0x86, "elsewhere.test"]]) },
        { pathLength: 0 },
        { notAfterUnixMs: NOW - 1000 },
        { keys: sharedKeys("RSA-1024") },
      ]) {
        const upper = ca("upper", stranger, changes);
        const lower = ca("lower", upper, changes);
        assert.equal(codeOf(leafBelow(lower), [lower, upper, stranger]), "untrusted", JSON.stringify(changes));
      }
    });

    it("goes round in no circle", () => {
      const [one, two] = [createKeys(), createKeys()];
      const a = ca("a", selfSigned("b", { keys: two }), { keys: one });
      const b = ca("b", selfSigned("a", { keys: one }), { keys: two });
      assert.equal(codeOf(leafBelow(a), [a, b]), "untrusted");
      assert.equal(codeOf(leafBelow(a), [a, b], [root, ca("c")]), "untrusted");
    });

    it("tells what is wrong with a path that is there, before it tells of paths that are not", () => {
      const expired = ca("twin", root, { notAfterUnixMs: NOW - 1000 });
      const foreign = ca("twin", selfSigned("elsewhere"), { keys: expired.keys });
      const leaf = leafBelow(expired);
      assert.equal(codeOf(leaf, [foreign, expired]), "expired");
      assert.equal(codeOf(leaf, [expired, foreign]), "expired");
    });
  });
});
