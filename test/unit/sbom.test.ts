// The shipped bill of materials against the lock file and the compiler's own record.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { type Sbom, sbomText } from "../support/sbom.ts";

const text = readFileSync(join(packageRoot(), "sbom.cdx.json"), "utf8");
const sbom = JSON.parse(text) as Sbom;
const json = (name: string): unknown => JSON.parse(readFileSync(join(packageRoot(), name), "utf8"));

it("is what lock file, go.mod and the compiler's checksums say", () => {
  assert.equal(text, sbomText(), "run `npm run docs`");
});

it("names every package that is installed for production, once, with version and hash, and no other", () => {
  const { packages } = json("package-lock.json") as {
    packages: Record<string, { version: string; dev?: boolean; integrity?: string }>;
  };
  const locked = Object.entries(packages)
    .filter(([place, { dev }]) => place !== "" && dev !== true)
    .map(([place, { version, integrity = "" }]) => {
      const hex = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
      return `${place.replace(/^.*node_modules\//, "")} ${version} ${hex}`;
    });
  const named = sbom.components
    .filter(({ purl }) => purl.startsWith("pkg:npm/"))
    .map(({ name, version, hashes }) => `${name} ${version} ${hashes?.[0]?.content}`);
  assert.deepEqual(named.sort(), [...new Set(locked)].sort());
  assert.ok(named.length > 40 && !text.includes('"typescript"'));
});

it("names the Go modules inside the Rego compiler and the Go builtins, with OPA and Go itself in the versions that it was built with", () => {
  const { go, opa } = json("compiler/checksums.json") as { go: string; opa: string };
  const builtins = json("go-builtins/checksums.json") as { go: string; opa: string };
  assert.deepEqual([builtins.go, builtins.opa], [go, opa]);
  const modules = sbom.components.filter(({ purl }) => purl.startsWith("pkg:golang/")).map(({ purl }) => purl);
  assert.ok(modules.includes(`pkg:golang/github.com/open-policy-agent/opa@${opa}`));
  assert.ok(modules.includes(`pkg:golang/stdlib@${go.replace("go", "")}`));
  assert.ok(modules.some((purl) => purl.startsWith("pkg:golang/github.com/vektah/gqlparser/v2@")));
  assert.equal(modules.length, 9);
});

it("leads from svidgate to every component, and names no unknown one", () => {
  const known = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const reached = new Set<string>();
  const waiting = [sbom.metadata.component["bom-ref"]];
  for (let ref = waiting.pop(); ref !== undefined; ref = waiting.pop()) {
    if (reached.has(ref)) continue;
    reached.add(ref);
    waiting.push(...(known.get(ref) ?? []));
  }
  const components = sbom.components.map((component) => component["bom-ref"]);
  assert.deepEqual(
    [...reached].filter((ref) => !components.includes(ref)),
    [sbom.metadata.component["bom-ref"]],
  );
  // What only an optional peer would bring is in the lock file and nobody's dependency.
  assert.deepEqual(
    components.filter((ref) => !reached.has(ref)),
    [],
  );
});

it("has licences that Apache-2.0 software can ship with", () => {
  const allowed = new Set(["Apache-2.0", "MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause"]);
  for (const { name, purl, licenses } of sbom.components) {
    if (purl.startsWith("pkg:golang/")) continue;
    const words = (licenses?.[0]?.expression ?? "none").replace(/[()]/g, "").split(/ AND | OR /);
    for (const word of words) assert.ok(allowed.has(word), `${name} is licensed under ${word}`);
  }
});

it("is shipped, as is everything that package.json lists", () => {
  const { files } = json("package.json") as { files: readonly string[] };
  assert.ok(files.includes("sbom.cdx.json"));
  for (const name of files.filter((entry) => !entry.startsWith("!") && !entry.startsWith("dist/"))) {
    assert.ok(existsSync(join(packageRoot(), name)), `package.json lists ${name}, which is not there`);
  }
});
