// A token for each way to fail, at each place where it can: what is explained is what the verifier says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JwtSvidCode } from "../../../../src/identity/codes.ts";
import { parseDenyList } from "../../../../src/identity/deny-list.ts";
import { type ExplainTokenOptions, explainToken } from "../../../../src/identity/explain/token.ts";
import { TOKEN_RULES, type TokenStage } from "../../../../src/identity/explain/token-rules.ts";
import { verifyJwtSvid } from "../../../../src/identity/jwt-svid.ts";
import { assertTells } from "../../../support/explanations.ts";
import { createHandBundles, createSigningKey, encodePart, signToken } from "../../../support/jwt-svid.ts";

const NOW = Date.UTC(2026, 0, 1);
const NOW_S = NOW / 1000;
const SUB = "spiffe://td1.test/ns/pay/sa/api";
const key = createSigningKey("ES256", "k1");
const other = createSigningKey("ES384", "k2");
const stranger = createSigningKey("ES256", "k1");
const held = createHandBundles();
held.set("td1.test", [key, other]);
held.set("empty.test", []);

const OPTIONS: ExplainTokenOptions = {
  nowUnixMs: NOW,
  bundles: { find: (name) => held.find(name), state: () => "fresh" },
  clockSkewMs: 30_000,
  rulesOf: () => undefined,
  denyList: undefined,
  token: { audiences: ["ours"], keepsAllClaimsOf: () => true },
};
const HEADER = { alg: "ES256", kid: "k1", typ: "JWT" };
const CLAIMS = { sub: SUB, aud: "ours", iat: NOW_S, exp: NOW_S + 300 };
const token = (claims: object = {}, header: object = {}, signer = key): string =>
  signToken({ ...HEADER, ...header }, { ...CLAIMS, ...claims }, signer);

const explain = (text: string, changes: Partial<ExplainTokenOptions> = {}) =>
  explainToken(text, { ...OPTIONS, ...changes });

const CASES: readonly (readonly [name: string, text: string, stage: TokenStage, code: JwtSvidCode])[] = [
  ["nothing", "", "header", "malformed"],
  ["two parts", "a.b", "header", "malformed"],
  ["padding", `${token()}=`, "header", "malformed"],
  ["more than 16 KiB", token({ x: "x".repeat(16_384) }), "header", "malformed"],
  ["a header that is no object", signToken([], CLAIMS, key), "header", "malformed"],
  ["two alg", signToken(`{"alg":"none",${JSON.stringify(HEADER).slice(1)}`, CLAIMS, key), "header", "dup_claims"],
  ["none", token({}, { alg: "none" }), "header", "alg"],
  ["a key that it brings", token({}, { jku: "https://evil.test" }), "header", "header"],
  ["an access token", token({}, { typ: "at+jwt" }), "header", "typ"],
  ["a number for a kid", token({}, { kid: 1 }), "header", "kid"],
  ["a payload that is no object", signToken(HEADER, "[]", key), "payload", "malformed"],
  ["two sub", signToken(HEADER, `{"sub":"a",${JSON.stringify(CLAIMS).slice(1)}`, key), "payload", "dup_claims"],
  ["a user", token({ sub: "alice" }), "claims", "sub"],
  ["no audience", token({ aud: [] }), "claims", "aud"],
  ["no end", token({ exp: "soon" }), "claims", "exp"],
  ["an end before the beginning", token({ exp: NOW_S - 1 }), "claims", "exp"],
  ["a beginning that is no date", token({ nbf: null }), "claims", "nbf"],
  ["an issue that is no date", token({ iat: "now" }), "claims", "iat"],
  ["a jti that is no text", token({ jti: 7 }), "claims", "malformed"],
  ["another's audience", token({ aud: "theirs" }), "audience", "aud"],
  ["late", token({ iat: NOW_S - 300, exp: NOW_S - 31 }), "dates", "expired"],
  ["early", token({ nbf: NOW_S + 31 }), "dates", "nbf"],
  ["from the future", token({ iat: NOW_S + 31 }), "dates", "iat"],
  ["for a day", token({ exp: NOW_S + 86_400 }), "dates", "long_lived"],
  ["no bundle", token({ sub: "spiffe://td2.test/x" }), "bundle", "no_bundle"],
  ["an empty bundle", token({ sub: "spiffe://empty.test/x" }), "bundle", "no_bundle"],
  ["an unknown key", token({}, { kid: "k9" }), "keys", "kid"],
  ["a key for another algorithm", token({}, { kid: "k2" }), "keys", "alg"],
  ["a stranger's signature", token({}, {}, stranger), "signature", "signature"],
];

