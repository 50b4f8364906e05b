// What holds for every text that is explained: nothing throws, the verdict is the verifier's, and nothing of a token gets out.

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { toIdentityReport } from "../../src/cli/identity-report.ts";
import { parseCertificate } from "../../src/identity/certificate.ts";
import { explainCertificate } from "../../src/identity/explain/certificate.ts";
import type { Explanation } from "../../src/identity/explain/checks.ts";
import { guessKind, toBareCredential } from "../../src/identity/explain/kind.ts";
import { explainSpiffeId } from "../../src/identity/explain/spiffe-id.ts";
import { type ExplainTokenOptions, explainToken } from "../../src/identity/explain/token.ts";
import { explainXfcc } from "../../src/identity/explain/xfcc.ts";
import { verifyJwtSvid } from "../../src/identity/jwt-svid.ts";
import { parseSpiffeId } from "../../src/identity/spiffe-id.ts";
import { verifyX509Svid } from "../../src/identity/x509-svid.ts";
import { parseXfcc } from "../../src/identity/xfcc.ts";
import { assertTells, leaks } from "../support/explanations.ts";
import { createTestBundles } from "../support/held-bundles.ts";
import { createHandBundles, createSigningKey, signToken } from "../support/jwt-svid.ts";
import { Random } from "../support/random.ts";
import { issueAuthority, issueCertificate, toPem } from "../support/signed-certificate.ts";

const SEED = 20_261_122;
const NOW = Date.now();
const ID = "spiffe://td1.test/ns/pay/sa/api";
const key = createSigningKey("ES256", "k1");
const tokenBundles = createHandBundles();
tokenBundles.set("td1.test", [key]);
const TOKEN_OPTIONS: ExplainTokenOptions = {
  nowUnixMs: NOW,
  bundles: { find: tokenBundles.find, state: () => "fresh" },
  clockSkewMs: 30_000,
  rulesOf: () => undefined,
  denyList: undefined,
  token: { audiences: ["ours"], keepsAllClaimsOf: () => true },
};
const root = issueAuthority(undefined, { subject: "root", uris: ["spiffe://td1.test"] });
const intermediate = issueAuthority(root, { subject: "intermediate", uris: ["spiffe://td1.test"] });
const leaf = issueCertificate(intermediate, { uris: [ID] });
const held = createTestBundles({ "td1.test": [root] });
const OPTIONS = { ...TOKEN_OPTIONS, bundles: { find: held.find, state: () => "fresh" as const } };

const printed = (explanation: Explanation): string =>
  toIdentityReport(explanation, "", "text") + toIdentityReport(explanation, "", "json");

it("a changed certificate, or a changed intermediate, is told as the verifier tells it", () => {
  const random = new Random(SEED);
  const ders = [leaf.der, intermediate.der];
  assertTells(explainCertificate(ders.map(toPem).join(""), OPTIONS), undefined);
  for (let run = 0; run < 600; run++) {
    const which = run % 2;
    const changed = ders.map((der, at) => (at === which ? random.mutate(der, 1 + random.below(2)) : der));
    const [first = leaf.der, ...rest] = changed;
    const verified = verifyX509Svid(first, { bundles: held, nowUnixMs: NOW, intermediates: rest });
    const explanation = explainCertificate(changed.map(toPem).join(""), OPTIONS);
    assertTells(explanation, verified.ok ? undefined : `x509_${verified.code}`);
    const body = first.toString("base64");
    assert.equal(leaks(printed(explanation), body), undefined);
  }
});

it("a token of any claims is told as the verifier tells it, and none of its text or of its other claims gets out", async () => {
  const seconds = Math.floor(NOW / 1000);
  const secret = fc.stringMatching(/^[a-z0-9]{16,40}$/);
  const date = fc.oneof(fc.constantFrom(seconds, seconds + 60, seconds - 600, null, "x", 1e300), fc.integer());
  const claims = fc.record(
    {
      sub: fc.constantFrom(ID, "alice", "spiffe://td2.test/x", 7),
      aud: fc.constantFrom("ours", "theirs", ["ours", "theirs"], []),
      exp: date,
      iat: date,
      nbf: date,
      jti: secret,
      iss: secret,
      role: fc.array(secret, { maxLength: 3 }),
    },
    { requiredKeys: ["role"] },
  );
  const header = fc.record(
    {
      alg: fc.constantFrom("ES256", "none", "HS256", "RS256"),
      kid: fc.constantFrom("k1", "k2", 7),
      typ: fc.constantFrom("JWT", "at+jwt"),
      jku: secret,
    },
    { requiredKeys: ["alg"] },
  );
  const random = new Random(SEED);
  await fc.assert(
    fc.asyncProperty(header, claims, fc.boolean(), async (members, payload, isChanged) => {
      const signed = signToken(members, payload, key);
      const text = isChanged ? random.mutate(Buffer.from(signed), 1).toString("latin1") : signed;
      const verified = await verifyJwtSvid(text, { audiences: ["ours"], bundles: tokenBundles, nowUnixMs: NOW });
      const explanation = await explainToken(text, TOKEN_OPTIONS);
      assertTells(explanation, verified.ok ? undefined : `jwt_${verified.code}`);
      const output = printed(explanation);
      const [, encoded = "", signature = ""] = signed.split(".");
      const others = [payload.jti, payload.iss, members.jku, ...payload.role].filter((one) => one !== undefined);
      for (const hidden of [encoded, signature, ...others]) assert.equal(leaks(output, hidden), undefined);
    }),
    { seed: SEED, numRuns: 1_500 },
  );
});

it("any text of any kind is explained without a throw, and never accepted where its parser refuses it", async () => {
  const piece = fc.constantFrom(
    "spiffe://",
    "td1.test",
    "/a",
    "/",
    "..",
    "By=",
    "Hash=",
    '"',
    ",",
    ";",
    "[",
    '{"by":',
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "%0A",
    "AAAA",
    ".",
    "eyJhbGciOiJFUzI1NiJ9",
    "e30",
    "Bearer ",
    "\n",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
  );
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      const kind = guessKind(given);
      if (kind !== undefined) assert.ok(given.length >= toBareCredential(given, kind).length);
      const id = parseSpiffeId(given);
      const explainedId = explainSpiffeId(given, OPTIONS);
      if (!id.ok) assertTells(explainedId, "x509_spiffe_id");
      const header = parseXfcc(given);
      const peer = { certificate: undefined, by: undefined };
      const explainedHeader = explainXfcc(given, peer);
      if (!header.ok) assertTells(explainedHeader, `xfcc_${header.code}`);
      else assert.notEqual(explainedHeader.verdict, "accepted");
      assert.equal(explainCertificate(given, OPTIONS).verdict, "refused");
      assert.equal((await explainToken(given, TOKEN_OPTIONS)).verdict, "refused");
      printed(explainedHeader);
      assert.equal(parseCertificate(Buffer.from(given)).ok, false);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});
