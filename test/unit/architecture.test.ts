// The rules of the tree (docs/architecture.md), read off the sources: layers, one owner per package, file sizes.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";

const SRC = join(packageRoot(), "src");
const MAX_LINES = 300;

/** Lower layers have lower numbers; folders of one number are siblings and never import each other. */
const LAYERS: Readonly<Record<string, number>> = {
  base: 0,
  services: 1,
  config: 2,
  identity: 2,
  policy: 2,
  audit: 2,
  telemetry: 2,
  authz: 3,
  server: 4,
  "app.ts": 5,
  "app-decide.ts": 4.5,
  "app-network.ts": 4.4,
  "app-identity-sources.ts": 4.4,
  "app-identity.ts": 4.5,
  "app-tls.ts": 4.55,
  "app-tls-follow.ts": 4.58,
  "app-admin.ts": 4.8,
  "app-announce.ts": 4.6,
  "app-audit.ts": 4.5,
  "app-listener.ts": 4.65,
  "app-identity-status.ts": 4.6,
  "app-rules.ts": 4.6,
  "app-metrics.ts": 4.7,
  "app-status.ts": 4.7,
  "app-tracing.ts": 4.5,
  cli: 6,
  "main.ts": 7,
};

interface SourceFile {
  readonly path: string;
  readonly area: string;
  readonly text: string;
  readonly imports: readonly string[];
}

/** Static, for effect, dynamic, and through createRequire. */
const IMPORTS = [
  /^(?:import|export)\s[^;"]*?from\s+"([^"]+)"/gm,
  /^import\s+"([^"]+)"/gm,
  /\bimport\("([^"]+)"\)/g,
  /createRequire\([^)]*\)\("([^"]+)"\)/g,
];

const FILES: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    const imports = IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)]);
    return { path, area: path.split("/")[0] ?? "", text, imports: imports.map((match) => match[1] ?? "") };
  });

/** The area that a relative import leads to. */
const areaOf = (from: string, target: string): string =>
  join("/", from, "..", target).split("/").filter(Boolean)[0] ?? "";

it("every folder of src/ has its place among the layers", () => {
  for (const { area } of FILES) assert.ok(area in LAYERS, `src/${area} is in no layer`);
});

it("imports go down the layers only, and never to a sibling", () => {
  for (const { path, area, imports } of FILES) {
    for (const target of imports.filter((name) => name.startsWith("."))) {
      const other = areaOf(path, target);
      if (other === area) continue;
      assert.ok(
        (LAYERS[other] ?? 99) < (LAYERS[area] ?? -1),
        `src/${path} imports ${target}: ${area} must not import ${other}`,
      );
    }
  }
});

it("each npm package is imported from one folder only", () => {
  const owners = new Map<string, Set<string>>();
  for (const { area, imports } of FILES) {
    for (const name of imports.filter((target) => !target.startsWith(".") && !target.startsWith("node:"))) {
      const packageName = name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/");
      owners.set(packageName, (owners.get(packageName) ?? new Set()).add(area));
    }
  }
  for (const [name, areas] of owners)
    assert.equal(areas.size, 1, `${name} is imported from ${[...areas].join(" and ")}`);
});

it("every dependency of the package is imported somewhere, and nothing else is", () => {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const used = new Set(
    FILES.flatMap(({ imports }) => imports)
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map((name) =>
        name
          .split("/")
          .slice(0, name.startsWith("@") ? 2 : 1)
          .join("/"),
      ),
  );
  assert.deepEqual([...used].sort(), Object.keys(manifest.dependencies).sort());
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, `${name} is pinned to an exact version`);
  }
});

it(`no source file is longer than ${MAX_LINES} lines`, () => {
  for (const { path, text } of FILES) {
    const lines = text.split("\n").length;
    assert.ok(lines <= MAX_LINES, `src/${path} has ${lines} lines`);
  }
});

it("every module says at its top what it is", () => {
  for (const { path, text } of FILES) assert.match(text, /^\/\/ \S/, `src/${path} begins without a comment`);
});

it("the environment is read in main.ts alone", () => {
  for (const { path, text } of FILES) {
    if (path === "main.ts") continue;
    assert.doesNotMatch(text.replace(/\/\/.*|`[^`\n]*`/g, ""), /process\.env/, `src/${path} reads the environment`);
  }
});
