// Properties of the verifier of certificates: it never throws, and no change to a valid credential is accepted.

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { decodeEnvoyCertificate, decodePem, parseCertificate } from "../../src/identity/certificate.ts";
import { createKnownCertificates } from "../../src/identity/known-certificates.ts";
import { subjectUris } from "../../src/identity/subject-alt-name.ts";
import { verifyX509Svid } from "../../src/identity/x509-svid.ts";
import { element } from "../support/der-certificate.ts";
import { createTestBundles } from "../support/held-bundles.ts";
import {
  issueAuthority,
  issueCertificate,
  nameConstraints,
  type SignedCertificate,
  sharedKeys,
  toEnvoyText,
  toPem,
} from "../support/signed-certificate.ts";

const SEED = 20_260_701;
const ID = "spiffe://td1.test/ns/pay/sa/api";
const NOW = Date.now();

const root = issueAuthority(undefined, { subject: "root", uris: ["spiffe://td1.test"] });
const intermediate = issueAuthority(root, {
  subject: "intermediate",
  keys: sharedKeys("P-384"),
  hash: "sha384",
  uris: ["spiffe://td1.test"],
  nameConstraints: nameConstraints([[0x86, "td1.test"]]),
});
const bundles = createTestBundles({ "td1.test": [root] });

const accepts = (leaf: Uint8Array, intermediates: readonly Uint8Array[] = []): boolean =>
  verifyX509Svid(leaf, { bundles, nowUnixMs: NOW, intermediates }).ok;

function flip(bytes: Uint8Array, at: number, by: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ by;
  return changed;
}

it("no parser throws, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      assert.equal(parseCertificate(bytes).ok, false);
      assert.equal(accepts(bytes, [bytes]), false);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

it("no parser throws on elements that are well-formed, and mean nothing", () => {
  const tag = fc.constantFrom(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18, 0x30, 0x31, 0x80, 0x86, 0xa0, 0xa3);
  const { tree } = fc.letrec<{ tree: Buffer }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.tuple(tag, fc.uint8Array({ maxLength: 12 })).map(([kind, bytes]) => element(kind, bytes)),
      fc.tuple(tag, fc.array(tie("tree"), { maxLength: 8 })).map(([kind, parts]) => element(kind, ...parts)),
    ),
  }));
  fc.assert(
    fc.property(tree, (der) => {
      assert.equal(parseCertificate(der).ok, false);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

it("no reader of text throws, whatever the text", () => {
  const known = createKnownCertificates({ bundles });
  const piece = fc.constantFrom(
    "-----BEGIN%20CERTIFICATE-----",
    "-----END%20CERTIFICATE-----",
    "%0A",
    "%",
    "%2",
    "\n",
    "AAAA",
    "=",
    "URI:",
    '"',
    ", ",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, (given) => {
      const decoded = decodeEnvoyCertificate(given);
      assert.equal(known.verify(given, undefined, NOW).ok, false);
      const decodedPem = decodePem(given);
      assert.ok(!decodedPem.ok || decodedPem.value.every((der) => !parseCertificate(der).ok));
      subjectUris(given);
      if (!decoded.ok) assert.equal(known.fingerprintOf(given), undefined);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

it("no byte of a certificate with an unknown structure elsewhere is passed over: what is cut out or put in is refused", () => {
  const { der } = issueCertificate(root, { uris: [ID] });
  assert.ok(accepts(der));
  fc.assert(
    fc.property(
      fc.nat(der.length - 1),
      fc.integer({ min: 0, max: 20 }),
      fc.uint8Array({ maxLength: 20 }),
      (at, cut, put) => {
        const changed = Buffer.concat([der.subarray(0, at), put, der.subarray(at + cut)]);
        fc.pre(!changed.equals(der));
        assert.equal(accepts(changed), false);
      },
    ),
    { seed: SEED, numRuns: 500 },
  );
});

const leaves: readonly (readonly [name: string, leaf: SignedCertificate, chain: readonly SignedCertificate[]])[] = [
  ["a certificate signed by P-256", issueCertificate(root, { uris: [ID], dnsNames: ["api.test"] }), []],
  ["a certificate below an intermediate", issueCertificate(intermediate, { uris: [ID] }), [intermediate]],
];
for (const [name, leaf, chain] of leaves) {
  it(`no changed byte of ${name} is accepted`, () => {
    const ders = chain.map(({ der }) => der);
    assert.ok(accepts(leaf.der, ders));
    for (let at = 0; at < leaf.der.length; at++) {
      assert.equal(accepts(flip(leaf.der, at, 1 << (at % 8)), ders), false, `${at}`);
    }
  });
}

it("no changed byte of an intermediate is accepted", () => {
  const leaf = issueCertificate(intermediate, { uris: [ID] });
  for (let at = 0; at < intermediate.der.length; at++) {
    assert.equal(accepts(leaf.der, [flip(intermediate.der, at, 1 << (at % 8))]), false, `${at}`);
  }
});

for (const kind of ["RSA-2048", "RSA-PSS-2048", "Ed25519"] as const) {
  it(`no changed byte of a certificate signed by ${kind} is accepted`, () => {
    const authority = issueAuthority(undefined, { subject: kind, keys: sharedKeys(kind) });
    const { der } = issueCertificate(authority, { uris: [ID] });
    const source = createTestBundles({ "td1.test": [authority] });
    const verify = (leaf: Uint8Array): boolean => verifyX509Svid(leaf, { bundles: source, nowUnixMs: NOW }).ok;
    assert.ok(verify(der));
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        assert.equal(verify(flip(der, at, by)), false);
      }),
      { seed: SEED, numRuns: 400 },
    );
  });
}

it("no changed character of Envoy's text makes another certificate, with or without the one that is known", () => {
  const text = toEnvoyText(issueCertificate(root, { uris: [ID] }).der);
  const known = createKnownCertificates({ bundles });
  const first = known.verify(text, undefined, NOW);
  assert.ok(first.ok);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ minLength: 0, maxLength: 2 }), (at, put) => {
      const changed = text.slice(0, at) + put + text.slice(at + 1);
      const verified = known.verify(changed, undefined, NOW);
      // `%2b` for `%2B` is the same certificate in other letters.
      if (verified.ok) assert.equal(verified.value.fingerprintSha256, first.value.fingerprintSha256);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

it("every certificate comes back from Envoy's text and from PEM as it was", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), (der) => {
      for (const text of [toEnvoyText(der), toPem(der), encodeURIComponent(toPem(der))]) {
        const decoded = decodeEnvoyCertificate(text);
        assert.ok(decoded.ok);
        assert.deepEqual(Buffer.from(decoded.value), Buffer.from(der));
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});
