// The package as strangers install it: what the lock file must hold for `npm ci` to work on every platform.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../src/base/package-root.ts";

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(join(packageRoot(), "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, LockEntry>>;
};

it("names a version for every package, also for those of other platforms, or `npm ci` refuses", () => {
  for (const [path, entry] of Object.entries(lock.packages)) {
    assert.ok(entry.version, `${path} has no version`);
    const wanted = { ...entry.dependencies, ...entry.optionalDependencies };
    for (const name of Object.keys(wanted)) {
      const found = `${path}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages;
      assert.ok(found || path.includes("/node_modules/"), `${path} wants ${name}, which is not in the lock file`);
    }
  }
});

it("names no download address, so that any registry or mirror serves it", () => {
  for (const [path, { resolved }] of Object.entries(lock.packages)) assert.equal(resolved, undefined, path);
});
