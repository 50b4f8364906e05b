import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import {
  MAX_BUNDLE_BYTES,
  parseTrustBundle,
  parseTrustBundleSteps,
  type TrustBundle,
} from "../../../src/identity/trust-bundle.ts";
import { bundleText, type Entry, ecKey, jwtEntry, x509Entry } from "../../support/bundle-documents.ts";
import { createTestAuthority } from "../../support/ca.ts";
import { createKeys, issueAuthority } from "../../support/signed-certificate.ts";

const [authority, other] = await Promise.all([createTestAuthority(), createTestAuthority()]);
const leaf = await authority.svid("/web");
const caWithoutUsage = issueAuthority(undefined, { keyUsage: undefined }).pem;
const caForData = issueAuthority(undefined, { keyUsage: [0x07, 0x80] }).pem;
const unflagged = issueAuthority(undefined, { isAuthority: false, keyUsage: [0x01, 0x06] }).pem;
const offCurve = createKeys();
offCurve.publicKeyDer[offCurve.publicKeyDer.length - 1] = (offCurve.publicKeyDer.at(-1) ?? 0) ^ 1;
const unreadable = issueAuthority(undefined, { keys: offCurve }).der;
const jwtKey = ecKey();
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
const weakRsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
const oddExponent = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).publicKey;
const privateJwk = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });

const parse = (text: string | Uint8Array, more: Partial<Parameters<typeof parseTrustBundle>[1]> = {}) =>
  parseTrustBundle(text, { trustDomain: "example.org", ...more });

function bundle(text: string | Uint8Array, more: Partial<Parameters<typeof parseTrustBundle>[1]> = {}): TrustBundle {
  const parsed = parse(text, more);
  assert.ok(parsed.ok, parsed.ok ? "" : `${parsed.code}: ${parsed.detail}`);
  return parsed.value;
}

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
const good = bundleText([x509Entry(authority.certificatePem), jwtEntry("key-1", jwtKey), jwtEntry("key-2", rsa)], {
  spiffe_sequence: 2,
  spiffe_refresh_hint: 300,
});

