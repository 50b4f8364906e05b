import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AttributeData, parseAttributeData } from "../../../src/identity/attribute-data.ts";
import { parseAttributeTemplate } from "../../../src/identity/attribute-template.ts";
import {
  type AttributeOptions,
  type AttributeSubject,
  createAttributeSource,
} from "../../../src/identity/attributes.ts";
import { parseSpiffeId } from "../../../src/identity/spiffe-id.ts";

const WEB = "spiffe://example.org/env/prod/ns/shop";

const dataOf = (document: unknown): AttributeData => {
  const parsed = parseAttributeData("a.json", Buffer.from(JSON.stringify(document)));
  assert.ok(parsed.ok);
  return parsed.value;
};

interface World {
  readonly templates?: readonly string[];
  readonly data?: unknown;
  readonly claims?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
}

const optionsOf = ({ templates = [], data, claims = [], metadata = {} }: World): AttributeOptions => ({
  templates: templates.flatMap((text) => {
    const parsed = parseAttributeTemplate(text);
    return parsed.ok ? [parsed.value] : [];
  }),
  documents: data === undefined ? undefined : { generation: 1, current: () => [dataOf(data)] },
  claims,
  metadata: new Map(Object.entries(metadata).map(([name, key]) => [name, { namespace: "filter", key }])),
});

