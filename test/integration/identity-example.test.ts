import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";
import { firstBlock } from "../support/documented-commands.ts";

// The example is run as its reader would run it, so this needs the built package (`npm test` builds it).

const THEN = "2026-01-01T00:30:00Z";
const OURS = "spiffe://example.org/pdp";
const WEB = "spiffe://example.org/ns/shop/sa/web";
const file = (name: string): string => `examples/identity/${name}`;

const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, ["examples/identity.mjs", ...args], { cwd: packageRoot(), encoding: "utf8" });

it("the example of `svidgate/identity` verifies, and exits 0, 1 or 2", () => {
  const bundle = file("bundle.json");
  for (const [args, status, stdout] of [
    [["example.org", bundle, file("svid.pem"), "", THEN], 0, `${WEB}, by a path of 2 certificates\n`],
    [["example.org", bundle, file("token.jwt"), OURS, THEN], 0, `${WEB}, until 2026-01-01T01:00:00.000Z\n`],
    [["example.org", bundle, file("svid.pem")], 1, "refused: expired\n"],
    [
      ["td2.test", bundle, file("svid.pem"), "", THEN],
      1,
      "refused: no_bundle (no X.509 authorities for example.org)\n",
    ],
    [["example.org", bundle, file("token.jwt"), "x", THEN], 1, "refused: aud (`aud` holds no audience of ours)\n"],
    [["example.org", "package.json", file("svid.pem")], 1, /^refused: no_keys/],
    [[], 2, ""],
  ] as const) {
    const result = run(...args);
    assert.equal(result.status, status, result.stderr);
    if (typeof stdout === "string") assert.equal(result.stdout, stdout);
    else assert.match(result.stdout, stdout);
  }
});

it("the documentation shows the example as it is", () => {
  const shown = firstBlock("docs/package.md", "js");
  const example = readFileSync(join(packageRoot(), "examples/identity.mjs"), "utf8");
  assert.ok(shown.length > 500 && example.includes(shown));
});
