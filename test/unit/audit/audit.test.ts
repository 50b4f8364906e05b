import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { type Audit, type AuditOptions, createAudit, noAudit } from "../../../src/audit/audit.ts";
import type { DecisionFacts } from "../../../src/audit/event.ts";
import { openFileSink } from "../../../src/audit/sinks.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-audit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const facts: DecisionFacts = {
  decisionId: "d1",
  outcome: "allow",
  reason: "policy_allowed",
  enforced: true,
  identitySource: "none",
  verifiedBy: "none",
  identityUs: 1,
  evaluationUs: 2,
  totalUs: 3,
};
const faults: unknown[] = [];
const build = (
  name: string,
  options: Partial<AuditOptions> = {},
): { audit: Audit; events: () => readonly Record<string, unknown>[] } => {
  const path = join(folder, name);
  const audit = createAudit({
    sink: openFileSink(path),
    clock: createManualClock(),
    pdpId: "p1",
    pdpVersion: "0.1.0",
    path: "full",
    onLost: () => undefined,
    onSinkError: (error) => faults.push(error),
    ...options,
  });
  const events = (): readonly Record<string, unknown>[] =>
    readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { audit, events };
};

it("numbers decisions from 1 and dates them", async () => {
  const { audit, events } = build("numbers");
  for (let i = 0; i < 3; i++) audit.record(facts);
  assert.equal(await audit.flush(10_000), true);
  assert.deepEqual(
    events().map(({ seq, time, type }) => [seq, time, type]),
    [1, 2, 3].map((seq) => [seq, "2026-01-01T00:00:00.000000Z", "decision"]),
  );
  assert.equal(await audit.close(10_000), true);
  const { recorded, written } = audit.stats();
  assert.deepEqual({ recorded, written }, { recorded: 3, written: 3 });
});

it("announces a loss as an event between the ones around it", async () => {
  const { audit, events } = build("gap", { maxEvents: 2 });
  for (let i = 0; i < 5; i++) audit.record(facts);
  await audit.flush(10_000);
  audit.record(facts);
  await audit.close(10_000);
  assert.deepEqual(
    events().map(({ type, seq, from_seq, to_seq, count, cause }) => [
      type,
      seq ?? `${from_seq}-${to_seq} ${count} ${cause}`,
    ]),
    [
      ["decision", 1],
      ["decision", 2],
      ["audit.gap", "3-5 3 queue_full"],
      ["decision", 6],
    ],
  );
});

it("loses an event that cannot be written down, and never throws", async () => {
  const { audit, events } = build("fault");
  const broken = {
    ...facts,
    get reason(): string {
      throw new Error("broken facts");
    },
  };
  audit.record(broken);
  audit.record(facts);
  await audit.close(10_000);
  assert.equal(audit.stats().lost.internal, 1);
  assert.match(String(faults.at(-1)), /broken facts/);
  assert.deepEqual(
    events().map(({ type }) => type),
    ["audit.gap", "decision"],
  );
});

it("counts what comes after the end as lost", async () => {
  const { audit, events } = build("closed");
  await audit.close(10_000);
  audit.record(facts);
  assert.equal(audit.stats().lost.shutdown, 1);
  assert.deepEqual(events(), []);
});

it("does nothing without a sink", async () => {
  const { audit } = build("none", { sink: undefined });
  assert.equal(audit, noAudit);
  audit.record(facts);
  audit.reopen();
  assert.deepEqual([await audit.flush(1), await audit.close(1)], [true, true]);
  const { recorded, written, queuedEvents, queuedBytes, sinkErrors } = audit.stats();
  assert.deepEqual([recorded, written, queuedEvents, queuedBytes, sinkErrors], [0, 0, 0, 0, 0]);
});
