import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { createSecureContext } from "node:tls";
import { parseOwnSvid, toPem } from "../../../../src/identity/sources/own-svid.ts";
import type { X509SvidMessage } from "../../../../src/identity/sources/workload-messages.ts";
import { createTestAuthority } from "../../../support/ca.ts";

const authority = await createTestAuthority();
const ID = "spiffe://example.org/ns/authz/sa/svidgate";
const der = (pem: string): Buffer => new X509Certificate(pem).raw;
const issued = await authority.svid("/ns/authz/sa/svidgate");
const other = await authority.svid("/ns/authz/sa/other");
const ca = der(authority.certificatePem);
const pkcs8 = (pem: string): Buffer => createPrivateKey(pem).export({ format: "der", type: "pkcs8" });
const GOOD: X509SvidMessage = {
  spiffeId: ID,
  certificates: Buffer.concat([der(issued.certificatePem), ca]),
  privateKey: pkcs8(issued.privateKeyPem),
  hint: "",
};
const manyUris = await authority.svid("/x", { uris: [ID, `${ID}2`] });

describe("svidgate's own SVID", () => {
  it("is the chain, leaf first, with its key and its dates", () => {
    const parsed = parseOwnSvid(GOOD);
    assert.ok(parsed.ok);
    const { x509 } = { x509: new X509Certificate(issued.certificatePem) };
    assert.deepEqual(
      {
        ...parsed.value,
        certificateChain: parsed.value.certificateChain.map((one) => Buffer.from(one).toString("hex")),
      },
      {
        spiffeId: ID,
        certificateChain: [x509.raw.toString("hex"), ca.toString("hex")],
        privateKeyPkcs8: new Uint8Array(GOOD.privateKey),
        notBeforeUnixMs: Date.parse(x509.validFrom),
        notAfterUnixMs: Date.parse(x509.validTo),
      },
    );
  });

  it("is a copy: the memory of the message, with other identities' keys in it, can be given back", () => {
    const message = Buffer.concat([Buffer.alloc(1_000), GOOD.certificates, GOOD.privateKey]);
    const keyAt = 1_000 + GOOD.certificates.length;
    const parsed = parseOwnSvid({
      ...GOOD,
      certificates: message.subarray(1_000, keyAt),
      privateKey: message.subarray(keyAt),
    });
    assert.ok(parsed.ok);
    const { certificateChain, privateKeyPkcs8 } = parsed.value;
    for (const kept of [...certificateChain, privateKeyPkcs8]) assert.notEqual(kept.buffer, message.buffer);
    message.fill(0);
    assert.deepEqual(Buffer.concat(certificateChain), GOOD.certificates);
    assert.deepEqual(Buffer.from(privateKeyPkcs8), GOOD.privateKey);
  });

  it("has the hint when there is one", () => {
    const parsed = parseOwnSvid({ ...GOOD, hint: "internal" });
    assert.equal(parsed.ok && parsed.value.hint, "internal");
  });

  it("as PEM is what node:tls takes", () => {
    const parsed = parseOwnSvid(GOOD);
    assert.ok(parsed.ok);
    const { certificatePem, privateKeyPem } = toPem(parsed.value);
    assert.equal(certificatePem, issued.certificatePem + authority.certificatePem);
    assert.deepEqual(pkcs8(privateKeyPem), GOOD.privateKey);
    createSecureContext({ cert: certificatePem, key: privateKeyPem });
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  for (const [why, changes, code] of [
    ["an ID that is none", { spiffeId: "example.org/a" }, "own_svid_id"],
    ["no ID", { spiffeId: "" }, "own_svid_id"],
    ["the ID of a trust domain", { spiffeId: "spiffe://example.org" }, "own_svid_id"],
    [
      "another's certificate",
      { certificates: der(other.certificatePem), privateKey: pkcs8(other.privateKeyPem) },
      "own_svid_id_mismatch",
    ],
    ["an ID that only begins like the certificate's", { spiffeId: `${ID}x` }, "own_svid_id_mismatch"],
    [
      "a certificate of two names",
      { certificates: der(manyUris.certificatePem), privateKey: pkcs8(manyUris.privateKeyPem) },
      "own_svid_id_mismatch",
    ],
    ["no certificate", { certificates: Buffer.alloc(0) }, "own_svid_certificates"],
    ["a certificate that is cut short", { certificates: GOOD.certificates.subarray(0, -1) }, "own_svid_certificates"],
    [
      "something else behind the leaf",
      { certificates: Buffer.concat([der(issued.certificatePem), Buffer.of(0x30, 0)]) },
      "own_svid_certificates",
    ],
    [
      "a chain of eleven",
      { certificates: Buffer.concat([der(issued.certificatePem), ...Array.from({ length: 10 }, () => ca)]) },
      "own_svid_certificates",
    ],
    ["no key", { privateKey: Buffer.alloc(0) }, "own_svid_key"],
    ["a key that is no PKCS #8", { privateKey: rsa.export({ format: "der", type: "pkcs1" }) }, "own_svid_key"],
    [
      "an encrypted key",
      { privateKey: rsa.export({ format: "der", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" }) },
      "own_svid_key",
    ],
    ["another's key", { privateKey: pkcs8(other.privateKeyPem) }, "own_svid_key_mismatch"],
    ["a key of another kind", { privateKey: rsa.export({ format: "der", type: "pkcs8" }) }, "own_svid_key_mismatch"],
  ] as const satisfies readonly (readonly [string, Partial<X509SvidMessage>, string])[]) {
    it(`is refused with ${why}, without a word of the key`, () => {
      const message: X509SvidMessage = { ...GOOD, ...changes };
      const parsed = parseOwnSvid(message);
      assert.ok(!parsed.ok);
      assert.equal(parsed.code, code);
      assert.ok((parsed.detail ?? "").length > 0);
      for (const encoding of ["hex", "base64", "latin1"] as const) {
        const secret = Buffer.from(GOOD.privateKey).toString(encoding).slice(-40);
        assert.ok(!(parsed.detail ?? "").includes(secret));
      }
    });
  }
});