describe("parseTrustBundle", () => {
  it("reads authorities of both kinds, sequence and hint", () => {
    const read = bundle(good);
    assert.equal(read.trustDomain, "example.org");
    assert.deepEqual(
      read.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
      [fingerprint(authority.certificatePem)],
    );
    assert.deepEqual([...read.jwtAuthorities.keys()], ["key-1", "key-2"]);
    const held = read.jwtAuthorities.get("key-1");
    assert.equal(held?.use, "jwt-svid");
    assert.equal(held?.key.type, "public");
    assert.ok(held?.key.equals(jwtKey));
    assert.equal(read.sequence, 2n);
    assert.equal(read.refreshHintSeconds, 300);
    assert.deepEqual(read.ignored, []);
  });

  it("reads again only what the bundle before did not hold, in either form, and nothing of it stays on", () => {
    const previous = bundle(bundleText([x509Entry(authority.certificatePem), jwtEntry("key-1", jwtKey)]));
    const [known] = previous.x509Authorities;
    const next = bundle(bundleText([x509Entry(other.certificatePem), x509Entry(authority.certificatePem)]), {
      previous,
    });
    assert.equal(next.x509Authorities.length, 2);
    assert.equal(next.x509Authorities[1], known, "the very same object");
    assert.equal(next.jwtAuthorities.size, 0);
    assert.equal(bundle(authority.certificatePem, { previous }).x509Authorities[0], known);
    assert.deepEqual(bundle(bundleText([]), { previous }).x509Authorities, []);
    const swapped = x509Entry(
      authority.certificatePem,
      new X509Certificate(other.certificatePem).publicKey.export({ format: "jwk" }),
    );
    assert.match(
      bundle(bundleText([swapped]), { previous }).ignored.join(),
      /is of another key/,
      "its entry is read anew",
    );
  });

  it("pauses after each key", () => {
    const steps = parseTrustBundleSteps(good, { trustDomain: "example.org" });
    let pauses = 0;
    while (!steps.next().done) pauses++;
    assert.equal(pauses, 3);
  });

  it("reads the same from bytes", () => {
    assert.deepEqual([...bundle(Buffer.from(good)).jwtAuthorities.keys()], ["key-1", "key-2"]);
  });

  it("takes an empty list of keys for a bundle that trusts nobody", () => {
    const read = bundle('{"keys": []}');
    assert.deepEqual([read.x509Authorities, read.jwtAuthorities.size, read.sequence], [[], 0, undefined]);
  });

  it("keeps every digit of a sequence of 64 bits", () => {
    for (const sequence of ["0", "9007199254740993", "18446744073709551615"]) {
      assert.equal(bundle(`{"keys": [], "spiffe_sequence": ${sequence}}`).sequence, BigInt(sequence));
    }
  });

  it("takes null for an absent sequence or hint", () => {
    const read = bundle('{"keys": [], "spiffe_sequence": null, "spiffe_refresh_hint": null}');
    assert.deepEqual([read.sequence, read.refreshHintSeconds, read.ignored], [undefined, undefined, []]);
  });

  for (const hint of ["0", "-1", "1.5", '"300"', "99999999999999", "true", "[]"]) {
    it(`goes without a refresh hint of ${hint}`, () => {
      const read = bundle(`{"keys": [], "spiffe_refresh_hint": ${hint}}`);
      assert.equal(read.refreshHintSeconds, undefined);
      assert.match(read.ignored.join(), /spiffe_refresh_hint/);
    });
  }

  it("takes an Ed25519, P-384 or P-521 key among certificate authorities or tokens as each allows", () => {
    const read = bundle(bundleText([jwtEntry("a", ecKey("P-384")), jwtEntry("b", ecKey("P-521"))]));
    assert.deepEqual([...read.jwtAuthorities.keys()], ["a", "b"]);
    assert.ok(bundle(bundleText([jwtEntry("three", oddExponent)])).jwtAuthorities.has("three"));
  });

  it("takes a certificate whose entry has no members of its key", () => {
    const { use, x5c } = x509Entry(authority.certificatePem);
    assert.equal(bundle(bundleText([{ kty: "EC", use, x5c }])).x509Authorities.length, 1);
  });

  it("takes only the first certificate of an entry, and says so", () => {
    const [mine] = x509Entry(authority.certificatePem)["x5c"] as string[];
    const [second] = x509Entry(other.certificatePem)["x5c"] as string[];
    const read = bundle(bundleText([x509Entry(authority.certificatePem, { x5c: [mine, second] })]));
    assert.deepEqual(
      read.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
      [fingerprint(authority.certificatePem)],
    );
    assert.match(read.ignored.join(), /only the first of 2/);
  });

  it("counts what stands twice once", () => {
    const entries = [x509Entry(authority.certificatePem), jwtEntry("a", jwtKey)];
    const read = bundle(bundleText([...entries, ...entries]));
    assert.deepEqual([read.x509Authorities.length, read.jwtAuthorities.size, read.ignored], [1, 1, []]);
  });

  it("takes neither of two keys with one key ID, and the others still", () => {
    const read = bundle(
      bundleText([jwtEntry("a", jwtKey), jwtEntry("b", jwtKey), jwtEntry("a", ecKey()), jwtEntry("a", jwtKey)]),
    );
    assert.deepEqual([...read.jwtAuthorities.keys()], ["b"]);
    assert.match(read.ignored.join(), /one `kid`/);
  });

  it("tells of a key without use, or takes it for tokens where the source states no uses", () => {
    const { use: _, ...entry } = jwtEntry("a", jwtKey);
    const strict = bundle(bundleText([entry]));
    assert.equal(strict.jwtAuthorities.size, 0);
    assert.match(strict.ignored.join(), /`use` is missing/);
    const read = bundle(bundleText([entry, x509Entry(authority.certificatePem)]), { keysWithoutUse: "jwt-svid" });
    assert.equal(read.jwtAuthorities.get("a")?.use, undefined);
    assert.equal(read.x509Authorities.length, 1);
  });

  it("tells at most twenty entries that count for nothing", () => {
    const { ignored } = bundle(bundleText(Array.from({ length: 100 }, () => ({}))));
    assert.equal(ignored.length, 20);
    assert.equal(ignored.at(-1), "and 81 more");
  });
});

