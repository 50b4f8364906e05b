// Links in the documents: each leads to a file or folder that is there, and its anchor to a heading.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";

const root = packageRoot();
const below = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...["docs", "policies", "envoy", "bench", "compiler"].flatMap(below),
].sort();

/** A page without its code, where brackets mean something else. */
const proseOf = (page: string): string =>
  readFileSync(join(root, page), "utf8")
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, " "));

/** Anchors as the usual renderers make them from headings. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...readFileSync(join(root, page), "utf8").matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- _]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );

for (const page of pages) {
  const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  const inside = links.filter((target) => !/^[a-z]+:/.test(target));
  if (inside.length === 0) continue;
  it(`${page} leads nowhere that is not there`, () => {
    for (const target of inside) {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      assert.ok(!file.startsWith(".."), `${target} leads out of the repository`);
      assert.ok(existsSync(join(root, file)), `${target} is not there`);
      if (anchor === undefined) continue;
      assert.ok(statSync(join(root, file)).isFile() && anchorsOf(file).has(anchor), `${target}: no such heading`);
    }
  });
}

it("docs/architecture.md names files of src/ that are there, and one check goes through twelve", () => {
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const named = [
    ...page.matchAll(/`((?:base|config|identity|policy|audit|telemetry|authz|server|cli)\/[\w/-]+\.ts)`/g),
  ];
  assert.ok(named.length >= 20);
  for (const [, path = ""] of named) assert.ok(existsSync(join(root, "src", path)), path);
  const steps = [...page.matchAll(/^\| (\d+) \| `/gm)].map(([, step]) => Number(step));
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});
