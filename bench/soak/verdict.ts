// What a soak comes to: a line through memory, and whether what it promises holds.

import type { Latencies } from "../latencies.ts";
import type { AttackFigures } from "./hostile.ts";
import type { OrdinaryFigures } from "./ordinary.ts";
import type { Sample } from "./sample.ts";

/** A line of the verdict. */
export interface Verdict {
  readonly holds: boolean;
  readonly text: string;
}

/** All that is judged. */
export interface SoakOutcome {
  readonly samples: readonly Sample[];
  /** Samples before that are warm-up. */
  readonly warmUpMs: number;
  /** MiB over the measured time that are still flat. */
  readonly maxGrowthMib: number;
  readonly ordinary: OrdinaryFigures;
  /** Waiting times of the whole soak. */
  readonly latencies: Latencies;
  /** What was to be asked. */
  readonly due: number;
  readonly reloads: number;
  readonly attacks: Readonly<Record<string, AttackFigures>>;
  /** Metrics after the capacity was measured, which may have been more than the audit file could take. */
  readonly before: ReadonlyMap<string, number>;
  /** The last metrics. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly exitCode: number | null;
}

/** A line through points, by least squares: its slope, in y for one x; 0 for fewer than two different x. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (pick: 0 | 1): number => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spreadX = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (points.length < 2 || spreadX === 0) return 0;
  return points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spreadX;
}

const HOUR_MS = 3_600_000;
/** A paced load that falls behind by more than this is not the load that was to be. */
const MIN_ASKED = 0.95;

/** The whole verdict, memory first. */
export function judge(outcome: SoakOutcome): readonly Verdict[] {
  const { ordinary, latencies, due, before, metrics } = outcome;
  const reloads = metrics.get('svidgate_policy_reloads_total{result="success"}') ?? 0;
  const lost = sumOf(metrics, "svidgate_audit_lost_total") - sumOf(before, "svidgate_audit_lost_total");
  const events = (metrics.get("svidgate_audit_events_total") ?? 0) - (before.get("svidgate_audit_events_total") ?? 0);
  const silent = Object.entries(outcome.attacks).filter(([, { connections }]) => connections === 0);
  return [
    judgeMemory(outcome),
    {
      holds: ordinary.harmed === 0,
      text: `ordinary checks harmed: ${ordinary.harmed} of ${ordinary.asked}, on ${ordinary.connections} connections`,
    },
    {
      holds: ordinary.right === ordinary.asked && due > 0 && ordinary.asked >= MIN_ASKED * due,
      text: `answered as they should be: ${ordinary.right} of ${ordinary.asked} asked, ${due} were due`,
    },
    {
      holds: latencies.count > 0,
      text: `waiting times: p50 ${latencies.quantileMs(0.5).toFixed(2)}, p99 ${latencies.quantileMs(0.99).toFixed(2)}, max ${latencies.maxMs.toFixed(1)} ms`,
    },
    {
      holds: reloads >= outcome.reloads && (metrics.get('svidgate_policy_reloads_total{result="failure"}') ?? 0) === 0,
      text: `policy reloads: ${reloads} of ${outcome.reloads} asked for`,
    },
    { holds: lost === 0 && events > 0, text: `audit events: ${events} written, ${lost} lost` },
    {
      holds: silent.length === 0,
      text: `hostile connections: ${Object.values(outcome.attacks).reduce((sum, { connections }) => sum + connections, 0)} of ${Object.keys(outcome.attacks).length} kinds`,
    },
    judgeLimits(outcome),
    { holds: outcome.exitCode === 0, text: `svidgate ended with ${outcome.exitCode}` },
  ];
}

const ended = (reason: string): string => `svidgate_http2_connections_ended_total{reason="${reason}"}`;
const refused = (reason: string): string => `svidgate_http2_streams_refused_total{reason="${reason}"}`;
/** What hostile peers must have met: an attack that another limit stops is not the attack that it says. */
const AT_ONCE = [
  ...["reset_flood", "continuation_flood", "header_block_size", "control_flood", "protocol_error"].map(ended),
  refused("header_list"),
];
/** … once there was time for it. */
const IN_TIME = [ended("slow_reader"), ended("keep_alive"), refused("slow_sender")];
const IN_TIME_MS = 60_000;

function judgeLimits({ samples, metrics }: SoakOutcome): Verdict {
  // On grpc-js there are no such counters.
  const isCounted = [...metrics.keys()].some((series) => series.startsWith("svidgate_http2_"));
  const due = !isCounted ? [] : (samples.at(-1)?.atMs ?? 0) < IN_TIME_MS ? AT_ONCE : [...AT_ONCE, ...IN_TIME];
  const missing = due.filter((series) => !((metrics.get(series) ?? 0) > 0));
  const met = `${due.length - missing.length} of ${due.length} met`;
  return {
    holds: missing.length === 0,
    text: `limits that hostile peers are to meet: ${met}${missing.map((series) => `; not ${series}`).join("")}`,
  };
}

function judgeMemory({ samples, warmUpMs, maxGrowthMib }: SoakOutcome): Verdict {
  const measured = samples.filter(({ atMs }) => atMs >= warmUpMs);
  const perHour = (pick: (sample: Sample) => number): number =>
    slopeOf(measured.map((sample) => [sample.atMs / HOUR_MS, pick(sample)]));
  const hours = ((measured.at(-1)?.atMs ?? 0) - (measured[0]?.atMs ?? 0)) / HOUR_MS;
  const rss = perHour(({ rssMib }) => rssMib);
  const heap = perHour(({ heapMib }) => heapMib);
  const last = measured.at(-1);
  return {
    holds: measured.length >= 2 && rss * hours <= maxGrowthMib,
    text: `memory: RSS ${rss.toFixed(1)} MiB/hour, heap ${heap.toFixed(1)} MiB/hour over ${(hours * 60).toFixed(1)} minutes, that is ${(rss * hours).toFixed(1)} MiB of RSS (bound ${maxGrowthMib}); ${last?.rssMib.toFixed(0)} MiB at the end`,
  };
}

/** Of all series of a metric. */
export const sumOf = (metrics: ReadonlyMap<string, number>, name: string): number =>
  [...metrics].reduce((sum, [series, value]) => (series.startsWith(`${name}{`) ? sum + value : sum), 0);

/** What was counted of hostile connections: series, value. */
export const hostileCounts = (metrics: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...metrics].filter(
    ([series, value]) =>
      value > 0 && (series.startsWith("svidgate_http2_") || series.startsWith("svidgate_connections_refused_total")),
  );

export const printVerdict = ({ holds, text }: Verdict): string => `${holds ? "holds" : "FAILS"}: ${text}\n`;