interface Caller {
  readonly id?: string;
  readonly verifiedBy?: "pdp" | "envoy";
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

function subjectOf({ id = WEB, verifiedBy = "pdp", claims, metadata = {} }: Caller = {}): AttributeSubject {
  const parsed = parseSpiffeId(id);
  assert.ok(parsed.ok);
  return {
    spiffeId: parsed.value,
    verifiedBy,
    claims: claims && new Map(Object.entries(claims)),
    filterMetadata: (namespace, key) => (namespace === "filter" ? metadata[key] : undefined),
  };
}

/** The document's object, and that `of` says the same. */
function ask(world: World, caller?: Caller): object | undefined {
  const source = createAttributeSource(optionsOf(world));
  const subject = subjectOf(caller);
  const text = source.json(subject);
  const listed = source
    .of(subject)
    .map(({ name, valueJson, source: from, trust }) => [name, JSON.parse(valueJson), from, trust]);
  const object =
    text === undefined
      ? undefined
      : (JSON.parse(text) as Record<string, { value: unknown; source: string; trust: string }>);
  assert.deepEqual(
    listed,
    Object.entries(object ?? {}).map(([name, { value, source: from, trust }]) => [name, value, from, trust]),
  );
  assert.equal(source.json(subject), text, "asked again");
  return object;
}

const TEMPLATE = "/env/{environment}/ns/{namespace}";

describe("attributes", () => {
  it("have value, source and trust, by source", () => {
    const world = {
      templates: [TEMPLATE],
      data: { [WEB]: { owner: "a" } },
      claims: ["tier"],
      metadata: { cluster: "c" },
    };
    assert.deepEqual(ask(world, { claims: { tier: 1, other: 2 }, metadata: { c: "c1", d: "x" } }), {
      owner: { value: "a", source: "data", trust: "operator" },
      environment: { value: "prod", source: "template", trust: "pdp" },
      namespace: { value: "shop", source: "template", trust: "pdp" },
      tier: { value: 1, source: "claim", trust: "issuer" },
      cluster: { value: "c1", source: "envoy", trust: "envoy" },
    });
  });

  it("are absent where nothing is known", () => {
    const world = {
      templates: [TEMPLATE],
      data: { [WEB]: { owner: "a" } },
      claims: ["tier"],
      metadata: { cluster: "c" },
    };
    assert.equal(ask(world, { id: "spiffe://example.org/other" }), undefined);
    assert.equal(ask({}), undefined);
    assert.equal(ask({ claims: ["tier"] }, {}), undefined);
  });

  const order = ["data", "template", "claim", "envoy"] as const;
  const worlds = {
    data: { data: { [WEB]: { environment: "data" } } },
    template: { templates: ["/env/{x}/ns/{environment}"] },
    claim: { claims: ["environment"] },
    envoy: { metadata: { environment: "e" } },
  };
  for (const [place, stronger] of order.entries())
    for (const weaker of order.slice(place + 1))
      it(`${weaker} never overrides ${stronger}`, () => {
        const world = { ...worlds[stronger], ...worlds[weaker] };
        const caller = { claims: { environment: "claim" }, metadata: { e: "envoy" } };
        const found = ask(world, caller) as Record<string, { source: string }>;
        assert.equal(found["environment"]?.source, stronger);
      });

  it("a stronger source that says nothing leaves the name to the next", () => {
    const world = {
      data: { [WEB]: { owner: "a" } },
      claims: ["environment"],
      metadata: { environment: "e", tier: "t" },
    };
    assert.deepEqual(ask(world, { claims: { environment: null }, metadata: { e: "prod", t: 1 } }), {
      owner: { value: "a", source: "data", trust: "operator" },
      environment: { value: "prod", source: "envoy", trust: "envoy" },
      tier: { value: 1, source: "envoy", trust: "envoy" },
    });
  });

  it("false, zero and nothing but quotes are values and hide what is weaker", () => {
    const world = { data: { [WEB]: { a: false, b: 0, c: "" } }, claims: ["a", "b", "c"] };
    const found = ask(world, { claims: { a: true, b: 1, c: "x" } }) as Record<
      string,
      { value: unknown; source: string }
    >;
    assert.deepEqual(
      Object.values(found).map(({ value, source }) => [value, source]),
      [
        [false, "data"],
        [0, "data"],
        ["", "data"],
      ],
    );
  });

  it("of an ID that is Envoy's word are Envoy's word, whatever they were looked up in", () => {
    const world = { templates: [TEMPLATE], data: { [WEB]: { owner: "a" } }, metadata: { cluster: "c" } };
    const found = ask(world, { verifiedBy: "envoy", metadata: { c: "c1" } }) as Record<
      string,
      { source: string; trust: string }
    >;
    assert.deepEqual(
      Object.entries(found).map(([name, { source, trust }]) => [name, source, trust]),
      [
        ["owner", "data", "envoy"],
        ["environment", "template", "envoy"],
        ["namespace", "template", "envoy"],
        ["cluster", "envoy", "envoy"],
      ],
    );
  });

  it("that one caller was given are not given to the same ID with another verifier", () => {
    const source = createAttributeSource(optionsOf({ templates: [TEMPLATE] }));
    const trusts = (["envoy", "pdp", "envoy"] as const).map(
      (verifiedBy) => source.of(subjectOf({ verifiedBy }))[0]?.trust,
    );
    assert.deepEqual(trusts, ["envoy", "pdp", "envoy"]);
  });

  it("take no claim that is not listed, and none without a token", () => {
    assert.deepEqual(ask({ claims: ["tier"] }, { claims: { role: "admin" } }), undefined);
    assert.equal(ask({ claims: ["tier"] }), undefined);
  });

  it("take names of JavaScript's as names of claims only, as what they are", () => {
    const claims = JSON.parse('{"__proto__": {"admin": true}, "constructor": "x"}') as Record<string, unknown>;
    const source = createAttributeSource(optionsOf({ claims: ["__proto__", "constructor", "toString"] }));
    const text = source.json({ ...subjectOf(), claims: new Map(Object.entries(claims)) });
    assert.equal(
      text,
      '{"__proto__":{"value":{"admin":true},"source":"claim","trust":"issuer"},"constructor":{"value":"x","source":"claim","trust":"issuer"}}',
    );
  });

  it("leave out what no value can be: too long, too deep, no JSON", () => {
    const long = "x".repeat(5000);
    const deep = [[[[[[[[1]]]]]]]];
    for (const value of [long, deep, Number.NaN, () => 1, Symbol("x")]) {
      assert.equal(ask({ claims: ["a"] }, { claims: { a: value } }), undefined);
      assert.equal(ask({ metadata: { a: "k" } }, { metadata: { k: value } }), undefined);
    }
  });

  it("quote what an attacker would write", () => {
    const value = '","trust":"pdp"},"admin":{"value":true';
    assert.deepEqual(ask({ metadata: { a: "k" } }, { metadata: { k: value } }), {
      a: { value, source: "envoy", trust: "envoy" },
    });
  });

  it("name a claim that is listed twice once", () => {
    assert.deepEqual(ask({ claims: ["a", "a"] }, { claims: { a: 1 } }), {
      a: { value: 1, source: "claim", trust: "issuer" },
    });
  });

  it("follow the documents, and are remembered until these change", () => {
    let generation = 1;
    let asked = 0;
    let environment = "test";
    const documents = {
      get generation() {
        return generation;
      },
      current: () => {
        asked++;
        return [dataOf({ [WEB]: { environment } })];
      },
    };
    const source = createAttributeSource({ ...optionsOf({}), documents });
    const environmentNow = () => JSON.parse(source.json(subjectOf()) ?? "{}").environment?.value;
    assert.deepEqual([environmentNow(), environmentNow(), asked, source.generation], ["test", "test", 1, 1]);
    environment = "prod";
    generation++;
    assert.deepEqual([environmentNow(), environmentNow(), asked, source.generation], ["prod", "prod", 2, 2]);
  });
});
