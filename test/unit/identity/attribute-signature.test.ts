import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import { isSignedBy, parseSignatureKey } from "../../../src/identity/attribute-signature.ts";

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const ec = (namedCurve: string): Pair => generateKeyPairSync("ec", { namedCurve });
const pem = (key: KeyObject): string => String(key.export({ type: "spki", format: "pem" }));
const keyOf = ({ publicKey }: Pair) => {
  const parsed = parseSignatureKey(pem(publicKey));
  assert.ok(parsed.ok);
  return parsed.value;
};

const BYTES = Buffer.from('{"spiffe://example.org/x": {"environment": "prod"}}\n');
const schemes: readonly (readonly [name: string, pair: Pair, digest: string | undefined])[] = [
  ["Ed25519", generateKeyPairSync("ed25519"), undefined],
  ["P-256", ec("P-256"), "sha256"],
  ["P-384", ec("P-384"), "sha384"],
  ["P-521", ec("P-521"), "sha512"],
];

for (const [name, pair, digest] of schemes) {
  describe(`a signature by ${name}`, () => {
    const key = keyOf(pair);
    const raw = sign(digest, BYTES, pair.privateKey);
    const text = raw.toString("base64");

    it("holds, with and without a line feed", () => {
      for (const end of ["", "\n", "\r\n"]) assert.ok(isSignedBy(key, BYTES, text + end), JSON.stringify(end));
    });

    it("holds for no other bytes", () => {
      for (let at = 0; at < BYTES.length; at++) {
        const other = Buffer.from(BYTES);
        other[at] = (other[at] ?? 0) ^ 1;
        assert.equal(isSignedBy(key, other, text), false, `byte ${at}`);
      }
      assert.equal(isSignedBy(key, BYTES.subarray(0, -1), text), false);
      assert.equal(isSignedBy(key, Buffer.alloc(0), text), false);
    });

    it("changed anywhere, it holds no more", () => {
      for (let at = 0; at < raw.length; at++) {
        const other = Buffer.from(raw);
        other[at] = (other[at] ?? 0) ^ 0x10;
        assert.equal(isSignedBy(key, BYTES, other.toString("base64")), false, `byte ${at}`);
      }
    });

    it("holds by no other key", () => {
      for (const [other, otherPair] of schemes)
        if (other !== name) assert.equal(isSignedBy(keyOf(otherPair), BYTES, text), false, other);
      const same = name === "Ed25519" ? generateKeyPairSync("ed25519") : ec(name);
      assert.equal(isSignedBy(keyOf(same), BYTES, text), false);
    });

    const written: readonly (readonly [string, string])[] = [
      ["nothing", ""],
      ["a line feed", "\n"],
      ["two line feeds", `${text}\n\n`],
      ["a space before", ` ${text}`],
      ["a line broken", `${text.slice(0, 20)}\n${text.slice(20)}`],
      ["something behind", `${text}!`],
      ["hex", raw.toString("hex")],
      ["raw bytes", raw.toString("latin1")],
      ["PEM", `-----BEGIN SIGNATURE-----\n${text}\n-----END SIGNATURE-----\n`],
      ["zeros", Buffer.alloc(raw.length).toString("base64")],
    ];
    for (const [what, signature] of written)
      it(`is not ${what}`, () => assert.equal(isSignedBy(key, BYTES, signature), false));
  });
}

it("ECDSA is with the digest of its curve, and in DER", () => {
  const pair = ec("P-256");
  const key = keyOf(pair);
  assert.equal(isSignedBy(key, BYTES, sign("sha384", BYTES, pair.privateKey).toString("base64")), false);
  const p1363 = sign("sha256", BYTES, { key: pair.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64");
  assert.equal(isSignedBy(key, BYTES, p1363), false);
});

describe("parseSignatureKey", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ed = generateKeyPairSync("ed25519");
  const refused: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["text", "secret"],
    ["RSA", pem(rsa.publicKey)],
    ["Ed448", pem(generateKeyPairSync("ed448").publicKey)],
    ["X25519", pem(generateKeyPairSync("x25519").publicKey)],
    ["another curve", pem(ec("secp256k1").publicKey)],
    ["a private key", String(ed.privateKey.export({ type: "pkcs8", format: "pem" }))],
    ["a broken key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
  ];
  for (const [what, text] of refused)
    it(`refuses ${what}`, () => {
      const parsed = parseSignatureKey(text);
      assert.equal(parsed.ok ? "ok" : parsed.code, "key");
    });
});
