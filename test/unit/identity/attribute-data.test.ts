import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inSlices } from "../../../src/base/steps.ts";
import {
  type AttributeData,
  findAttributeData,
  MAX_DATA_BYTES,
  MAX_DATA_ENTRIES,
  parseAttributeData,
  parseAttributeDataSteps,
} from "../../../src/identity/attribute-data.ts";
import { parseSpiffeId } from "../../../src/identity/spiffe-id.ts";

const json = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const parse = (bytes: Uint8Array | string, file = "a.json") => parseAttributeData(file, Buffer.from(bytes));
const dataOf = (document: unknown): AttributeData => {
  const parsed = parse(json(document));
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
  return parsed.value;
};
const find = (documents: readonly AttributeData[], id: string): object => {
  const parsed = parseSpiffeId(id);
  assert.ok(parsed.ok, id);
  return Object.fromEntries(
    [...findAttributeData(documents, parsed.value)].map(([name, text]) => [name, JSON.parse(text)]),
  );
};

const API = "spiffe://example.org/ns/payments/sa/api";

describe("findAttributeData", () => {
  const data = dataOf({
    "spiffe://example.org/**": { owner: "platform", level: 1 },
    "spiffe://example.org/ns/payments/**": { environment: "prod", level: 2 },
    [`${API}/**`]: { level: 3 },
    [API]: { service: "api", level: 4 },
  });

  const rows: readonly (readonly [id: string, attributes: object])[] = [
    [API, { service: "api", level: 4, environment: "prod", owner: "platform" }],
    [`${API}/x`, { level: 3, environment: "prod", owner: "platform" }],
    ["spiffe://example.org/ns/payments/sa/other", { level: 2, environment: "prod", owner: "platform" }],
    ["spiffe://example.org/ns/payments", { level: 2, environment: "prod", owner: "platform" }],
    ["spiffe://example.org/ns/payments-2/sa/api", { level: 1, owner: "platform" }],
    ["spiffe://example.org/ns/payment", { level: 1, owner: "platform" }],
    ["spiffe://example.org/NS/payments/sa/api", { level: 1, owner: "platform" }],
    ["spiffe://example.org", { level: 1, owner: "platform" }],
    ["spiffe://evilexample.org/ns/payments/sa/api", {}],
    ["spiffe://example.org.evil/ns/payments/sa/api", {}],
    ["spiffe://example.or/ns/payments/sa/api", {}],
    [`spiffe://example.org${"/a".repeat(1000)}`, { level: 1, owner: "platform" }],
  ];
  for (const [id, attributes] of rows)
    it(`of ${id.slice(0, 60)}, per name the most specific entry`, () => assert.deepEqual(find([data], id), attributes));

  it("an ID is no prefix, and a prefix no ID", () => {
    assert.deepEqual(find([dataOf({ [API]: { a: 1 } })], `${API}/x`), {});
    assert.deepEqual(find([dataOf({ [API]: { a: 1 } })], "spiffe://example.org/ns/payments/sa"), {});
  });

  it("of two documents the more specific entry, and for one entry the first document", () => {
    const first = dataOf({ "spiffe://example.org/**": { a: "first", b: "first" }, [API]: { c: "first" } });
    const second = dataOf({ "spiffe://example.org/ns/**": { a: "second" }, [API]: { c: "second", d: "second" } });
    assert.deepEqual(find([first, second], API), { c: "first", d: "second", a: "second", b: "first" });
    assert.deepEqual(find([second, first], API), { c: "second", d: "second", a: "second", b: "first" });
    assert.deepEqual(find([], API), {});
  });
});

