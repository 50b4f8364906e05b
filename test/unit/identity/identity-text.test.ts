// The texts of `input.identity` against docs/input.schema.json: nothing that it does not describe, and all that it describes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import {
  type ProvenCaller,
  toPromotedJson,
  toProvenJson,
  toUnprovenJson,
} from "../../../src/identity/identity-text.ts";
import type { JwtSvid } from "../../../src/identity/jwt-svid.ts";
import { parseSpiffeId } from "../../../src/identity/spiffe-id.ts";
import type { HeldBundle } from "../../../src/identity/trust-bundles.ts";
import type { VerifiedCertificate } from "../../../src/identity/verified-certificate.ts";
import { schemaProblems } from "../../support/json-schema.ts";

const { properties } = JSON.parse(readFileSync(join(packageRoot(), "docs", "input.schema.json"), "utf8"));
const SCHEMA: unknown = properties.identity;
const NOW = Date.UTC(2026, 0, 1, 1);

const idOf = (text: string) => {
  const parsed = parseSpiffeId(text);
  assert.ok(parsed.ok);
  return parsed.value;
};

const WEB = idOf("spiffe://example.org/ns/shop/sa/web");

const certificate: VerifiedCertificate = {
  spiffeId: WEB,
  fingerprintSha256: "ab".repeat(32),
  serial: "0f",
  issuer: "CN=a",
  subject: "CN=b",
  keyType: "EC",
  keySize: 256,
  signatureAlgorithm: "ecdsa-with-SHA256",
  dnsNames: ["web"],
  notBeforeUnixMs: NOW - 60_000,
  notAfterUnixMs: NOW + 3_600_000,
  chainNotAfterUnixMs: NOW + 3_600_000,
  chainLength: 2,
  chainFingerprintsSha256: ["ab".repeat(32), "cd".repeat(32)],
  issuersAndSerials: [],
  bundleGeneration: 3,
};

const token: JwtSvid = {
  spiffeId: WEB,
  audience: ["orders"],
  expiresUnixMs: NOW + 300_000,
  issuedUnixMs: NOW - 1000,
  notBeforeUnixMs: NOW - 2000,
  tokenId: "t1",
  keyId: "k1",
  algorithm: "ES256",
  issuer: "https://example.org",
  claims: new Map([["tier", "gold"]]),
  bundleGeneration: 3,
};

const held: HeldBundle = {
  bundle: {
    trustDomain: "example.org",
    x509Authorities: [],
    jwtAuthorities: new Map(),
    sequence: 42n,
    refreshHintSeconds: undefined,
    ignored: [],
  },
  generation: 3,
  source: "workload_api",
  lastSuccessUnixMs: NOW,
};

const byCertificate: ProvenCaller = {
  speaker: { kind: "certificate", certificate },
  peer: certificate,
  token,
  bundle: { held, state: "fresh", ageSeconds: 0 },
  federated: false,
  attributesJson: '{"namespace":{"value":"shop","source":"template","trust":"pdp"}}',
  unverifiedPrincipal: "CN=x",
};
const bare = { ...byCertificate, peer: undefined, token: undefined, bundle: undefined, federated: undefined };

const texts: Readonly<Record<string, string>> = {
  "a certificate, with everything": toProvenJson(byCertificate, NOW),
  "a certificate alone": toProvenJson({ ...bare, attributesJson: undefined, unverifiedPrincipal: undefined }, NOW),
  "a token": toProvenJson({ ...byCertificate, speaker: { kind: "token", token, forwarded: false } }, NOW),
  "a token that a gateway forwards": toProvenJson(
    { ...byCertificate, speaker: { kind: "token", token, forwarded: true } },
    NOW,
  ),
  "a token that says little": toProvenJson(
    {
      ...bare,
      speaker: {
        kind: "token",
        forwarded: false,
        token: {
          ...token,
          issuedUnixMs: undefined,
          notBeforeUnixMs: undefined,
          tokenId: undefined,
          issuer: undefined,
        } as JwtSvid,
      },
    },
    NOW,
  ),
  "an agent, by Envoy's word": toPromotedJson(idOf("spiffe://example.org/spire/agent/x"), true, undefined),
  "Envoy's word, with attributes": toPromotedJson(WEB, undefined, byCertificate.attributesJson),
  nobody: toUnprovenJson(undefined, ""),
  "a claim": toUnprovenJson(undefined, "spiffe://example.org/x"),
  "an expired certificate": toUnprovenJson("x509_expired", "spiffe://example.org/x"),
};

describe("the text of input.identity is what docs/input.schema.json describes", () => {
  for (const [name, text] of Object.entries(texts))
    it(`for ${name}`, () => assert.deepEqual(schemaProblems(SCHEMA, JSON.parse(text)), []));

  it("and has every field of it, in one text or another", () => {
    const described = (schema: unknown, at: string): string[] =>
      Object.entries((schema as { properties?: Record<string, unknown> }).properties ?? {}).flatMap(([name, inner]) => [
        at + name,
        ...described(inner, `${at}${name}.`),
      ]);
    const written = new Set<string>();
    const collect = (value: unknown, at: string): void => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      for (const [name, inner] of Object.entries(value)) {
        written.add(at + name);
        collect(inner, `${at}${name}.`);
      }
    };
    for (const text of Object.values(texts)) collect(JSON.parse(text), "");
    assert.deepEqual(
      described(SCHEMA, "").filter((field) => !written.has(field)),
      [],
    );
  });

  it("and a name is there only for who is authenticated", () => {
    for (const [name, text] of Object.entries(texts)) {
      const identity = JSON.parse(text);
      assert.equal("spiffe_id" in identity, identity.authenticated, name);
      if (!identity.authenticated) assert.deepEqual(identity.credential, { type: "none" }, name);
    }
  });
});
