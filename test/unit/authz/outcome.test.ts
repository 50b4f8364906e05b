import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { OUTCOMES, REASON_CODES, REASONS_BY_OUTCOME } from "../../../src/authz/outcome.ts";
import { packageRoot } from "../../../src/base/package-root.ts";

const HERE = "outcome.test.ts";
const tests = readdirSync(join(packageRoot(), "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts") && !name.endsWith(HERE))
  .map((name) => readFileSync(join(packageRoot(), "test", name), "utf8"));
/** `x509_expired` is what the verifiers of certificates call `expired`: their tests name that. */
const namesOf = (code: string): readonly string[] => [`"${code}"`, `"${code.replace(/^(x509|jwt|xfcc)_/, "")}"`];
const page = readFileSync(join(packageRoot(), "docs", "failure-modes.md"), "utf8");

for (const code of REASON_CODES) {
  it(`${code} is produced in a test and explained in docs/failure-modes.md`, () => {
    assert.ok(
      tests.some((text) => namesOf(code).some((name) => text.includes(name))),
      "no test names it",
    );
    assert.ok(page.includes(`| \`${code}\` |`), "the page has no row for it");
  });
}

it("documents no code that does not exist", () => {
  const documented = [...page.matchAll(/\| `([a-z]+_[a-z_]+|internal|cancelled)` \|/g)].map((match) => match[1]);
  for (const code of documented) assert.ok(code !== undefined && code in OUTCOMES, code);
});

it("only one code allows, and only it has gRPC status 0", () => {
  assert.deepEqual(REASONS_BY_OUTCOME.allow, ["policy_allowed"]);
  for (const code of REASON_CODES) assert.equal(OUTCOMES[code].grpc === 0, code === "policy_allowed", code);
});

it("says 400, 401, 403 or 503 for whatever is no allow", () => {
  for (const code of REASON_CODES.filter((name) => name !== "policy_allowed")) {
    assert.ok([400, 401, 403, 503].includes(OUTCOMES[code].http), code);
  }
});