describe("parseAttributeData", () => {
  it("counts its entries", () => assert.equal(dataOf({ [API]: {}, "spiffe://a/**": {} }).entries, 2));

  it("keeps values of every kind", () => {
    const values = { a: "x", b: 1.5, c: false, d: ["x", { y: null }], e: {}, f: "" };
    assert.deepEqual(find([dataOf({ [API]: values })], API), values);
  });

  const yaml = (text: string) => parse(text, "a.yaml");
  it("reads YAML as the same document", () => {
    const parsed = yaml(`
# comment
spiffe://example.org/**: {owner: platform-team}
${API}:
  service: payments-api
  purpose: [settlement, refunds]
  tier: 1
  ratio: 1.5
  on: yes
  "off": true
`);
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
    assert.deepEqual(find([parsed.value], API), {
      service: "payments-api",
      purpose: ["settlement", "refunds"],
      ...{ tier: 1, ratio: 1.5, on: "yes", off: true, owner: "platform-team" },
    });
    assert.ok(parse("spiffe://example.org/**: {owner: a}", "a.yml").ok);
    assert.equal(parse("spiffe://example.org/**: {owner: a}", "a.json").ok, false);
  });

  const name = (text: string) => json({ [API]: { [text]: 1 } });
  const refused: readonly (readonly [string, Uint8Array | string, string, RegExp?])[] = [
    ["nothing", "", "syntax"],
    ["no object", "[]", "syntax"],
    ["two documents", "{}{}", "syntax"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), "syntax", /UTF-8/],
    ["a byte order mark", "\ufeff{}", "syntax"],
    ["an ID twice", `{"${API}": {}, "${API}": {}}`, "syntax", /twice/],
    ["an ID twice, escaped", `{"${API}": {}, "${API.replace("api", "\\u0061pi")}": {}}`, "syntax", /twice/],
    ["a name twice", `{"${API}": {"a": 1, "a": 2}}`, "syntax", /twice/],
    ["half a surrogate pair", `{"${API}": {"a": "\\ud800"}}`, "syntax"],
    ["a number that would be another", `{"${API}": {"a": 9007199254740993}}`, "syntax", /digits/],
    ["a key that is no ID", json({ "https://example.org/x": {} }), "key", /scheme/],
    ["an upper-case trust domain", json({ "spiffe://Example.org/x": {} }), "key", /td_char/],
    ["a slash at the end", json({ [`${API}/`]: {} }), "key", /trailing_slash/],
    ["dots", json({ "spiffe://example.org/ns/../x": {} }), "key", /dot_segment/],
    ["one star", json({ "spiffe://example.org/ns/*": {} }), "key", /path_char/],
    ["stars in between", json({ "spiffe://example.org/**/x": {} }), "key"],
    ["stars without a slash", json({ "spiffe://example.org/ns**": {} }), "key"],
    ["stars after stars", json({ "spiffe://example.org/**/**": {} }), "key"],
    ["stars for every trust domain", json({ "spiffe://**": {} }), "key"],
    ["stars alone", json({ "/**": {} }), "key"],
    ["__proto__ for an ID", '{"__proto__": {}}', "key"],
    ["a long key", json({ [`spiffe://example.org/${"a".repeat(3000)}`]: {} }), "key", /^`.{0,220}…`: /],
    ["text for attributes", json({ [API]: "prod" }), "value"],
    ["a list for attributes", json({ [API]: [] }), "value"],
    ["null for attributes", json({ [API]: null }), "value"],
    ["null for a value", json({ [API]: { a: null } }), "value", /leave the name out/],
    ["a value nested too deeply", json({ [API]: { a: [[[[[[[[1]]]]]]]] } }), "value", /8 deep/],
    ["a value too long", json({ [API]: { a: "x".repeat(5000) } }), "value", /4096/],
    [
      "too many attributes",
      json({ [API]: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, 1])) }),
      "too_many",
    ],
    ["__proto__ for a name", `{"${API}": {"__proto__": {"a": 1}}}`, "name"],
    ["constructor is a name, Constructor is none", name("Constructor"), "name"],
    ["a hyphen", name("service-account"), "name"],
    ["a dot", name("a.b"), "name"],
    ["no name", name(""), "name"],
    ["a digit first", name("1a"), "name"],
    ["a line feed behind", name("a\n"), "name"],
    ["a long name", name("a".repeat(65)), "name"],
  ];
  for (const [what, bytes, code, detail] of refused)
    it(`refuses ${what}`, () => {
      const parsed = parse(bytes);
      assert.equal(parsed.ok ? "ok" : parsed.code, code);
      assert.match((!parsed.ok && parsed.detail) || "", detail ?? /./);
    });

  const yamls: readonly (readonly [string, string, string, RegExp])[] = [
    ["a second document", `${API}: {a: 1}\n---\n{}\n`, "syntax", /second document/],
    ["a list", "- a\n", "syntax", /expected a map/],
    ["nothing", "", "syntax", /expected a map/],
    ["a name twice, with its line", `${API}:\n  a: 1\n  a: 2\n`, "syntax", /^line 3: /],
    ["an ID twice", `${API}: {a: 1}\n${API}: {a: 2}\n`, "syntax", /^line 2: /],
    ["a number beyond 2^53", `${API}:\n  a: 9007199254740993\n`, "value", /^line 2: .*write it as text/],
    ["infinity", `${API}:\n  a: .inf\n`, "value", /^line 2: /],
    [
      "an alias bomb",
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${Array.from({ length: 8 }, (_, i) => `k${i}: &k${i} [${Array.from({ length: 10 }, () => (i === 0 ? "*a" : `*k${i - 1}`)).join(",")}]`).join("\n")}\n`,
      "syntax",
      /more than 10000/,
    ],
    ["__proto__", `${API}: {__proto__: {a: 1}}\n`, "name", /__proto__/],
    ["null", `${API}: {a: }\n`, "value", /leave the name out/],
    ["too much", `# ${"x".repeat(128 * 1024)}\n`, "too_large", /write it as JSON/],
  ];
  for (const [what, text, code, detail] of yamls)
    it(`refuses YAML with ${what}`, () => {
      const parsed = yaml(text);
      assert.equal(parsed.ok ? "ok" : parsed.code, code);
      assert.match((!parsed.ok && parsed.detail) || "", detail);
    });

  it("refuses YAML that is no UTF-8", () => {
    const parsed = parseAttributeData("a.yaml", Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    assert.equal(parsed.ok ? "ok" : parsed.code, "syntax");
  });

  it("takes exactly as many entries as it says", () => {
    const many = (count: number) =>
      json(Object.fromEntries(Array.from({ length: count }, (_, i) => [`spiffe://a/${i}`, {}])));
    const full = parseAttributeData("a.json", many(MAX_DATA_ENTRIES));
    assert.equal(full.ok && full.value.entries, MAX_DATA_ENTRIES);
    const over = parse(many(MAX_DATA_ENTRIES + 1));
    assert.equal(over.ok ? "ok" : over.code, "too_many");
  });

  it("takes exactly as many bytes as it says", () => {
    const padded = (bytes: number) => Buffer.from("{}".padEnd(bytes, " "));
    assert.ok(parse(padded(MAX_DATA_BYTES)).ok);
    const over = parseAttributeData("a.json", padded(MAX_DATA_BYTES + 1));
    assert.equal(over.ok ? "ok" : over.code, "too_large");
  });

  it("lets others run while it reads a full document", async () => {
    const bytes = json(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`spiffe://a/${i}`, { a: i }])));
    let steps = 0;
    for (const _ of parseAttributeDataSteps("a.json", bytes)) steps++;
    assert.ok(steps >= 20, `${steps} steps`);
    // A clock by which each step takes longer than a slice may.
    let nowMs = 0;
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const clock = { monotonicMs: () => (nowMs += 10) };
    assert.ok((await inSlices(parseAttributeDataSteps("a.json", bytes), clock)).ok);
    isDone = true;
    assert.ok(turns >= 20, `${turns} turns`);
  });
});
