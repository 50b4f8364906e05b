import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { parseCertificate } from "../../../../src/identity/certificate.ts";
import { explainXfcc } from "../../../../src/identity/explain/xfcc.ts";
import { parseXfcc, selectXfcc } from "../../../../src/identity/xfcc.ts";
import { assertTells } from "../../../support/explanations.ts";
import { issueAuthority, issueCertificate, toEnvoyText } from "../../../support/signed-certificate.ts";

const B = "spiffe://td1.test/ns/edge/sa/proxy";
const W = "spiffe://td1.test/ns/default/sa/web";
const root = issueAuthority(undefined, { uris: ["spiffe://td1.test"] });
const leaf = issueCertificate(root, { uris: [W] });
const parsed = parseCertificate(leaf.der);
assert.ok(parsed.ok);
const certificate = parsed.value;
const H = certificate.fingerprintSha256;
const PEER = { certificate, by: B };
const GOOD = `By=${B};Hash=${H};Subject="O=SPIRE";URI=${W}`;
const rowOf = (header: string, check: string, peer: Parameters<typeof explainXfcc>[1] = PEER) =>
  explainXfcc(header, peer).checks.find((row) => row.check === check);

describe("explainXfcc", () => {
  it("accepts a header whose last element is bound to the peer and names it", () => {
    for (const header of [
      GOOD,
      `By=x;Hash=y;URI=spiffe://td1.test/admin,${GOOD}`,
      JSON.stringify([{ by: [B], hash: H, uri: [W], dns: ["web"] }]),
      `By=${B};Hash=${H}`,
      `By=${B};Hash=${H};URI=`,
    ]) {
      const explanation = explainXfcc(header, PEER);
      assertTells(explanation, undefined, header);
      assert.equal(explanation.verdict, "accepted", header);
    }
    assert.deepEqual(Object.fromEntries(explainXfcc(`${GOOD};DNS=web;Foo=1`, PEER).facts), {
      format: "text",
      elements: 1,
      last_by: [B],
      last_hash: H,
      last_uri: [W],
      last_dns: ["web"],
      last_has_cert: "no",
      last_has_chain: "no",
      unknown_keys: 1,
    });
  });

  const errors: readonly (readonly [code: string, header: string])[] = [
    ["too_long", "x".repeat(65_537)],
    ["bad_char", `${GOOD}\n`],
    ["pair", `${GOOD},`],
    ["stray_quote", `By=${B};Hash=${H};URI=x"y"`],
    ["unterminated_quote", `By=${B};Subject="x`],
    ["after_quote", `By=${B};Subject="x"y`],
    ["duplicate_hash", `${GOOD};Hash=x`],
    ["duplicate_key", `${GOOD};Subject="x"`],
    ["too_many", Array(17).fill(GOOD).join(",")],
    ["json", '[{"by":]'],
    ["too_many", JSON.stringify(Array(17).fill({}))],
    ["json_shape", '[{"uri":"x"}]'],
    ["mismatch", GOOD.replace(W, `${W}2`)],
    ["mismatch", `${GOOD};URI=spiffe://td1.test/admin`],
  ];
  for (const [code, header] of errors) {
    it(`tells xfcc_${code} for ${JSON.stringify(header.slice(0, 40))}`, () => {
      const explanation = explainXfcc(header, PEER);
      assertTells(explanation, `xfcc_${code}`);
      const answer = parseXfcc(header);
      assert.equal(answer.ok ? "mismatch" : answer.code, code);
    });
  }

  it("ignores, as the server does, a header that is not bound, and says what is missing", () => {
    for (const [check, header] of [
      ["element", ""],
      ["element", "[]"],
      ["hash", `By=${B};URI=${W}`],
      ["hash", GOOD.replace(H, "a".repeat(64))],
      ["hash", GOOD.replace(H, H.toUpperCase())],
      ["by", `Hash=${H};URI=${W}`],
      ["by", `By=${B};${GOOD}`],
      ["by", GOOD.replace(B, W)],
      ["bare_names", GOOD.replace(`URI=${W}`, `URI="${W}"`)],
    ] as const) {
      const explanation = explainXfcc(header, PEER);
      assert.deepEqual([explanation.verdict, explanation.code], ["ignored", undefined], header);
      assert.equal(rowOf(header, check)?.outcome, "fail", header);
      assert.ok(explanation.detail);
      const elements = parseXfcc(header);
      assert.ok(elements.ok);
      const peer = { fingerprintSha256: H, destinationPrincipal: B };
      assert.equal(selectXfcc(elements.value, peer), undefined);
    }
  });

  it("accepts nothing without the certificate and the proxy's ID", () => {
    for (const peer of [
      { certificate: undefined, by: undefined },
      { certificate, by: undefined },
      { certificate: undefined, by: B },
    ]) {
      const explanation = explainXfcc(GOOD, peer);
      assert.equal(explanation.verdict, "incomplete");
      assert.match(explanation.detail ?? "", peer.certificate === undefined ? /--certificate/ : /--by/);
      assert.equal(rowOf(GOOD, "hash", peer)?.outcome, "not_checked");
      assert.equal(explainXfcc("Hash", peer).verdict, "refused");
    }
    assert.equal(explainXfcc(GOOD, { certificate, by: "" }).verdict, "ignored");
  });

  it("counts the candidates of a Chain that begins with the peer's certificate", () => {
    const chain = [leaf, root].map(({ der }) => toEnvoyText(der)).join("");
    const header = `${GOOD};Chain="${chain}"`;
    assert.equal(rowOf(header, "chain")?.detail, "1 candidates");
    assert.equal(rowOf(`${GOOD};Chain="x"`, "chain")?.detail, "no Chain that can be used");
    assert.doesNotMatch(JSON.stringify([...explainXfcc(header, PEER).facts]), /BEGIN|MII/);
  });

  it("agrees with the parser on every recorded header", () => {
    const { cases } = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/xfcc.json"), "utf8")) as {
      cases: readonly { name: string; header: string; error?: string }[];
    };
    for (const { name, header, error } of cases) {
      const { code, checks } = explainXfcc(header, { certificate: undefined, by: undefined });
      if (error !== undefined) assert.equal(code, `xfcc_${error}`, name);
      assert.equal(
        checks.filter(({ outcome }) => outcome === "fail").length === 0,
        error === undefined && header !== "",
        name,
      );
    }
  });
});
