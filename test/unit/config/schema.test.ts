import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import type { Field } from "../../../src/config/field.ts";
import { FIELDS } from "../../../src/config/fields.ts";
import { OPA_KEYS } from "../../../src/config/opa-keys.ts";
import { toConfigurationSchema } from "../../../src/config/schema.ts";

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly propertyNames?: { readonly pattern: string };
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Node[];
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly pattern?: string;
  readonly items?: Node;
  readonly default?: unknown;
  readonly description?: string;
  readonly $ref?: string;
}

const schema = JSON.parse(toConfigurationSchema()) as Node;

const at = (key: string): Node | undefined =>
  key
    .split(".")
    .reduce<Node | undefined>(
      (node, word) => (word === "*" ? Object.values(node?.patternProperties ?? {})[0] : node?.properties?.[word]),
      schema,
    );

/** As much of draft 07 as the schema uses. */
function accepts(node: Node, value: unknown): boolean {
  if (node.anyOf !== undefined) return node.anyOf.some((each) => accepts(each, value));
  if (node.enum !== undefined) return node.enum.some((each) => JSON.stringify(each) === JSON.stringify(value));
  const types = node.type === undefined ? undefined : [node.type].flat();
  if (Array.isArray(value))
    return types?.includes("array") === true && value.every((item) => accepts(node.items ?? {}, item));
  if (typeof value === "boolean") return types?.includes("boolean") ?? true;
  if (typeof value === "number") return (types?.includes("integer") ?? true) && value >= (node.minimum ?? value);
  return (types?.includes("string") ?? true) && new RegExp(node.pattern ?? "").test(String(value));
}

it("is what is committed", () => {
  const committed = readFileSync(join(packageRoot(), "docs", "configuration.schema.json"), "utf8");
  assert.equal(committed, toConfigurationSchema(), "run `npm run docs`");
});

it("has every field at its key, with its meaning, and its own default is valid", () => {
  for (const field of Object.values(FIELDS) as readonly Field<unknown>[]) {
    const node = at(field.key);
    assert.ok(node?.description !== undefined, field.key);
    if (node.default !== undefined) assert.ok(accepts(node, node.default), field.key);
    if (field.named !== true) assert.ok(accepts(node, "${NAME}"), `${field.key} may be a variable`);
  }
});

it("allows no key that the program would refuse", () => {
  const sections = (node: Node, key: string): readonly string[] =>
    node.properties === undefined
      ? []
      : [
          ...(node.additionalProperties === false ? [] : [key]),
          ...Object.entries({ ...node.properties, ...node.patternProperties }).flatMap(([word, child]) =>
            sections(child, `${key}.${word}`),
          ),
        ];
  assert.deepEqual(sections(schema, ""), []);
});

it("refuses OPA's keys that are not supported unless they ask for nothing", () => {
  for (const [key, { support }] of Object.entries(OPA_KEYS)) {
    const node = at(key);
    assert.ok(node !== undefined, key);
    if (support !== "unsupported" || node.properties !== undefined || node.anyOf !== undefined) continue;
    assert.ok(!accepts(node, true) && accepts(node, false), key);
    assert.match(node.description ?? "", /^Not supported: /);
  }
});

it("knows the plugin under both names", () => {
  assert.equal(
    schema.properties?.["plugins"]?.properties?.["envoy.ext_authz.grpc"]?.$ref,
    "#/properties/plugins/properties/envoy_ext_authz_grpc",
  );
});

it("takes any trust domain's name for the `*` of a key, or a variable, and no other name", () => {
  const section = at("svidgate.identity.trust_domains");
  const [pattern = "", ...more] = Object.keys(section?.patternProperties ?? {});
  assert.deepEqual([more, section?.properties, section?.additionalProperties], [[], {}, false]);
  for (const name of ["example.org", "a_b-c.1", "${TRUST_DOMAIN}"]) assert.match(name, new RegExp(pattern));
  for (const name of ["Example.org", "spiffe://example.org", "", "a".repeat(256)]) {
    assert.doesNotMatch(name, new RegExp(pattern));
  }
  assert.deepEqual(Object.keys(at("svidgate.identity.trust_domains.*")?.properties ?? {}).slice(0, 2), [
    "bundle",
    "bundle_profile",
  ]);
  const profile = at("svidgate.identity.trust_domains.*.bundle_profile") ?? {};
  assert.ok(accepts(profile, "https_web") && !accepts(profile, "http") && !accepts(profile, ["https_web"]));
});

it("limits the names of a map whose names are limited", () => {
  const { pattern = "" } = at("svidgate.identity.attributes.envoy_metadata")?.propertyNames ?? {};
  assert.match("zone", new RegExp(pattern));
  assert.doesNotMatch("Zone", new RegExp(pattern));
  assert.equal(at("labels")?.propertyNames, undefined);
});
