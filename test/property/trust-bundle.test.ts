// Bundle documents of any shape: nothing throws, and no change of a document makes somebody else's key count.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { parseTrustBundle } from "../../src/identity/trust-bundle.ts";
import { bundleText, ecKey, jwtEntry, x509Entry } from "../support/bundle-documents.ts";
import { issueAuthority } from "../support/signed-certificate.ts";

const SEED = 20260101;
const authority = issueAuthority(undefined, { uris: ["spiffe://example.org"] });
const anchor = new X509Certificate(authority.pem).publicKey;
const key = ecKey();
const good = Buffer.from(
  bundleText([x509Entry(authority.pem), jwtEntry("a", key)], { spiffe_sequence: 7, spiffe_refresh_hint: 60 }),
);
const options = { trustDomain: "example.org" };

/** Every key that came out is one that went in. An anchor is its key: nobody verifies what else its certificate says of itself. */
function holdsOnlyOurs(source: string | Uint8Array): boolean {
  const parsed = parseTrustBundle(source, options);
  if (!parsed.ok) return true;
  const { x509Authorities, jwtAuthorities, trustDomain } = parsed.value;
  return (
    trustDomain === "example.org" &&
    x509Authorities.every(({ x509 }) => x509.publicKey.equals(anchor)) &&
    [...jwtAuthorities.values()].every((held) => held.key.equals(key) && held.key.type === "public")
  );
}

test("bytes of any kind never make the reader throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      parseTrustBundle(bytes, options);
      parseTrustBundle(bytes, { ...options, format: "jwks" });
      return parseTrustBundle(bytes, { ...options, format: "pem" }).ok === false;
    }),
    { numRuns: 2_000, seed: SEED },
  );
});

test("JSON of any kind in place of keys, of an entry or of a member never makes the reader throw", () => {
  const names = ["kty", "use", "kid", "crv", "x", "y", "n", "e", "x5c", "k"];
  const values = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom("EC", "RSA", "OKP", "P-256", "Ed25519", "x509-svid", "jwt-svid", "AQAB", "a"),
  );
  const entry = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.dictionary(fc.constantFrom(...names), values));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.array(entry, { maxLength: 5 })), values, (keys, sequence) => {
      const text = JSON.stringify({ keys, spiffe_sequence: sequence, spiffe_refresh_hint: sequence });
      for (const keysWithoutUse of ["ignored", "jwt-svid"] as const) {
        const parsed = parseTrustBundle(text, { ...options, keysWithoutUse });
        assert.ok(!parsed.ok || Array.isArray(keys));
      }
    }),
    { numRuns: 2_000, seed: SEED },
  );
});

test("a good document with one byte changed, cut out or put in holds no authority that was not in it", () => {
  for (let at = 0; at < good.length; at++) {
    const byte = good[at] ?? 0;
    const changed = Buffer.from(good);
    changed[at] = byte ^ (1 << (at % 8));
    assert.ok(holdsOnlyOurs(changed), `byte ${at} changed`);
    assert.ok(holdsOnlyOurs(Buffer.concat([good.subarray(0, at), good.subarray(at + 1)])), `byte ${at} cut out`);
    assert.ok(
      holdsOnlyOurs(Buffer.concat([good.subarray(0, at), Buffer.of(byte), good.subarray(at)])),
      `byte ${at} twice`,
    );
  }
});

test("a good document cut anywhere is refused", () => {
  for (let length = 0; length < good.length; length++) {
    assert.ok(!parseTrustBundle(good.subarray(0, length), options).ok, `${length} bytes`);
  }
});

test("a PEM bundle with one bit changed never makes the reader throw", () => {
  const pem = Buffer.from(authority.pem);
  let refused = 0;
  for (let bit = 0; bit < 8 * pem.length; bit += 3) {
    const changed = Buffer.from(pem);
    changed[bit >> 3] = (pem[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (!parseTrustBundle(changed, options).ok) refused += 1;
  }
  assert.ok(refused > pem.length, `${refused} changes were noticed`);
});
