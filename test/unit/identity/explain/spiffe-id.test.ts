import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { parseDenyList } from "../../../../src/identity/deny-list.ts";
import { guessKind, toBareCredential } from "../../../../src/identity/explain/kind.ts";
import { explainSpiffeId } from "../../../../src/identity/explain/spiffe-id.ts";
import type { ExplainOptions } from "../../../../src/identity/explain/trust.ts";
import { parseSpiffeId } from "../../../../src/identity/spiffe-id.ts";
import { assertTells } from "../../../support/explanations.ts";

const OPTIONS: ExplainOptions = {
  nowUnixMs: 0,
  bundles: undefined,
  clockSkewMs: 0,
  rulesOf: () => undefined,
  denyList: undefined,
};
const failedOf = (text: string): string | undefined =>
  explainSpiffeId(text, OPTIONS).checks.find(({ outcome }) => outcome === "fail")?.check;

it("a SPIFFE ID's explanation names the rule that the parser names, for every recorded text", () => {
  const cases = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/spiffe-id.json"), "utf8")) as readonly {
    input: string;
  }[];
  assert.ok(cases.length >= 44);
  const seen = new Set<string>();
  const more = [
    "",
    "spiffe:///a",
    "spiffe://td1.test/a//b",
    "spiffe://td1.test/a/",
    `spiffe://${"a".repeat(256)}/x`,
    `spiffe://a/${"b".repeat(2_048)}`,
  ];
  for (const input of [...cases.map((row) => row.input), ...more]) {
    const parsed = parseSpiffeId(input);
    const failed = failedOf(input);
    const explanation = explainSpiffeId(input, OPTIONS);
    if (!parsed.ok) {
      assertTells(explanation, "x509_spiffe_id", input);
      assert.equal(failed, parsed.code);
      assert.equal(explanation.facts.size, 0);
      seen.add(parsed.code);
    } else if (parsed.value.path === "") assert.equal(failed, "workload", input);
    else if (parsed.value.path.startsWith("/spire/")) assert.equal(failed, "spiffe_id_reserved", input);
    else assertTells(explanation, undefined, input);
  }
  assert.equal(seen.size, 10);
});

it("a good SPIFFE ID is told in its parts, and looked for in the deny list", () => {
  const id = "spiffe://td1.test/ns/pay/sa/api";
  assert.deepEqual(Object.fromEntries(explainSpiffeId(id, OPTIONS).facts), {
    trust_domain: "td1.test",
    path: "/ns/pay/sa/api",
  });
  const list = parseDenyList("entries:\n  - {id: r1, trust_domain: td1.test, reason: sold, expires: never}\n");
  assert.ok(list.ok, list.ok ? "" : list.detail);
  assertTells(explainSpiffeId(id, { ...OPTIONS, denyList: list.value }), "revoked");
});

it("the kind of a credential is guessed by what it looks like", () => {
  for (const [kind, ...texts] of [
    ["spiffe-id", "spiffe://td1.test/x", "SPIFFE://td1.test/x"],
    [
      "certificate",
      "-----BEGIN CERTIFICATE-----\n",
      "-----BEGIN%20CERTIFICATE-----%0A",
      "subject=x\n-----BEGIN CERTIFICATE-----\n",
    ],
    ["token", "eyJh.eyJz.c2ln", "Bearer eyJh.eyJz.c2ln", "a.b.", "a.b.c.d.e", '{"payload":"x"}', "YQ==.YQ==.YQ=="],
    [
      "xfcc",
      "By=x;Hash=y",
      "hash=y",
      '[{"by":[]}]',
      ' [{"cert":"-----BEGIN CERTIFICATE-----"}]',
      'Cert="-----BEGIN%20"',
    ],
    [undefined, "", "hello", "a.b", "https://td1.test/x", "\n"],
  ] as const) {
    for (const text of texts) assert.equal(guessKind(text), kind, text);
  }
});

it("a line's end and an authorization scheme are not the credential's; anything else is", () => {
  assert.equal(toBareCredential("Bearer  a.b.c\r\n", "token"), "a.b.c");
  assert.equal(toBareCredential("a.b.c\n\n", "token"), "a.b.c\n");
  assert.equal(toBareCredential(" a.b.c", "token"), " a.b.c");
  assert.equal(toBareCredential("By=x\n", "xfcc"), "By=x");
  assert.equal(toBareCredential("spiffe://x\n", "spiffe-id"), "spiffe://x");
  assert.equal(toBareCredential("x\n", "certificate"), "x\n");
});
