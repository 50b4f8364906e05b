// A certificate for each way to fail, at the leaf and on its path: what is explained is what the verifier says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { X509SvidCode } from "../../../../src/identity/codes.ts";
import { parseDenyList } from "../../../../src/identity/deny-list.ts";
import { explainCertificate } from "../../../../src/identity/explain/certificate.ts";
import { CERTIFICATE_RULES } from "../../../../src/identity/explain/certificate-rules.ts";
import type { ExplainOptions } from "../../../../src/identity/explain/trust.ts";
import { verifyX509Svid } from "../../../../src/identity/x509-svid.ts";
import { extension, subjectAltName } from "../../../support/der-certificate.ts";
import { assertTells, leaks } from "../../../support/explanations.ts";
import { createTestBundles } from "../../../support/held-bundles.ts";
import {
  type CertificateProfile,
  issueAuthority,
  issueCertificate,
  nameConstraints,
  type SignedCertificate,
  sharedKeys,
  toEnvoyText,
} from "../../../support/signed-certificate.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR_MS = 3_600_000;
const DATES = { notBeforeUnixMs: NOW - HOUR_MS, notAfterUnixMs: NOW + HOUR_MS };
const ID = "spiffe://td1.test/ns/pay/sa/api";
const PRIVATE_OID = "2b0601040182371501";
const URI = 0x86;

const authority = (subject: string, profile: CertificateProfile = {}, issuer?: SignedCertificate) =>
  issueAuthority(issuer, { ...DATES, subject, uris: ["spiffe://td1.test"], ...profile });
const root = authority("root");
const leafBelow = (issuer: SignedCertificate, profile: CertificateProfile = {}) =>
  issueCertificate(issuer, { ...DATES, uris: [ID], ...profile });
const held = createTestBundles({ "td1.test": [root], "empty.test": [] });
const OPTIONS: ExplainOptions = {
  nowUnixMs: NOW,
  bundles: { find: (name) => held.find(name), state: () => "fresh" },
  clockSkewMs: 30_000,
  rulesOf: () => undefined,
  denyList: undefined,
};

const explain = (chain: readonly SignedCertificate[], changes: Partial<ExplainOptions> = {}) =>
  explainCertificate(chain.map(({ pem }) => pem).join(""), { ...OPTIONS, ...changes });
const rowsOf = (chain: readonly SignedCertificate[], changes: Partial<ExplainOptions> = {}) =>
  explain(chain, changes).checks.map(({ check, outcome }) => `${check}: ${outcome}`);

/** Of the leaf. */
const LEAVES: readonly (readonly [name: string, profile: CertificateProfile, code: X509SvidCode])[] = [
  ["version 1", { version: 0 }, "cert_parse"],
  ["too large", { more: [extension(PRIVATE_OID, false, Buffer.alloc(17_000))] }, "cert_parse"],
  ["names twice", { more: [subjectAltName(["spiffe://td1.test/admin"])] }, "dup_extension"],
  ["no names", { uris: [] }, "uri_san_count"],
  ["two names", { uris: [ID, `${ID}2`] }, "uri_san_count"],
  ["no SPIFFE ID", { uris: [`${ID}/..`] }, "spiffe_id"],
  ["a trust domain's ID", { uris: ["spiffe://td1.test"] }, "spiffe_id"],
  ["an authority", { isAuthority: true }, "leaf_is_ca"],
  ["no key usage", { keyUsage: undefined }, "leaf_key_usage"],
  ["for code", { extendedKeyUsage: ["2b06010505070303"] }, "eku"],
  ["no subject", { subject: "" }, "san_critical"],
  ["an unknown critical extension", { more: [extension(PRIVATE_OID, true, Buffer.of(5, 0))] }, "critical_ext"],
  ["a weak key", { keys: sharedKeys("RSA-1024") }, "weak_crypto"],
  ["a weak signature", { hash: "sha1" }, "weak_crypto"],
  ["early", { notBeforeUnixMs: NOW + 31_000 }, "not_yet_valid"],
  ["late", { notAfterUnixMs: NOW - 1000 }, "expired"],
  ["no bundle", { uris: ["spiffe://td3.test/x"] }, "no_bundle"],
  ["an empty bundle", { uris: ["spiffe://empty.test/x"] }, "no_bundle"],
  ["a forged issuer", { issuerName: "nobody" }, "untrusted"],
];

