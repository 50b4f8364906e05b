import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { type AttributeData, findAttributeData, parseAttributeData } from "../../src/identity/attribute-data.ts";
import { matchTemplates, parseAttributeTemplate } from "../../src/identity/attribute-template.ts";
import { toValueText } from "../../src/identity/attribute-value.ts";
import { createAttributeSource } from "../../src/identity/attributes.ts";
import { parseSpiffeId, type SpiffeId } from "../../src/identity/spiffe-id.ts";

const SETTINGS = { seed: 20260101, numRuns: 300 } as const;

const segment = fc.constantFrom("a", "b", "ab", "a.b", "a-", "A", "ns");
const trustDomain = fc.constantFrom("example.org", "evilexample.org", "example.org.evil");
const segments = fc.array(segment, { maxLength: 4 });
const idText = fc.tuple(trustDomain, segments).map(([td, path]) => ["spiffe:/", td, ...path].join("/"));
const name = fc.constantFrom("environment", "owner", "level");
const entry = fc.dictionary(name, fc.integer(), { noNullPrototype: true });
const key = fc.tuple(idText, fc.boolean()).map(([id, isPrefix]) => (isPrefix ? `${id}/**` : id));
const document = fc.array(fc.tuple(key, entry), { maxLength: 12 }).map((entries) => Object.fromEntries(entries));

type Plain = Readonly<Record<string, Readonly<Record<string, number>>>>;

const idOf = (text: string): SpiffeId => {
  const parsed = parseSpiffeId(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
};
const dataOf = (plain: Plain): AttributeData => {
  const parsed = parseAttributeData("a.json", Buffer.from(JSON.stringify(plain)));
  assert.ok(parsed.ok);
  return parsed.value;
};

/** The rule written another way: all entries that apply, sorted; the first that has the name. */
function expected(documents: readonly Plain[], id: string): Record<string, string> {
  const parts = id.split("/");
  const applying = documents.flatMap((plain, order) =>
    Object.entries(plain).flatMap(([where, attributes]) => {
      const wanted = where.replace(/\/\*\*$/, "").split("/");
      const isPrefix = where.endsWith("/**");
      const applies = wanted.every((part, at) => part === parts[at]) && (isPrefix || wanted.length === parts.length);
      return applies ? [{ rank: isPrefix ? wanted.length : 1e6, order, attributes }] : [];
    }),
  );
  applying.sort((a, b) => b.rank - a.rank || a.order - b.order);
  const found: Record<string, string> = {};
  for (const { attributes } of applying)
    for (const [attribute, value] of Object.entries(attributes)) found[attribute] ??= String(value);
  return found;
}

it("what documents say of an ID is what the rule says", () => {
  fc.assert(
    fc.property(fc.array(document, { maxLength: 3 }), idText, (documents, id) => {
      const found = findAttributeData(documents.map(dataOf), idOf(id));
      assert.deepEqual(Object.fromEntries(found), expected(documents, id));
    }),
    { ...SETTINGS, numRuns: 1000 },
  );
});

it("no entry of another trust domain ever applies", () => {
  fc.assert(
    fc.property(document, segments, (plain, path) => {
      const others = Object.fromEntries(
        Object.entries(plain).filter(([where]) => where.split("/")[2] !== "example.org"),
      );
      assert.equal(findAttributeData([dataOf(others)], idOf(["spiffe:/", "example.org", ...path].join("/"))).size, 0);
    }),
    SETTINGS,
  );
});

it("a template fits exactly the IDs that a pattern of it fits", () => {
  const part = fc.oneof(segment, fc.constantFrom("{x}", "{y}", "{z}"));
  fc.assert(
    fc.property(
      fc.uniqueArray(part, { minLength: 1, maxLength: 4 }),
      fc.option(trustDomain),
      idText,
      (parts, td, id) => {
        const text = `${td === null ? "" : `spiffe://${td}`}/${parts.join("/")}`;
        const parsed = parseAttributeTemplate(text);
        if (!parsed.ok) return assert.ok(!/[{]/.test(text), text);
        const escaped = parts.map((one) =>
          one.startsWith("{") ? `(?<${one.slice(1, -1)}>[^/]+)` : one.replace(/[.-]/g, "\\$&"),
        );
        const domain = td === null ? "[^/]+" : td.replaceAll(".", "\\.");
        const match = new RegExp(`^spiffe://${domain}/${escaped.join("/")}$`).exec(id);
        const names = matchTemplates([parsed.value], idOf(id));
        assert.deepEqual(names && Object.fromEntries(names), match === null ? undefined : { ...match.groups });
      },
    ),
    { ...SETTINGS, numRuns: 1000 },
  );
});

it("no text makes the readers throw, and what they take has only names that are names", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    document.map((plain) => JSON.stringify(plain)),
    fc.tuple(document, fc.nat(), fc.string({ maxLength: 3 })).map(([plain, at, inserted]) => {
      const text = JSON.stringify(plain);
      return text.slice(0, at % text.length) + inserted + text.slice(at % text.length);
    }),
  );
  fc.assert(
    fc.property(hostile, fc.constantFrom("a.json", "a.yaml"), (text, file) => {
      const parsed = parseAttributeData(file, Buffer.from(text));
      if (!parsed.ok) return assert.ok(parsed.code.length > 0 && (parsed.detail ?? "").length > 0);
      for (const found of findAttributeData([parsed.value], idOf("spiffe://example.org/a")).keys())
        assert.match(found, /^[a-z][a-z0-9_]*$/);
      parseAttributeTemplate(text);
    }),
    SETTINGS,
  );
});

it("whatever a token or Envoy says, the text is one object of attributes with its three members", () => {
  const subject = { spiffeId: idOf("spiffe://example.org/a"), verifiedBy: "pdp" as const };
  const source = createAttributeSource({
    templates: [],
    claims: ["a", "__proto__"],
    metadata: new Map([["b", { namespace: "n", key: "k" }]]),
  });
  fc.assert(
    fc.property(fc.anything({ withBigInt: true }), fc.anything(), (claim, metadata) => {
      const claims = new Map<string, unknown>([
        ["a", claim],
        ["__proto__", metadata],
      ]);
      const text = source.json({ ...subject, claims, filterMetadata: () => metadata });
      const members = Object.entries(JSON.parse(text ?? "{}") as Record<string, Record<string, unknown>>);
      for (const [, attribute] of members) assert.deepEqual(Object.keys(attribute), ["value", "source", "trust"]);
      assert.equal(text === undefined, members.length === 0);
    }),
    SETTINGS,
  );
});

it("a value's text is JSON of the same value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = toValueText(value);
      if (text === undefined) return assert.ok(value === null || JSON.stringify(value).length > 2000);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
    SETTINGS,
  );
});