const [x509Base64] = x509Entry(authority.certificatePem)["x5c"] as [string];
const [leafBase64] = x509Entry(leaf.certificatePem)["x5c"] as [string];

const ignoredEntries: readonly (readonly [name: string, entry: unknown, why: RegExp])[] = [
  ["null", null, /no object/],
  ["a list", [], /no object/],
  ["a text", "x", /no object/],
  ["no kty", { use: "jwt-svid", kid: "a" }, /`kty` is missing/],
  ["an unknown kty", jwtEntry("a", jwtKey, { kty: "AKP" }), /`kty` is `AKP`/],
  ["kty as a list", jwtEntry("a", jwtKey, { kty: ["EC"] }), /`kty` is no text/],
  ["a kty that every object has", jwtEntry("a", jwtKey, { kty: "constructor" }), /`kty` is `constructor`/],
  ["a symmetric key", { kty: "oct", use: "jwt-svid", kid: "a", k: "c2VjcmV0" }, /`kty` is `oct`/],
  ["an unknown use", jwtEntry("a", jwtKey, { use: "wit-svid" }), /`use` is `wit-svid`/],
  ["the use of ordinary key sets", jwtEntry("a", jwtKey, { use: "sig" }), /`use` is `sig`/],
  ["use in capitals", jwtEntry("a", jwtKey, { use: "JWT-SVID" }), /`use` is `JWT-SVID`/],
  ["use as a list", jwtEntry("a", jwtKey, { use: ["jwt-svid"] }), /`use` is no text/],
  ["use null", jwtEntry("a", jwtKey, { use: null }), /`use` is no text/],
  ["a use that moves the cursor", jwtEntry("a", jwtKey, { use: "\u001b[2J" }), /`\\u001b\[2J`/],
  ["no kid", jwtEntry("a", jwtKey, { kid: undefined }), /`kid` is missing/],
  ["an empty kid", jwtEntry("", jwtKey), /`kid` is missing/],
  ["a number as kid", jwtEntry("a", jwtKey, { kid: 1 }), /`kid` is missing/],
  ["a kid of 513 characters", jwtEntry("a".repeat(513), jwtKey), /longer than 512/],
  ["RSA of 1024 bits", jwtEntry("a", weakRsa), /1024 bits/],
  ["RSA with an even exponent", jwtEntry("a", rsa, { e: "AQAC" }), /`e`|public key/],
  ["RSA with exponent 1", jwtEntry("a", rsa, { e: "AQ" }), /`e`|public key/],
  ["RSA with a huge exponent", jwtEntry("a", rsa, { e: "AQAAAAE" }), /`e`|public key/],
  ["RSA of 12,000 bits", jwtEntry("a", rsa, { n: Buffer.alloc(1500, 0xff).toString("base64url") }), /12000 bits/],
  ["RSA without modulus", jwtEntry("a", rsa, { n: undefined }), /not those of a public key/],
  ["a curve for other things", jwtEntry("a", ecKey("secp256k1")), /not P-256/],
  ["an unknown curve", jwtEntry("a", jwtKey, { crv: "P-1" }), /not those of a public key/],
  ["a point off the curve", jwtEntry("a", jwtKey, { x: "AAAA" }), /not those of a public key/],
  ["a member as a number", jwtEntry("a", jwtKey, { x: 5 }), /not those of a public key/],
  ["a member in standard base64", jwtEntry("a", rsa, { e: "AQAB==" }), /not those of a public key/],
  ["an Ed25519 key for tokens", jwtEntry("a", generateKeyPairSync("ed25519").publicKey), /RSA or EC/],
  ["no x5c", x509Entry(authority.certificatePem, { x5c: undefined }), /`x5c` holds no certificate/],
  ["an empty x5c", x509Entry(authority.certificatePem, { x5c: [] }), /`x5c` holds no certificate/],
  ["x5c as a text", x509Entry(authority.certificatePem, { x5c: x509Base64 }), /`x5c` holds no certificate/],
  ["x5c of numbers", x509Entry(authority.certificatePem, { x5c: [1] }), /no base64/],
  ["x5c in base64url", x509Entry(authority.certificatePem, { x5c: ["-_-_"] }), /no base64/],
  ["x5c with a line end", x509Entry(authority.certificatePem, { x5c: [`${x509Base64}\n`] }), /no base64/],
  ["x5c as PEM", x509Entry(authority.certificatePem, { x5c: [authority.certificatePem] }), /no base64/],
  ["x5c of other bytes", x509Entry(authority.certificatePem, { x5c: ["AAAA"] }), /no readable certificate/],
  ["bytes behind the certificate", x509Entry(authority.certificatePem, { x5c: [withTail(x509Base64)] }), /no readable/],
  ["a leaf as authority", x509Entry(leaf.certificatePem), /no authority/],
  [
    "a leaf with the members of an authority",
    x509Entry(authority.certificatePem, { x5c: [leafBase64] }),
    /no authority/,
  ],
  ["key usage of an authority without its flag", x509Entry(unflagged), /no authority/],
  ["an authority without key usage", x509Entry(caWithoutUsage), /keyCertSign/],
  ["an authority that may only sign data", x509Entry(caForData), /keyCertSign/],
  [
    "an authority whose key is no point of its curve",
    { kty: "EC", use: "x509-svid", x5c: [unreadable.toString("base64")] },
    /public key is unreadable/,
  ],
  ["members of another key", x509Entry(other.certificatePem, { x5c: [x509Base64] }), /another key/],
  ["half of the members of the key", x509Entry(authority.certificatePem, { y: undefined }), /another key/],
  ["another kty than the certificate's", { ...jwtEntry("a", rsa), use: "x509-svid", x5c: [x509Base64] }, /another key/],
];

