import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDenyList } from "../../../src/identity/deny-list.ts";
import type { VerifiedCertificate } from "../../../src/identity/verified-certificate.ts";
import { type ClientTrustSources, createClientTrust } from "../../../src/server/tls-trust.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);

const certificate: VerifiedCertificate = {
  spiffeId: { id: "spiffe://example.org/ns/edge/sa/envoy", trustDomain: "example.org", path: "/ns/edge/sa/envoy" },
  fingerprintSha256: "aa".repeat(32),
  serial: "01",
  issuer: "CN=root",
  subject: "O=SPIRE",
  keyType: "EC",
  keySize: 256,
  signatureAlgorithm: "ecdsa-with-SHA256",
  dnsNames: [],
  notBeforeUnixMs: NOW - DAY_MS,
  notAfterUnixMs: NOW + DAY_MS,
  chainNotAfterUnixMs: NOW + DAY_MS,
  chainLength: 2,
  chainFingerprintsSha256: ["aa".repeat(32), "bb".repeat(32)],
  issuersAndSerials: [
    { issuer: "CN=root", serial: "01" },
    { issuer: "CN=root", serial: "02" },
  ],
  bundleGeneration: 1,
};

const listOf = (entry: object): ReturnType<ClientTrustSources["denyList"]> => {
  const parsed = parseDenyList(JSON.stringify({ entries: [{ reason: "key stolen", expires: "never", ...entry }] }));
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
  return parsed.value;
};

const objectionTo = (
  changes: Partial<ClientTrustSources>,
  state: "fresh" | "stale" | "absent" = "fresh",
  shown = certificate,
): object | undefined =>
  createClientTrust({
    bundles: () => ({ find: () => undefined, state: () => state }),
    denyList: () => undefined,
    rulesOf: () => undefined,
    clockSkewMs: () => 30_000,
    ...changes,
  }).object?.(shown, NOW);

describe("what speaks against a verified client", () => {
  it("is nothing, where no rule does", () => {
    assert.equal(objectionTo({}), undefined);
    const rules = { maxLifetimeMs: 2 * DAY_MS, minRemainingMs: 2 * DAY_MS };
    assert.equal(objectionTo({ rulesOf: () => rules }), undefined, "min_remaining is not for connections");
  });

  const rows: readonly (readonly [name: string, found: object | undefined, code: string])[] = [
    ["a stale bundle", objectionTo({}, "stale"), "bundle_stale"],
    ["bundles that are gone", objectionTo({ bundles: () => undefined }), "bundle_stale"],
    [
      "a longer life than its trust domain allows",
      objectionTo({ rulesOf: () => ({ maxLifetimeMs: DAY_MS, minRemainingMs: 0 }) }),
      "credential_long_lived",
    ],
    [
      "an ID of SPIRE itself",
      objectionTo({}, "fresh", {
        ...certificate,
        spiffeId: { ...certificate.spiffeId, id: "spiffe://example.org/spire/server", path: "/spire/server" },
      }),
      "spiffe_id_reserved",
    ],
    [
      "its ID on the deny list",
      objectionTo({ denyList: () => listOf({ spiffe_id: certificate.spiffeId.id }) }),
      "revoked",
    ],
    [
      "its authority's fingerprint on the deny list",
      objectionTo({ denyList: () => listOf({ fingerprint_sha256: "bb".repeat(32) }) }),
      "revoked",
    ],
  ];
  for (const [name, found, code] of rows) {
    it(`is ${name}: ${code}`, () => assert.equal((found as { code?: string } | undefined)?.code, code));
  }

  it("follows sources that are replaced", () => {
    let skewMs = 1;
    let source: ReturnType<ClientTrustSources["bundles"]>;
    const trust = createClientTrust({
      bundles: () => source,
      denyList: () => undefined,
      rulesOf: () => undefined,
      clockSkewMs: () => skewMs,
    });
    assert.equal(trust.bundles.find("example.org"), undefined);
    assert.equal(trust.clockSkewMs, 1);
    const asked: string[] = [];
    source = { find: (trustDomain) => void asked.push(trustDomain), state: () => "fresh" };
    skewMs = 2;
    trust.bundles.find("example.org");
    assert.deepEqual(asked, ["example.org"]);
    assert.equal(trust.clockSkewMs, 2);
  });
});