/** Of the issuer between the leaf and the root. */
const ISSUERS: readonly (readonly [name: string, profile: CertificateProfile, code: X509SvidCode])[] = [
  ["no authority", { isAuthority: false, keyUsage: [0x01, 0x06] }, "ca_flags"],
  ["early", { notBeforeUnixMs: NOW + 31_000 }, "not_yet_valid"],
  ["late", { notAfterUnixMs: NOW - 1000 }, "expired"],
  ["policies that only one reader takes", { more: [extension("551d20", false, Buffer.from("hello"))] }, "cert_parse"],
  ["another trust domain's names", { nameConstraints: nameConstraints([[URI, "td2.test"]]) }, "name_constraints"],
  ["an unknown critical extension", { more: [extension(PRIVATE_OID, true, Buffer.of(5, 0))] }, "critical_ext"],
  ["a workload's ID", { uris: ["spiffe://td1.test/x"] }, "signing_cert_id"],
  ["for servers", { extendedKeyUsage: ["2b06010505070301"] }, "eku"],
  ["a weak signature", { hash: "sha1" }, "weak_crypto"],
];

describe("explainCertificate", () => {
  const cases: readonly (readonly [string, readonly SignedCertificate[], X509SvidCode, "leaf" | "path" | undefined])[] =
    [
      ...LEAVES.map(([name, profile, code]) => [`leaf, ${name}`, [leafBelow(root, profile)], code, "leaf"] as const),
      ...ISSUERS.map(([name, profile, code]) => {
        const issuer = authority("intermediate", profile, root);
        return [`issuer, ${name}`, [leafBelow(issuer), issuer], code, "path"] as const;
      }),
      (() => {
        const short = authority("short", { pathLength: 0 }, root);
        const lower = authority("lower", {}, short);
        return ["path too long", [leafBelow(lower), lower, short], "path_len", "path"] as const;
      })(),
    ];
  for (const [name, chain, code, stage] of cases) {
    it(`tells x509_${code} for: ${name}`, () => {
      const [leaf, ...rest] = chain.map(({ der }) => der);
      const verified = verifyX509Svid(leaf ?? Buffer.alloc(0), {
        bundles: held,
        nowUnixMs: NOW,
        intermediates: rest,
      });
      assert.equal(verified.ok ? undefined : verified.code, code);
      const explanation = explain(chain);
      assertTells(explanation, `x509_${code}`, name);
      // Codes that come twice: the row is the one of the leaf, or of the path.
      const at = explanation.checks.findIndex(({ outcome }) => outcome === "fail");
      const found = CERTIFICATE_RULES[at]?.stage;
      if (stage === "path" || code === "untrusted") assert.equal(found, code === "cert_parse" ? "readers" : "path");
      else assert.notEqual(found, "path");
    });
  }

  it("has a row for every code of a certificate, and a case here for each", () => {
    const codes = new Set(CERTIFICATE_RULES.flatMap(({ code }) => (code?.startsWith("x509_") ? [code] : [])));
    const seen = new Set(cases.map(([, , code]) => `x509_${code}`));
    assert.deepEqual([...codes].filter((code) => code !== "x509_principal_mismatch").sort(), [...seen].sort());
  });

  it("accepts a good one, over an intermediate too, with what it says and the path that was found", () => {
    const intermediate = authority("intermediate", {}, root);
    const leaf = leafBelow(intermediate, { dnsNames: ["api.test"] });
    const explanation = explain([leaf, intermediate]);
    assertTells(explanation, undefined);
    assert.equal(explanation.verdict, "accepted");
    const facts = Object.fromEntries(explanation.facts);
    assert.deepEqual(facts["uri_names"], [ID]);
    assert.deepEqual(facts["dns_names"], ["api.test"]);
    assert.equal(facts["key"], "EC 256");
    assert.equal(facts["not_before"], "2026-06-01T11:00:00.000Z");
    assert.equal(facts["certificates_given"], 2);
    assert.equal((facts["path"] as readonly string[]).length, 3);
    assert.deepEqual(
      explanation.checks.flatMap(({ check, outcome }) => (outcome === "not_checked" ? [check] : [])),
      ["principal_mismatch", "revoked"],
    );
    assertTells(explain([leaf]), "x509_untrusted");
  });

  it("reads the leaf as Envoy sends it", () => {
    assertTells(explainCertificate(toEnvoyText(leafBelow(root).der), OPTIONS), undefined);
    assertTells(explainCertificate(`${toEnvoyText(leafBelow(root).der)}%`, OPTIONS), "x509_cert_parse");
  });

  it("without bundles does what needs none, and says that no path was looked for", () => {
    const explanation = explain([leafBelow(root)], { bundles: undefined });
    assertTells(explanation, undefined);
    assert.equal(explanation.verdict, "incomplete");
    assert.match(explanation.detail ?? "", /no path was looked for/);
    const rows = rowsOf([leafBelow(root)], { bundles: undefined });
    assert.ok(rows.includes("no_bundle: not_checked") && rows.includes("untrusted: not_checked"));
    for (const [name, profile, code] of LEAVES) {
      const expected = code === "no_bundle" || code === "untrusted" ? undefined : `x509_${code}`;
      assertTells(explain([leafBelow(root, profile)], { bundles: undefined }), expected, name);
    }
  });

  it("holds a verified one against the rules of its trust domain and the deny list", () => {
    const rules = (maxLifetimeMs: number | undefined, minRemainingMs: number) => ({
      rulesOf: (name: string) => (name === "td1.test" ? { maxLifetimeMs, minRemainingMs } : undefined),
    });
    const list = parseDenyList(`entries:\n  - {id: r1, spiffe_id: "${ID}", reason: left the house, expires: never}\n`);
    assert.ok(list.ok, list.ok ? "" : list.detail);
    const good = [leafBelow(root)];
    assertTells(explain(good, rules(HOUR_MS, 0)), "credential_long_lived");
    assertTells(explain(good, rules(2 * HOUR_MS, 0)), undefined);
    assertTells(explain(good, rules(undefined, HOUR_MS + 1)), "credential_expiring");
    const stale = { bundles: { find: held.find, state: () => "stale" as const } };
    assertTells(explain(good, stale), "bundle_stale");
    assertTells(explain([leafBelow(root, { uris: ["spiffe://td1.test/spire/agent/x"] })]), "spiffe_id_reserved");
    const revoked = explain(good, { denyList: list.value });
    assertTells(revoked, "revoked");
    assert.equal(revoked.detail, "left the house");
    assert.equal(explain([leafBelow(root, { uris: [`${ID}2`] })], { denyList: list.value }).verdict, "accepted");
  });

  it("says nothing of what is no certificate", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n";
    for (const text of [
      "",
      "hello",
      key,
      `${leafBelow(root).pem}${key}`,
      "-----BEGIN%20CERT%",
      "-----BEGIN CERTIFICATE-----",
    ]) {
      const explanation = explainCertificate(text, OPTIONS);
      assertTells(explanation, "x509_cert_parse");
      assert.equal(explanation.facts.size, 0);
      assert.equal(leaks(JSON.stringify(explanation), "c2VjcmV0c2VjcmV0c2VjcmV0", 8), undefined);
    }
  });
});