function withTail(base64: string): string {
  return Buffer.concat([Buffer.from(base64, "base64"), Buffer.of(0, 0, 0)]).toString("base64");
}

describe("entries that count for nothing", () => {
  for (const [name, entry, why] of ignoredEntries) {
    it(`${name}: left out with its reason, and the entries beside it count`, () => {
      const read = bundle(bundleText([entry, x509Entry(other.certificatePem), jwtEntry("good", jwtKey)]));
      assert.deepEqual(
        read.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
        [fingerprint(other.certificatePem)],
      );
      assert.deepEqual([...read.jwtAuthorities.keys()], ["good"]);
      assert.equal(read.ignored.length, 1);
      assert.match(read.ignored[0] ?? "", why);
      assert.ok(read.ignored[0]?.startsWith("key 1: "));
    });
  }
});

const entryOf = (entry: Entry): string => bundleText([entry]);
const refused: readonly (readonly [name: string, text: string | Uint8Array, code: string])[] = [
  ["no keys", '{"spiffe_sequence": 1}', "no_keys"],
  ["keys null", '{"keys": null}', "no_keys"],
  ["keys as an object", '{"keys": {}}', "no_keys"],
  ["keys with a prototype's name only", '{"__proto__": {"keys": []}}', "no_keys"],
  ["keys in capitals", '{"Keys": []}', "no_keys"],
  ["a bundle map", '{"trust_domains": {"example.org": {"keys": []}}}', "no_keys"],
  ["a list", '[{"keys": []}]', "json"],
  ["half a document", good.slice(0, -1), "json"],
  ["something behind the document", `${good} {}`, "json"],
  ["a comment", '{"keys": [] /* none */}', "json"],
  ["a byte order mark", Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from('{"keys": []}')]), "json"],
  ["deep nesting", `{"keys": [], "x": ${"[".repeat(100)}${"]".repeat(100)}}`, "json"],
  ["a sequence as text", '{"keys": [], "spiffe_sequence": "2"}', "json"],
  ["a negative sequence", '{"keys": [], "spiffe_sequence": -1}', "json"],
  ["a fraction as sequence", '{"keys": [], "spiffe_sequence": 1.5}', "json"],
  ["a sequence of 65 bits", '{"keys": [], "spiffe_sequence": 18446744073709551616}', "json"],
  ["a sequence of 1000 digits", `{"keys": [], "spiffe_sequence": ${"9".repeat(1000)}}`, "json"],
  ["keys twice", '{"keys": [], "keys": []}', "duplicate_key"],
  ["keys twice, once escaped", '{"keys": [], "k\\u0065ys": []}', "duplicate_key"],
  ["a sequence twice", '{"keys": [], "spiffe_sequence": 1, "spiffe_sequence": 2}', "duplicate_key"],
  ["a use twice in one entry", '{"keys": [{"use": "x509-svid", "use": "jwt-svid"}]}', "duplicate_key"],
  ["an EC private key", entryOf({ ...privateJwk, use: "jwt-svid", kid: "a" }), "key"],
  ["a private key with an unknown use", entryOf({ ...privateJwk, use: "wit-svid", kid: "a" }), "key"],
  ["an RSA prime", entryOf(jwtEntry("a", rsa, { p: "AQAB" })), "key"],
  ["bytes that are no UTF-8", Buffer.from('{"keys": [], "x": "\xff"}', "latin1"), "not_utf8"],
  ["more than 4 MiB", Buffer.alloc(MAX_BUNDLE_BYTES + 1, " "), "too_large"],
  ["more than 4 MiB in UTF-8, though fewer characters", "é".repeat(MAX_BUNDLE_BYTES / 2 + 1), "too_large"],
  ["more than 128 keys", bundleText(Array.from({ length: 129 }, () => ({}))), "too_large"],
  ["an empty file", "", "pem"],
  ["another text", "hello", "pem"],
  ["half a PEM", authority.certificatePem.slice(0, 300), "pem"],
  ["a PEM of a leaf", leaf.certificatePem, "pem"],
  ["a PEM with a private key", authority.certificatePem + leaf.privateKeyPem, "pem"],
  ["a PEM of 129 certificates", authority.certificatePem.repeat(129), "too_large"],
];

