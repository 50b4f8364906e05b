import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, it } from "node:test";
import { type AttributeSettings, startAttributes } from "../../../../src/identity/sources/attribute-files.ts";
import { parseSpiffeId } from "../../../../src/identity/spiffe-id.ts";
import { createManualClock } from "../../../support/manual-clock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svidgate-attributes-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NOTHING: AttributeSettings = {
  attributeTemplates: [],
  attributeFiles: [],
  attributePublicKey: undefined,
  attributeClaims: [],
  attributeMetadata: new Map(),
};

const start = (settings: Partial<AttributeSettings>) => {
  const clock = createManualClock(Date.now() + 3_600_000);
  return startAttributes({ ...NOTHING, ...settings }, { clock, timers: clock.timers });
};

it("there are none where nothing is configured", () => assert.equal(start({}), undefined));

it("templates, claims, metadata and files make one source", async () => {
  const file = join(folder, "a.yaml");
  writeFileSync(file, "spiffe://example.org/**:\n  owner: platform\n");
  const attributes = start({
    attributeTemplates: ["/ns/{namespace}"],
    attributeFiles: [file],
    attributeClaims: ["tier"],
    attributeMetadata: new Map([["cluster", { namespace: "filter", key: "c" }]]),
  });
  assert.ok(attributes !== undefined);
  await attributes.ready;
  assert.deepEqual(attributes.status().problems, []);
  const id = parseSpiffeId("spiffe://example.org/ns/shop");
  assert.ok(id.ok);
  const subject = {
    spiffeId: id.value,
    verifiedBy: "pdp",
    claims: new Map([["tier", "gold"]]),
    filterMetadata: (namespace: string, key: string) => `${namespace}/${key}`,
  } as const;
  const values = () =>
    attributes.source.of(subject).map(({ name, valueJson, trust }) => `${name}=${valueJson} ${trust}`);
  const rest = ['namespace="shop" pdp', 'tier="gold" issuer', 'cluster="filter/c" envoy'];
  assert.deepEqual(values(), ['owner="platform" operator', ...rest]);
  const { generation } = attributes.source;
  writeFileSync(file, "spiffe://example.org/**:\n  owner: security\n");
  await attributes.reload();
  assert.deepEqual(values(), ['owner="security" operator', ...rest]);
  assert.equal(attributes.source.generation, generation + 1);
  attributes.close();
});

it("everything that is wrong is told at once, with its key", async () => {
  const attributes = start({
    attributeTemplates: ["/ns/{namespace}", "/ns/shop", "ns"],
    attributeFiles: [join(folder, "missing.json")],
    attributeClaims: ["", "x".repeat(257)],
  });
  await attributes?.ready;
  const problems = attributes?.status().problems ?? [];
  assert.deepEqual(
    problems.map((problem) => problem.split(":")[0]),
    [
      "svidgate.identity.attributes.templates",
      "svidgate.identity.attributes.templates",
      "svidgate.identity.attributes.jwt_claims",
      "svidgate.identity.attributes.jwt_claims",
      "svidgate.identity.attributes.files",
    ],
  );
  assert.match(problems[0] ?? "", /`\/ns\/shop`: has no name/);
  attributes?.close();
});

it("any one of the settings is enough", () => {
  const ones: readonly Partial<AttributeSettings>[] = [
    { attributeTemplates: ["/{a}"] },
    { attributeFiles: [join(folder, "a.json")] },
    { attributeClaims: ["a"] },
    { attributeMetadata: new Map([["a", { namespace: "b", key: "c" }]]) },
  ];
  for (const one of ones) {
    const attributes = start(one);
    assert.ok(attributes !== undefined, Object.keys(one).join());
    attributes.close();
  }
});
