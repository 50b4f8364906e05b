import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { parseCertificateFields } from "../../../src/identity/certificate-fields.ts";
import { type ClientCertificateCode, verifyClientCertificate } from "../../../src/identity/client-certificate.ts";
import { validityCode } from "../../../src/identity/svid-leaf.ts";
import { createTestAuthority } from "../../support/ca.ts";
import {
  basicConstraints,
  certificate,
  element,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAltName,
} from "../../support/der-certificate.ts";

const ID = "spiffe://example.org/ns/edge/sa/envoy";
const NOW = Date.UTC(2026, 0, 1, 0, 30);
const CLIENT_AUTH = "2b06010505070302";
const SERVER_AUTH = "2b06010505070301";
const san = subjectAltName([ID]);
const usage = keyUsage(0x88);
const good = [san, usage, basicConstraints(false), extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH)];
const authority = await createTestAuthority();
const issued = new X509Certificate((await authority.svid("/ns/edge/sa/envoy")).certificatePem);

const codeOf = (der: Uint8Array, now = NOW): ClientCertificateCode | undefined => {
  const verified = verifyClientCertificate(der, now);
  return verified.ok ? undefined : verified.code;
};

describe("verifyClientCertificate", () => {
  it("gives the ID and the dates of a workload's certificate", () => {
    assert.deepEqual(verifyClientCertificate(certificate(good), NOW), {
      ok: true,
      value: { spiffeId: ID, notBeforeUnixMs: Date.UTC(2026, 0, 1), notAfterUnixMs: Date.UTC(2026, 0, 1, 1) },
    });
  });

  it("reads what a real authority issued as node:crypto does", () => {
    const verified = verifyClientCertificate(issued.raw, Date.now());
    assert.deepEqual(verified, {
      ok: true,
      value: {
        spiffeId: ID,
        notBeforeUnixMs: Date.parse(issued.validFrom),
        notAfterUnixMs: Date.parse(issued.validTo),
      },
    });
  });

  const rows: readonly (readonly [name: string, extensions: readonly Uint8Array[], code?: ClientCertificateCode])[] = [
    ["a DNS name beside the URI", [subjectAltName([ID], ["envoy.example"]), usage]],
    ["no extended key usage and no basic constraints", [san, usage]],
    ["any extended key usage", [san, usage, extendedKeyUsage("551d2500")]],
    ["no names at all", [usage], "uri_san_count"],
    ["DNS names only", [subjectAltName([], [ID]), usage], "uri_san_count"],
    ["two SPIFFE IDs", [subjectAltName([ID, `${ID}2`]), usage], "uri_san_count"],
    ["the same ID twice", [subjectAltName([ID, ID]), usage], "uri_san_count"],
    ["another URI before the ID", [subjectAltName(["https://example.org/x", ID]), usage], "uri_san_count"],
    ["a second extension with names", [san, usage, subjectAltName([`${ID}2`])], "dup_extension"],
    ["a URI that is no SPIFFE ID", [subjectAltName(["https://example.org/x"]), usage], "spiffe_id"],
    ["the ID of a trust domain", [subjectAltName(["spiffe://example.org"]), usage], "spiffe_id"],
    ["a NUL behind the ID", [subjectAltName([`${ID}\0.evil`]), usage], "spiffe_id"],
    ["a line feed behind the ID", [subjectAltName([`${ID}\n`]), usage], "spiffe_id"],
    ["a comma that forges a name", [subjectAltName([`${ID}, URI:spiffe://example.org/x`]), usage], "spiffe_id"],
    ["a byte above ASCII", [subjectAltName([`${ID}\xe9`]), usage], "spiffe_id"],
    ["an authority", [san, usage, basicConstraints(true)], "leaf_is_ca"],
    ["no key usage", [san], "leaf_key_usage"],
    ["key usage that is not critical", [san, keyUsage(0x80, false)], "leaf_key_usage"],
    ["no digital signature", [san, keyUsage(0x08)], "leaf_key_usage"],
    ["signing of certificates", [san, keyUsage(0x84)], "leaf_key_usage"],
    ["signing of revocation lists", [san, keyUsage(0x82)], "leaf_key_usage"],
    ["an empty key usage", [san, extension("551d0f", true, element(0x03, Buffer.from([0])))], "leaf_key_usage"],
    ["a server's certificate", [san, usage, extendedKeyUsage(SERVER_AUTH)], "eku"],
    ["names that are no sequence", [extension("551d11", false, element(0x04)), usage], "cert_parse"],
    ["bytes behind the names", [extension("551d11", false, Buffer.from([0x30, 0, 0])), usage], "cert_parse"],
  ];
  for (const [name, extensions, code] of rows) {
    it(`${code === undefined ? "takes" : `says ${code} to`} a certificate with ${name}`, () => {
      assert.equal(codeOf(certificate(extensions)), code);
    });
  }

  it("says on which side of its time a certificate is, with grace for clocks at its beginning only", () => {
    const der = certificate(good);
    const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 1)];
    assert.equal(codeOf(der, from - 30_001), "not_yet_valid");
    assert.equal(codeOf(der, from - 30_000), undefined);
    assert.equal(codeOf(der, to), undefined);
    assert.equal(codeOf(der, to + 1), "expired");
    assert.equal(validityCode({ notBeforeUnixMs: from, notAfterUnixMs: to }, to + 1), "expired");
  });

  it("reads both forms of time, and none that is no time", () => {
    const dates = (from: string, to: string) => parseCertificateFields(certificate(good, from, to));
    const read = dates("491231235959Z", "20500101000000Z");
    assert.ok(read.ok);
    assert.equal(read.value.notBeforeUnixMs, Date.UTC(2049, 11, 31, 23, 59, 59));
    assert.equal(read.value.notAfterUnixMs, Date.UTC(2050, 0, 1));
    const old = dates("500101000000Z", "991231235959Z");
    assert.equal(old.ok && old.value.notBeforeUnixMs, Date.UTC(1950, 0, 1));
    for (const wrong of ["260230000000Z", "261301000000Z", "260101240000Z", "2601010000000", "26010100+000Z", ""]) {
      const parsed = dates("260101000000Z", wrong);
      assert.equal(parsed.ok ? undefined : parsed.code, "cert_parse", wrong);
    }
  });

  it("refuses every beginning of a certificate, and one with bytes behind it", () => {
    const der = certificate(good);
    for (let length = 0; length < der.length; length++) assert.equal(codeOf(der.subarray(0, length)), "cert_parse");
    assert.equal(codeOf(Buffer.concat([der, Buffer.from([0])])), "cert_parse");
  });

  it("never throws, and never gives another ID, whatever byte of a real certificate is changed", () => {
    let refused = 0;
    for (let at = 0; at < issued.raw.length; at++) {
      for (const flip of [0x01, 0x20, 0x80, 0xff]) {
        const der = Buffer.from(issued.raw);
        der[at] = (der[at] ?? 0) ^ flip;
        const verified = verifyClientCertificate(der, Date.now());
        if (!verified.ok) refused++;
        else if (verified.value.spiffeId !== ID) {
          // The changed byte was one of the ID's own characters.
          assert.equal([...verified.value.spiffeId].filter((char, index) => char !== ID[index]).length, 1);
        }
      }
    }
    assert.ok(refused > 500, `${refused}`);
  });

  it("refuses lengths that are indefinite, not the shortest, or beyond the end", () => {
    const der = certificate([subjectAltName([ID], ["x".repeat(200)]), usage]);
    const body = der.subarray(4);
    const withLength = (...length: readonly number[]) => Buffer.concat([Buffer.from([0x30, ...length]), body]);
    assert.equal(codeOf(withLength(0x82, body.length >> 8, body.length & 0xff)), undefined);
    assert.equal(codeOf(withLength(0x83, 0, body.length >> 8, body.length & 0xff)), "cert_parse");
    assert.equal(codeOf(withLength(0x84, 0, 0, body.length >> 8, body.length & 0xff)), "cert_parse");
    assert.equal(codeOf(withLength(0x82, 0xff, 0xff)), "cert_parse");
    assert.equal(codeOf(Buffer.concat([withLength(0x80), Buffer.from([0, 0])])), "cert_parse");
  });
});