describe("explainToken", () => {
  for (const [name, text, stage, code] of CASES) {
    it(`tells jwt_${code} of the ${stage} for: ${name}`, async () => {
      const verified = await verifyJwtSvid(text, { audiences: ["ours"], bundles: held, nowUnixMs: NOW });
      assert.equal(verified.ok ? undefined : verified.code, code);
      const explanation = await explain(text);
      assertTells(explanation, `jwt_${code}`, name);
      const at = explanation.checks.findIndex(({ outcome }) => outcome === "fail");
      assert.equal(TOKEN_RULES[at]?.stage, stage);
      assert.ok(explanation.checks.slice(0, at).every(({ outcome }) => outcome === "pass"));
    });
  }

  it("has a case here for every rule of a token", () => {
    const rules = TOKEN_RULES.flatMap(({ stage, check, code }) =>
      code?.startsWith("jwt_") && stage !== "request" ? [`${stage} ${check}`] : [],
    );
    assert.deepEqual([...new Set(CASES.map(([, , stage, code]) => `${stage} ${code}`))].sort(), rules.sort());
  });

  it("accepts a good one and tells dates and names, but no further claim", async () => {
    const explanation = await explain(token({ role: "admin-of-everything", jti: "the-only-one" }));
    assertTells(explanation, undefined);
    assert.equal(explanation.verdict, "accepted");
    assert.deepEqual(Object.fromEntries(explanation.facts), {
      alg: "ES256",
      typ: "JWT",
      kid: "k1",
      sub: SUB,
      aud: "ours",
      exp: "2026-01-01T00:05:00.000Z",
      iat: "2026-01-01T00:00:00.000Z",
      other_claims: ["role", "jti"],
    });
    assert.doesNotMatch(JSON.stringify(explanation), /admin-of-everything|the-only-one/);
  });

  it("says which claims of a federated trust domain are not passed on", async () => {
    const text = token({ role: "admin", team: "pay" });
    const federated = { audiences: ["ours"], keepsAllClaimsOf: () => false, foreignClaims: ["team"] };
    const rowOf = ({ checks }: { checks: readonly { check: string; detail?: string }[] }) =>
      checks.find(({ check }) => check === "foreign_claims")?.detail;
    assert.equal(rowOf(await explain(text, { token: federated })), "not passed on: role");
    assert.equal(rowOf(await explain(text)), "all claims are passed on");
  });

  it("without bundles or audience does what needs neither, and accepts nothing", async () => {
    for (const [bundles, audiences] of [
      [undefined, ["ours"]],
      [OPTIONS.bundles, []],
      [undefined, []],
    ] as const) {
      const changes = { bundles, token: { audiences } };
      const explanation = await explain(token(), changes);
      assertTells(explanation, undefined);
      assert.equal(explanation.verdict, "incomplete");
      const unchecked = explanation.checks.flatMap(({ check, outcome }) => (outcome === "not_checked" ? [check] : []));
      assert.equal(unchecked.includes("signature"), bundles === undefined);
      assert.equal(unchecked.includes("aud"), audiences.length === 0);
      assert.equal(/signature was not checked/.test(explanation.detail ?? ""), bundles === undefined);
      assert.equal(/audience was not checked/.test(explanation.detail ?? ""), audiences.length === 0);
      for (const [name, text, stage, code] of CASES) {
        const isSkipped =
          (stage === "audience" && audiences.length === 0) ||
          (bundles === undefined && ["bundle", "keys", "signature"].includes(stage));
        assertTells(await explain(text, changes), isSkipped ? undefined : `jwt_${code}`, name);
      }
    }
  });

  it("takes the server's rules: leeway, lifetime, tokens without a key ID", async () => {
    const { kid: _, ...keyless } = HEADER;
    const text = signToken(keyless, CLAIMS, key);
    assertTells(await explain(text), "jwt_kid");
    assertTells(await explain(text, { token: { audiences: ["ours"], requireKeyId: false } }), undefined);
    assertTells(
      await explain(token({ exp: NOW_S + 200 }), { token: { audiences: ["ours"], maxLifetimeMs: 100_000 } }),
      "jwt_long_lived",
    );
    assertTells(await explain(token({ iat: NOW_S + 31 }), { clockSkewMs: 60_000 }), undefined);
  });

  it("holds a verified one against the rules of its trust domain and the deny list", async () => {
    const list = parseDenyList('entries:\n  - {id: r1, jti: "j1", reason: stolen, expires: never}\n');
    assert.ok(list.ok, list.ok ? "" : list.detail);
    assertTells(await explain(token({ jti: "j1" }), { denyList: list.value }), "revoked");
    assertTells(await explain(token({ jti: "j2" }), { denyList: list.value }), undefined);
    assertTells(await explain(token({ sub: "spiffe://td1.test/spire/server" })), "spiffe_id_reserved");
    const rules = () => ({ maxLifetimeMs: undefined, minRemainingMs: 301_000 });
    assertTells(await explain(token(), { rulesOf: rules }), "credential_expiring");
    const stale = { find: OPTIONS.bundles?.find ?? (() => undefined), state: () => "stale" as const };
    assertTells(await explain(token(), { bundles: stale }), "bundle_stale");
  });

  it("tells what can be read of a token that is refused, and in words what has no text or date", async () => {
    const { facts } = await explain(token({ aud: [1, "x"], exp: 1e300, nbf: "x" }, { typ: "at+jwt", kid: 7 }));
    assert.deepEqual(Object.fromEntries(facts), {
      alg: "ES256",
      typ: "at+jwt",
      kid: "(no text)",
      sub: SUB,
      aud: ["(no text)", "x"],
      exp: "(no date)",
      iat: "2026-01-01T00:00:00.000Z",
      nbf: "(no date)",
    });
    const long = await explain(token({ sub: "x".repeat(5_000), [`secret-${"y".repeat(100)}`]: 1 }));
    assert.ok(JSON.stringify([...long.facts]).length < 1_000);
    assert.equal((await explain(`${encodePart("{")}.e30.AA`)).facts.size, 0);
  });
});
