// The configuration that documents show: every YAML block that begins with `svidgate:` is one that loads, key by key.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { loadConfig } from "../../src/config/load.ts";

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), "svidgate-docs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const pages = [
  "README.md",
  ...["docs", "policies", "envoy"].flatMap((name) =>
    readdirSync(join(root, name), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => join(name, file)),
  ),
];
const blocks = pages.flatMap((page) =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```yaml\n((?:#[^\n]*\n)*svidgate:[\s\S]*?)^```/gm)].map(
    ([, text = ""], index) => ({ page, text, index }),
  ),
);

for (const { page, text, index } of blocks) {
  it(`configuration ${index + 1} of ${page} loads`, () => {
    const file = join(folder, "svidgate.yaml");
    writeFileSync(file, text);
    const loaded = loadConfig({ file, flags: new Map(), set: [], env: {} });
    assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join("\n"));
    assert.deepEqual(loaded.notes, []);
  });
}

it("README shows identity from SPIRE in ten lines, the same as docs/identity.md", () => {
  const [readme, page] = ["README.md", "docs/identity.md"].map((name) => blocks.find((block) => block.page === name));
  assert.equal(readme?.text, page?.text);
  assert.match(readme?.text ?? "", /workload_api: unix:/);
  assert.ok((readme?.text.trim().split("\n").length ?? 99) <= 11, "ten lines below `svidgate:`");
});
