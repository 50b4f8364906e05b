import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matchTemplates, parseAttributeTemplate } from "../../../src/identity/attribute-template.ts";
import { parseSpiffeId } from "../../../src/identity/spiffe-id.ts";

const template = (text: string) => {
  const parsed = parseAttributeTemplate(text);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
  return parsed.value;
};

const match = (templates: readonly string[], id: string) => {
  const parsed = parseSpiffeId(id);
  assert.ok(parsed.ok, id);
  const names = matchTemplates(templates.map(template), parsed.value);
  return names && Object.fromEntries(names);
};

const KUBERNETES = "/ns/{namespace}/sa/{service_account}";

describe("parseAttributeTemplate", () => {
  it("takes a path, for every trust domain or for one", () => {
    assert.deepEqual(template(KUBERNETES), {
      text: KUBERNETES,
      trustDomain: undefined,
      segments: [{ text: "ns" }, { name: "namespace" }, { text: "sa" }, { name: "service_account" }],
    });
    assert.equal(template(`spiffe://example.org${KUBERNETES}`).trustDomain, "example.org");
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["", /expected a path/],
    ["ns/{namespace}", /expected a path/],
    ["spiffe://example.org", /expected a path/],
    ["https://example.org/{a}", /expected a path/],
    ["SPIFFE://example.org/{a}", /expected a path/],
    ["/", /has no name/],
    ["/ns/shop", /has no name/],
    ["/ns/{namespace}-x", /a name is a whole segment/],
    ["/ns/x{namespace}", /a name is a whole segment/],
    ["/ns/{a}{b}", /lower-case letter/],
    ["/ns/{a", /a name is a whole segment/],
    ["/ns/}a{", /a name is a whole segment/],
    ["/ns/{}", /lower-case letter/],
    ["/ns/{Namespace}", /lower-case letter/],
    ["/ns/{__proto__}", /lower-case letter/],
    ["/ns/{service-account}", /lower-case letter/],
    ["/ns/{a.b}", /lower-case letter/],
    [`/ns/{${"a".repeat(65)}}`, /lower-case letter/],
    ["/{a}/{a}", /`\{a\}` stands twice/],
    ["/ns/*/sa/{a}", /path_char/],
    ["/ns/%73/{a}", /path_char/],
    ["//{a}", /empty_segment/],
    ["/ns/{a}/", /trailing_slash/],
    ["/ns/../{a}", /dot_segment/],
    ["spiffe://Example.org/{a}", /td_char/],
    ["spiffe:///{a}", /td_missing/],
    ["spiffe://{td}/{a}", /td_char/],
    [`/${"a".repeat(2048)}/{a}`, /at most 2048/],
  ];
  for (const [text, why] of refused)
    it(`refuses ${text.slice(0, 40) || "nothing"}`, () => {
      const parsed = parseAttributeTemplate(text);
      assert.equal(parsed.ok, false);
      assert.match((!parsed.ok && parsed.detail) || "", why);
    });

  it("takes the longest name there may be", () => {
    assert.ok(parseAttributeTemplate(`/{${"a".repeat(64)}}`).ok);
  });
});

describe("matchTemplates", () => {
  const rows: readonly (readonly [name: string, template: string, id: string, expected: object | undefined])[] = [
    [
      "names what stands there",
      KUBERNETES,
      "spiffe://example.org/ns/shop/sa/web",
      { namespace: "shop", service_account: "web" },
    ],
    ["a federated trust domain too, if none is named", "/{a}", "spiffe://example.com/x", { a: "x" }],
    ["the trust domain that is named", "spiffe://example.org/{a}", "spiffe://example.org/x", { a: "x" }],
    ["no other trust domain", "spiffe://example.org/{a}", "spiffe://example.com/x", undefined],
    ["none that begins alike", "spiffe://example.org/{a}", "spiffe://example.org.evil/x", undefined],
    ["none that ends alike", "spiffe://example.org/{a}", "spiffe://evilexample.org/x", undefined],
    ["not what is longer", KUBERNETES, "spiffe://example.org/ns/shop/sa/web/x", undefined],
    ["not what is shorter", KUBERNETES, "spiffe://example.org/ns/shop/sa", undefined],
    ["not another text", KUBERNETES, "spiffe://example.org/ns/shop/SA/web", undefined],
    ["not the beginning of a text", KUBERNETES, "spiffe://example.org/ns-2/shop/sa/web", undefined],
    ["not the ID of a trust domain", "/{a}", "spiffe://example.org", undefined],
    ["names of JavaScript's are values like others", "/{a}", "spiffe://example.org/__proto__", { a: "__proto__" }],
  ];
  for (const [name, text, id, expected] of rows) it(name, () => assert.deepEqual(match([text], id), expected));

  it("takes the first that fits, and nothing of the others", () => {
    const templates = ["/env/{environment}/{rest}", KUBERNETES, "/{kind}/{x}/{y}/{z}"];
    assert.deepEqual(match(templates, "spiffe://a/ns/shop/sa/web"), { namespace: "shop", service_account: "web" });
    assert.deepEqual(match(templates, "spiffe://a/vm/b/c/d"), { kind: "vm", x: "b", y: "c", z: "d" });
    assert.deepEqual(match([], "spiffe://a/ns/shop/sa/web"), undefined);
  });
});
