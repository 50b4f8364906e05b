import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Latencies } from "../../../bench/latencies.ts";
import type { Sample } from "../../../bench/soak/sample.ts";
import { judge, type SoakOutcome, slopeOf } from "../../../bench/soak/verdict.ts";
import { parseMetrics } from "../../../bench/soak/world.ts";

const sample = (minute: number, rssMib: number): Sample => ({
  atMs: minute * 60_000,
  rssMib,
  heapMib: rssMib / 2,
  checksPerSecond: 1000,
  p50Ms: 1,
  p99Ms: 2,
  maxMs: 3,
  harmed: 0,
  connections: 8,
});

/** A soak of an hour that went well; `changes` make it a worse one. */
function outcome(changes: Partial<SoakOutcome> = {}): SoakOutcome {
  const latencies = new Latencies();
  latencies.add(1);
  return {
    samples: Array.from({ length: 60 }, (_, minute) => sample(minute, 100 + (minute % 3))),
    warmUpMs: 300_000,
    maxGrowthMib: 16,
    ordinary: { latencies, asked: 1000, right: 1000, harmed: 0, connections: 60 },
    latencies,
    due: 1000,
    reloads: 2,
    attacks: { garbage: { connections: 3, ended: 3, goaways: {} } },
    before: new Map([["svidgate_audit_events_total", 500]]),
    metrics: new Map([
      ["svidgate_audit_events_total", 1500],
      ['svidgate_policy_reloads_total{result="success"}', 2],
      ['svidgate_policy_reloads_total{result="failure"}', 0],
      ['svidgate_audit_lost_total{cause="queue_full"}', 0],
    ]),
    exitCode: 0,
    ...changes,
  };
}

const WORSE: readonly (readonly [string, Partial<SoakOutcome>, RegExp])[] = [
  [
    "memory that grows",
    { samples: Array.from({ length: 60 }, (_, minute) => sample(minute, 100 + minute)) },
    /^memory: RSS 60\.0 MiB\/hour/,
  ],
  ["memory that was not measured", { samples: [] }, /^memory/],
  [
    "one harmed check",
    { ordinary: { latencies: new Latencies(), asked: 1000, right: 999, harmed: 1, connections: 60 } },
    /^ordinary checks harmed: 1 of 1000/,
  ],
  ["less asked than was due", { due: 2000 }, /^answered/],
  ["a reload that did not come", { reloads: 3 }, /^policy reloads: 2 of 3/],
  [
    "lost audit events",
    { metrics: new Map([...outcome().metrics, ['svidgate_audit_lost_total{cause="queue_full"}', 1]]) },
    /^audit events: 1000 written, 1 lost/,
  ],
  ["an attack that never came", { attacks: { garbage: { connections: 0, ended: 0, goaways: {} } } }, /^hostile/],
  [
    "a limit that no attack has met",
    { metrics: new Map([...outcome().metrics, ['svidgate_http2_connections_ended_total{reason="drain"}', 1]]) },
    /^limits that hostile peers are to meet: 0 of 9 met; not svidgate_http2_connections_ended_total\{reason="reset_flood"\}/,
  ],
  ["a server that was killed", { exitCode: null }, /^svidgate ended with null/],
];

describe("verdict of a soak", () => {
  it("holds for flat memory and right answers", () => {
    assert.deepEqual(
      judge(outcome())
        .filter(({ holds }) => !holds)
        .map(({ text }) => text),
      [],
    );
  });
  for (const [name, changes, said] of WORSE) {
    it(`fails for ${name}`, () => {
      const failed = judge(outcome(changes)).filter(({ holds }) => !holds);
      assert.ok(
        failed.some(({ text }) => said.test(text)),
        failed.map(({ text }) => text).join("\n"),
      );
    });
  }
  it("does not judge memory before the warm-up is over", () => {
    const samples = Array.from({ length: 60 }, (_, minute) => sample(minute, minute < 5 ? 20 * minute : 100));
    assert.ok(judge(outcome({ samples }))[0]?.holds);
  });
});

describe("slopeOf", () => {
  const CASES: readonly (readonly [string, readonly (readonly [number, number])[], number])[] = [
    [
      "a line",
      [
        [0, 1],
        [1, 3],
        [2, 5],
      ],
      2,
    ],
    [
      "noise around a level",
      [
        [0, 1],
        [1, 2],
        [2, 1],
      ],
      0,
    ],
    ["one point", [[1, 1]], 0],
    [
      "two points at once",
      [
        [1, 1],
        [1, 9],
      ],
      0,
    ],
    ["nothing", [], 0],
  ];
  for (const [name, points, slope] of CASES) it(`of ${name} is ${slope}`, () => assert.equal(slopeOf(points), slope));
});

describe("Latencies", () => {
  it("gives quantiles at most 2 % too long, and the longest exactly", () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
    for (const part of [0.01, 0.5, 0.9, 0.99]) {
      const quantile = latencies.quantileMs(part);
      assert.ok(quantile >= 1000 * part && quantile <= 1020 * part + 0.001, `${part}: ${quantile}`);
    }
    assert.equal(latencies.quantileMs(1), 1000);
    assert.equal(latencies.maxMs, 1000);
    assert.equal(latencies.count, 1000);
  });
  it("keeps what is shorter than a microsecond and longer than a minute", () => {
    const latencies = new Latencies();
    for (const ms of [0, 1e-6, 1e9]) latencies.add(ms);
    assert.equal(latencies.count, 3);
    assert.equal(latencies.quantileMs(0.1), 0.001);
    assert.equal(latencies.maxMs, 1e9);
  });
  it("is empty at first and when cleared", () => {
    const latencies = new Latencies();
    assert.equal(latencies.quantileMs(0.5), 0);
    latencies.add(5);
    latencies.clear();
    assert.equal(latencies.quantileMs(0.5), 0);
    assert.equal(latencies.count, 0);
  });
});

it("parseMetrics reads names with labels and values", () => {
  const text = '# HELP a b\n# TYPE a counter\na 1\nb{reason="x y"} 2.5\nc 1e+06\n';
  assert.deepEqual(
    [...parseMetrics(text)],
    [
      ["a", 1],
      ['b{reason="x y"}', 2.5],
      ["c", 1e6],
    ],
  );
});
