// docs/builtins.md must list exactly the builtins that are there, each once.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../../src/base/package-root.ts";
import { builtinNames, findBuiltin } from "../../../../src/policy/builtins/index.ts";

const text = readFileSync(path.join(packageRoot(), "docs/builtins.md"), "utf8");

it("docs/builtins.md lists every builtin once, and no other", () => {
  const table = text.slice(text.indexOf("| Family |"), text.indexOf("\n\n`time.now_ns`"));
  const listed = [...table.matchAll(/`([a-z0-9_.]+)`/g)].map((match) => match[1]);
  assert.deepEqual(listed.sort(), [...builtinNames]);
});

it("names are sorted and found, and no other name is", () => {
  assert.deepEqual([...builtinNames].sort(), builtinNames);
  for (const name of builtinNames) assert.equal(typeof findBuiltin(name), "function", name);
  for (const name of ["http.send", "io.jwt.sign", "constructor", "__proto__", "toString", ""]) {
    assert.equal(findBuiltin(name), undefined, name);
  }
});
