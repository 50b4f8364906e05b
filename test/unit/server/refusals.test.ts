import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { createRefusals, type Refusal } from "../../../src/server/refusals.ts";
import { REFUSAL_REASONS } from "../../../src/telemetry/catalogue.ts";

it("counts each reason for itself, and tells of each refusal", () => {
  const told: Refusal[] = [];
  const refusals = createRefusals((refusal) => told.push(refusal));
  for (const [at, reason] of REFUSAL_REASONS.entries()) {
    for (let time = 0; time <= at; time++) refusals.add({ reason, address: "unix" });
  }
  for (const [at, reason] of REFUSAL_REASONS.entries()) assert.equal(refusals.counts[reason], at + 1);
  assert.equal(told.length, (REFUSAL_REASONS.length * (REFUSAL_REASONS.length + 1)) / 2);
});

it("docs/tls.md explains each reason, and no other", () => {
  const page = readFileSync(join(packageRoot(), "docs/tls.md"), "utf8").split("## Refused connections")[1] ?? "";
  const rows = [...page.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(rows, [...REFUSAL_REASONS]);
});

it("no module asks for a peer's certificate in the way that leaks what else the peer sent", () => {
  const text = readFileSync(join(packageRoot(), "src/server/tls-client.ts"), "utf8");
  assert.doesNotMatch(text.replaceAll(/^ \*.*$/gm, ""), /getPeerX509Certificate/);
  const gate = readFileSync(join(packageRoot(), "src/server/tls-gate.ts"), "utf8");
  assert.doesNotMatch(gate, /getPeerX509Certificate/);
});
