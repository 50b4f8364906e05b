// SPEC: X509-SVID §2 to §5 and RFC 5280: one row for each way in which a certificate fails, over one good fixture. Every
// certificate here is really signed, unless a row is about the signature.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCertificate } from "../../../src/identity/certificate.ts";
import type { X509SvidCode } from "../../../src/identity/codes.ts";
import { verifyX509Svid, type X509SvidOptions } from "../../../src/identity/x509-svid.ts";
import { commonName, element, extension, oid, sequence, subjectAltName } from "../../support/der-certificate.ts";
import { assertExplainsCertificate } from "../../support/explanations.ts";
import { createTestBundles } from "../../support/held-bundles.ts";
import {
  type CertificateProfile,
  createKeys,
  issueAuthority,
  issueCertificate,
  type KeyKind,
  type SignedCertificate,
  sharedKeys,
  signatureAlgorithm,
} from "../../support/signed-certificate.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR_MS = 3_600_000;
const DATES = { notBeforeUnixMs: NOW - HOUR_MS, notAfterUnixMs: NOW + HOUR_MS };
const ID = "spiffe://td1.test/ns/pay/sa/api";
const SERVER_AUTH = "2b06010505070301";
const CLIENT_AUTH = "2b06010505070302";
const CODE_SIGNING = "2b06010505070303";
const ANY_USAGE = "551d2500";
const PRIVATE_OID = "2b0601040182371501";

const authority = (profile: CertificateProfile = {}, issuer?: SignedCertificate) =>
  issueAuthority(issuer, { ...DATES, uris: ["spiffe://td1.test"], ...profile });
const root = authority();
const svid = (profile: CertificateProfile = {}, issuer: SignedCertificate = root) =>
  issueCertificate(issuer, { ...DATES, uris: [ID], ...profile });
const bundles = createTestBundles({
  "td1.test": [root],
  "td2.test": [authority({ uris: ["spiffe://td2.test"] })],
  "empty.test": [],
});

const codeOf = (der: Uint8Array, options: Partial<X509SvidOptions> = {}): X509SvidCode | undefined => {
  const all = { bundles, nowUnixMs: NOW, ...options };
  const verified = verifyX509Svid(der, all);
  const code = verified.ok ? undefined : verified.code;
  assertExplainsCertificate(der, all, code);
  return code;
};

