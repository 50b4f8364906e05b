// What every explanation must be, whatever it explains: one rule failed, or none; before it nothing that was not gone through.

import assert from "node:assert/strict";
import { explainCertificate } from "../../src/identity/explain/certificate.ts";
import type { Explanation } from "../../src/identity/explain/checks.ts";
import { explainToken } from "../../src/identity/explain/token.ts";
import type { ExplainOptions } from "../../src/identity/explain/trust.ts";
import type { JwtSvidOptions } from "../../src/identity/jwt-svid.ts";
import type { TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import type { X509SvidOptions } from "../../src/identity/x509-svid.ts";
import { toPem } from "./signed-certificate.ts";

/** Asserts that the explanation tells the verifier's own answer: this reason code, or none, and rows that go with it. */
export function assertTells({ verdict, code, checks }: Explanation, expected: string | undefined, name = ""): void {
  assert.equal(code, expected, name);
  const outcomes = checks.map(({ outcome }) => outcome);
  const failed = checks.filter(({ outcome }) => outcome === "fail");
  if (expected === undefined) {
    assert.ok(verdict === "accepted" || verdict === "incomplete", `${name}: ${verdict}`);
    assert.ok(!outcomes.includes("fail") && !outcomes.includes("not_reached"), name);
    return;
  }
  assert.equal(verdict, "refused", name);
  assert.deepEqual(
    failed.map((row) => row.code),
    [expected],
    name,
  );
  const at = outcomes.indexOf("fail");
  assert.ok(
    outcomes.slice(at + 1).every((outcome) => outcome === "not_reached"),
    `${name}: something behind the rule that failed was reached`,
  );
  // Rules of one search say nothing of each other, so those before it may be open too; nothing else may.
  const before = outcomes.slice(0, at);
  const open = before.indexOf("not_reached");
  const gone = open < 0 ? before : before.slice(0, open);
  assert.ok(
    gone.every((outcome) => outcome === "pass" || outcome === "not_checked"),
    name,
  );
  assert.ok(
    before.slice(gone.length).every((outcome) => outcome === "not_reached"),
    name,
  );
}

/** Whether any `length` characters in a row of `secret` stand in `text`. */
export function leaks(text: string, secret: string, length = 12): string | undefined {
  for (let at = 0; at + length <= secret.length; at++) {
    const window = secret.slice(at, at + length);
    if (text.includes(window)) return window;
  }
  return undefined;
}

const against = (bundles: TrustBundleSource, nowUnixMs: number, clockSkewMs = 30_000): ExplainOptions => ({
  nowUnixMs,
  bundles: { find: (trustDomain) => bundles.find(trustDomain), state: () => "fresh" },
  clockSkewMs,
  rulesOf: () => undefined,
  denyList: undefined,
});

/** Asserts that the explanation of a certificate tells what the verifier told; for the tables of the verifier's own tests. */
export function assertExplainsCertificate(leaf: Uint8Array, options: X509SvidOptions, code: string | undefined): void {
  const pem = [leaf, ...(options.intermediates ?? [])].map(toPem).join("");
  const explanation = explainCertificate(pem, against(options.bundles, options.nowUnixMs, options.clockSkewMs));
  assertTells(explanation, code && `x509_${code}`);
}

/** The same for a token. Without an audience of ours the verifier refuses and an explanation cannot tell, so that is left out. */
export async function assertExplainsToken(
  token: string,
  options: JwtSvidOptions,
  code: string | undefined,
): Promise<void> {
  const { bundles, nowUnixMs, leewayMs, ...rules } = options;
  if (rules.audiences.length === 0) return;
  const fixed = { ...against(bundles, nowUnixMs, leewayMs), rulesOf: () => undefined, token: rules };
  const explanation = await explainToken(token, fixed);
  // What resolution alone refuses is no concern of the verifier.
  if (code === undefined && explanation.code === "spiffe_id_reserved") return;
  // The grace of the clocks is over for what counts the time that is left.
  if (code === undefined && explanation.code === "credential_expiring") return;
  assertTells(explanation, code && `jwt_${code}`);
}