describe("documents that are refused", () => {
  for (const [name, text, code] of refused) {
    it(`${name}: ${code}`, () => {
      const parsed = parse(text);
      assert.equal(parsed.ok ? "read" : parsed.code, code);
    });
  }

  it("never repeats a private key in its reason", () => {
    const parsed = parse(entryOf({ ...privateJwk, use: "jwt-svid", kid: "a" }));
    assert.ok(!parsed.ok && !(parsed.detail ?? "").includes(String(privateJwk.d)));
  });
});

describe("PEM bundles", () => {
  it("are found out by what they begin with, and hold authorities only", () => {
    const read = bundle(`# roots\n${authority.certificatePem}${other.certificatePem}${authority.certificatePem}`);
    assert.deepEqual(
      read.x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256),
      [fingerprint(authority.certificatePem), fingerprint(other.certificatePem)],
    );
    assert.deepEqual([read.jwtAuthorities.size, read.sequence, read.ignored], [0, undefined, []]);
  });

  it("leave out what may not sign", () => {
    const read = bundle(leaf.certificatePem + caForData + authority.certificatePem);
    assert.equal(read.x509Authorities.length, 1);
    assert.deepEqual(
      read.ignored.map((why) => why.slice(0, "certificate 1".length)),
      ["certificate 1", "certificate 2"],
    );
  });

  it("are not taken where a bundle document is asked for, nor the other way round", () => {
    const pem = parse(authority.certificatePem, { format: "jwks" });
    const document = parse(good, { format: "pem" });
    assert.deepEqual([pem.ok ? "" : pem.code, document.ok ? "" : document.code], ["json", "pem"]);
  });
});