describe("verifyX509Svid", () => {
  it("gives the ID, the leaf and the path of a good certificate", () => {
    const { der } = svid();
    const verified = verifyX509Svid(der, { bundles, nowUnixMs: NOW });
    assert.ok(verified.ok);
    assert.deepEqual(verified.value.spiffeId, { id: ID, trustDomain: "td1.test", path: "/ns/pay/sa/api" });
    assert.deepEqual(Buffer.from(verified.value.leaf.der), der);
    assert.deepEqual(
      verified.value.chain.map((one) => Buffer.from(one.der)),
      [der, root.der],
    );
  });

  it("believes no certificate whose readers do not agree, after everything else says yes", () => {
    const odd = { more: [extension("551d20", false, Buffer.from("hello"))] };
    assert.equal(codeOf(svid(odd).der), "cert_parse");
    assert.equal(codeOf(svid(odd, authority()).der), "untrusted");
    const middle = authority({ subject: "middle", ...odd }, root);
    assert.equal(codeOf(svid({}, middle).der, { intermediates: [middle.der] }), "cert_parse");
  });

  it("takes a certificate that is parsed already", () => {
    const parsed = parseCertificate(svid().der);
    assert.ok(parsed.ok);
    const verified = verifyX509Svid(parsed.value, { bundles, nowUnixMs: NOW });
    assert.ok(verified.ok);
    assert.equal(verified.value.leaf, parsed.value);
  });

  const uri = (text: string): CertificateProfile => ({ uris: [text] });
  const rows: readonly (readonly [name: string, profile: CertificateProfile, code?: X509SvidCode])[] = [
    // 1 and 2: the bytes.
    ["version 1", { version: 0 }, "cert_parse"],
    ["version 4", { version: 3 }, "cert_parse"],
    ["more than 16 KiB", { more: [extension(PRIVATE_OID, false, Buffer.alloc(17_000))] }, "cert_parse"],
    ["two extensions with names", { more: [subjectAltName(["spiffe://td1.test/admin"])] }, "dup_extension"],
    [
      "an unknown extension twice",
      { more: [extension(PRIVATE_OID, false, Buffer.of(5, 0)), extension(PRIVATE_OID, false, Buffer.of(5, 0))] },
      "dup_extension",
    ],
    // 3: names.
    ["no names", { uris: [] }, "uri_san_count"],
    ["DNS names only", { uris: [], dnsNames: ["spiffe.td1.test"] }, "uri_san_count"],
    ["two SPIFFE IDs", { uris: [ID, `${ID}2`] }, "uri_san_count"],
    ["the same SPIFFE ID twice", { uris: [ID, ID] }, "uri_san_count"],
    ["another URI before the ID", { uris: ["https://td1.test/x", ID] }, "uri_san_count"],
    ["another URI behind the ID", { uris: [ID, "urn:x"] }, "uri_san_count"],
    ["DNS names beside the ID", { dnsNames: ["api.pay.test", "*.api.pay.test"] }],
    // 4: the ID.
    ["a URI of another scheme", uri("https://td1.test/x"), "spiffe_id"],
    ["a NUL behind the ID", uri(`${ID}\0.evil`), "spiffe_id"],
    ["a byte above ASCII", uri(`${ID}\xe9`), "spiffe_id"],
    ["UTF-8 in the path", uri(Buffer.from(`${ID}é`).toString("latin1")), "spiffe_id"],
    ["a line feed", uri(`${ID}\n`), "spiffe_id"],
    ["a comma that forges a second name", uri(`${ID}, URI:spiffe://td1.test/admin`), "spiffe_id"],
    ["a quote that forges a second name", uri(`${ID}", URI:"spiffe://td1.test/admin`), "spiffe_id"],
    ["the ID of a trust domain", uri("spiffe://td1.test"), "spiffe_id"],
    ["an upper-case scheme", uri("SPIFFE://td1.test/x"), "spiffe_id"],
    ["an upper-case trust domain", uri("spiffe://TD1.test/x"), "spiffe_id"],
    ["an empty URI", uri(""), "spiffe_id"],
    // 5 and 6: no authority, and its key signs data.
    ["an authority's flag and a leaf's key usage", { isAuthority: true, keyUsage: [0x07, 0x80] }, "leaf_is_ca"],
    ["an authority's flag and key usage", { isAuthority: true, keyUsage: [0x01, 0x86] }, "leaf_is_ca"],
    ["no key usage", { keyUsage: undefined }, "leaf_key_usage"],
    ["a key usage that is not critical", { keyUsageIsCritical: false }, "leaf_key_usage"],
    ["a key usage of no bits at all", { keyUsage: [0] }, "leaf_key_usage"],
    ["a key usage of no usage", { keyUsage: [0x07, 0] }, "leaf_key_usage"],
    ["a key usage with bits behind its end", { keyUsage: [0x07, 0xc0] }, "cert_parse"],
    ["no digital signature", { keyUsage: [0x03, 0x28] }, "leaf_key_usage"],
    ["the signing of certificates", { keyUsage: [0x02, 0x84] }, "leaf_key_usage"],
    ["the signing of revocation lists", { keyUsage: [0x01, 0x82] }, "leaf_key_usage"],
    ["digital signature alone", { keyUsage: [0x07, 0x80] }],
    // 7: extended key usage.
    ["code signing", { extendedKeyUsage: [CODE_SIGNING] }, "eku"],
    ["server authentication alone", { extendedKeyUsage: [SERVER_AUTH] }, "eku"],
    ["client authentication alone", { extendedKeyUsage: [CLIENT_AUTH] }],
    ["any extended key usage", { extendedKeyUsage: [ANY_USAGE] }],
    ["no extended key usage", { extendedKeyUsage: undefined }],
    // 8: an empty subject.
    ["no subject, and names that are not critical", { subject: "" }, "san_critical"],
    ["no subject, and critical names", { subject: "", namesAreCritical: true }],
    ["a subject, and critical names", { namesAreCritical: true }],
    // 9: dates of the leaf.
    ["an end a second ago", { notAfterUnixMs: NOW - 1000 }, "expired"],
    ["an end now", { notAfterUnixMs: NOW }],
    ["an end in a second", { notAfterUnixMs: NOW + 1000 }],
    ["a beginning beyond the clocks' grace", { notBeforeUnixMs: NOW + 31_000 }, "not_yet_valid"],
    ["a beginning within the clocks' grace", { notBeforeUnixMs: NOW + 30_000 }],
    [
      "a beginning and an end in the next century",
      { notBeforeUnixMs: Date.UTC(2060, 0, 1), notAfterUnixMs: Date.UTC(2061, 0, 1) },
      "not_yet_valid",
    ],
    // 10: the bundle of the ID's own trust domain.
    ["a trust domain without a bundle", uri("spiffe://td3.test/x"), "no_bundle"],
    ["a trust domain whose bundle is empty", uri("spiffe://empty.test/x"), "no_bundle"],
    ["a trust domain with a dot too much", uri("spiffe://td1.test./x"), "no_bundle"],
    ["a name below a trust domain", uri("spiffe://a.td1.test/x"), "no_bundle"],
    ["a trust domain that ends alike", uri("spiffe://eviltd1.test/x"), "no_bundle"],
    // 11: another's authority.
    ["the ID of a trust domain with another authority", uri("spiffe://td2.test/x"), "untrusted"],
    ["an issuer's name that is forged", { issuerName: "nobody" }, "untrusted"],
    ["a key identifier of somebody else", { authorityKeyId: "00".repeat(20) }, "untrusted"],
    ["no key identifier of the issuer", { authorityKeyId: null }],
    ["no key identifiers at all", { authorityKeyId: null, subjectKeyId: null }],
    // 15: critical extensions.
    [
      "a critical extension that nobody knows",
      { more: [extension(PRIVATE_OID, true, Buffer.of(5, 0))] },
      "critical_ext",
    ],
    ["critical policies", { more: [extension("551d20", true, sequence(sequence(oid("551d2000"))))] }, "critical_ext"],
    [
      "the same extensions, not critical",
      {
        more: [
          extension(PRIVATE_OID, false, Buffer.of(5, 0)),
          extension("551d20", false, sequence(sequence(oid("551d2000")))),
        ],
      },
    ],
    // 16: the leaf's key and the algorithms of its signature.
    [
      "a signature algorithm that is not the one that was signed",
      { outerAlgorithm: signatureAlgorithm("P-256", "sha384") },
      "weak_crypto",
    ],
    [
      "parameters beside the signature algorithm",
      { signedAlgorithm: sequence(oid("2a8648ce3d040302"), Buffer.of(5, 0)) },
      "weak_crypto",
    ],
    ["a signature by SHA-1", { hash: "sha1" }, "weak_crypto"],
    ["a signature by MD5", { signedAlgorithm: sequence(oid("2a864886f70d010104"), Buffer.of(5, 0)) }, "weak_crypto"],
    ["a signature by SHA-384", { hash: "sha384" }],
    ["a signature by SHA-512", { hash: "sha512" }],
  ];
  for (const [name, profile, code] of rows) {
    it(`${code === undefined ? "takes" : `says ${code} to`} a certificate with ${name}`, () => {
      assert.equal(codeOf(svid(profile).der), code);
    });
  }

  const keys: readonly (readonly [kind: KeyKind, code?: X509SvidCode])[] = [
    ["P-256"],
    ["P-384"],
    ["P-521"],
    ["RSA-2048"],
    ["RSA-PSS-2048"],
    ["Ed25519"],
    ["RSA-1024", "weak_crypto"],
    ["P-224", "weak_crypto"],
    ["secp256k1", "weak_crypto"],
  ];
  for (const [kind, code] of keys) {
    it(`${code === undefined ? "takes" : `says ${code} to`} a ${kind} key, of a leaf and of an authority`, () => {
      assert.equal(codeOf(svid({ keys: sharedKeys(kind) }).der), code);
      const other = authority({ keys: sharedKeys(kind), subject: kind });
      assert.equal(codeOf(svid({}, other).der, { bundles: createTestBundles({ "td1.test": [other] }) }), code);
    });
  }

  it("takes RSA's newer padding with SHA-2 only", () => {
    const other = authority({ keys: sharedKeys("RSA-PSS-2048"), subject: "pss" });
    const options = { bundles: createTestBundles({ "td1.test": [other] }) };
    for (const hash of ["sha256", "sha384", "sha512"] as const) {
      assert.equal(codeOf(svid({ hash }, other).der, options), undefined, hash);
    }
    assert.equal(codeOf(svid({ hash: "sha1" }, other).der, options), "weak_crypto");
    const defaults = sequence(oid("2a864886f70d01010a"), sequence());
    assert.equal(codeOf(svid({ signedAlgorithm: defaults }, other).der, options), "weak_crypto");
  });

  it("takes an anchor that signed itself with SHA-1: nothing rests on that signature", () => {
    const old = authority({ hash: "sha1", subject: "old" });
    assert.equal(codeOf(svid({}, old).der, { bundles: createTestBundles({ "td1.test": [old] }) }), undefined);
  });

  it("refuses every beginning of a certificate, two in a row, bytes behind it, and nothing at all", () => {
    const { der } = svid();
    for (let length = 0; length < der.length; length++) assert.equal(codeOf(der.subarray(0, length)), "cert_parse");
    assert.equal(codeOf(Buffer.concat([der, Buffer.from([0, 0, 0])])), "cert_parse");
    assert.equal(codeOf(Buffer.concat([der, der])), "cert_parse");
  });

  it("lets a configured grace stand in for the default, at the beginning only", () => {
    const early = svid({ notBeforeUnixMs: NOW + 5000 }).der;
    assert.equal(codeOf(early, { clockSkewMs: 4000 }), "not_yet_valid");
    assert.equal(codeOf(early, { clockSkewMs: 5000 }), undefined);
    assert.equal(codeOf(svid({ notAfterUnixMs: NOW - 1000 }).der, { clockSkewMs: 120_000 }), "expired");
  });

  it("believes no certificate at a time that is no number", () => {
    assert.equal(codeOf(svid().der, { nowUnixMs: Number.NaN }), "not_yet_valid");
  });

  it("finds the bundle of the ID's trust domain alone: a good authority of another is none", () => {
    const both = createTestBundles({ "td1.test": [authority({ subject: "other" })], "td2.test": [root] });
    assert.equal(codeOf(svid().der, { bundles: both }), "untrusted");
  });

  it("believes no leaf that lies in the bundle, signed by an authority or by itself", () => {
    const leaf = svid();
    assert.equal(codeOf(leaf.der, { bundles: createTestBundles({ "td1.test": [leaf] }) }), "untrusted");
    const own = issueCertificate(undefined, { ...DATES, uris: [ID] });
    assert.equal(codeOf(own.der, { bundles: createTestBundles({ "td1.test": [own] }) }), "untrusted");
    const below = svid({ subject: "evil" }, leaf);
    assert.equal(codeOf(below.der, { bundles: createTestBundles({ "td1.test": [leaf] }) }), "ca_flags");
  });

  it("believes no signature by another key under the authority's name", () => {
    const impostor = authority({ keys: createKeys(), subjectKeyId: root.subjectKeyId });
    assert.deepEqual(impostor.subject, root.subject);
    assert.equal(codeOf(svid({}, impostor).der), "untrusted");
  });

  it("reads a name as its bytes are: the same letters in another encoding are another issuer", () => {
    const printable = sequence(element(0x31, sequence(oid("550403"), element(0x13, Buffer.from("authority")))));
    assert.notDeepEqual(printable, commonName("authority"));
    const renamed = { ...root, subject: printable };
    assert.equal(codeOf(svid({}, renamed).der), "untrusted");
  });
});
