// Times of small operations, side by side: the cases take turns within each pass, so that whatever else the machine does meets all
// of them, and medians over passes are compared, not single runs.

import { setImmediate } from "node:timers/promises";

/** Something to measure. */
export interface Case {
  readonly name: string;
  /** Operations in one pass. */
  readonly times: number;
  /** Does them. */
  run(times: number): void | Promise<void>;
  /** What follows a pass and is not measured. */
  after?(): Promise<unknown>;
}

/** Microseconds for one operation, a number for each pass. */
export interface Figures {
  /** Of the whole process: all threads, garbage collection too. */
  readonly cpuUs: readonly number[];
  readonly wallUs: readonly number[];
}

/** What V8 needs to have compiled everything. */
const WARM_UPS = 3;

/** Runs every case three times to warm up, and then `passes` times, in turn. */
export async function measureInTurn(cases: readonly Case[], passes: number): Promise<ReadonlyMap<string, Figures>> {
  const figures = new Map(cases.map(({ name }) => [name, { cpuUs: [] as number[], wallUs: [] as number[] }]));
  for (let pass = -WARM_UPS; pass < passes; pass++) {
    for (const { name, times, run, after } of cases) {
      const cpu = process.cpuUsage();
      const startMs = performance.now();
      await run(times);
      const wallMs = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      await after?.();
      await setImmediate();
      if (pass < 0) continue;
      figures.get(name)?.cpuUs.push((user + system) / times);
      figures.get(name)?.wallUs.push((wallMs * 1000) / times);
    }
  }
  return figures;
}

/** The middle one; of an even number the upper of the two. */
export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

/** `median (min–max)`. */
export const spread = (numbers: readonly number[], digits: number): string =>
  `${median(numbers).toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)})`;

/** What `one` takes more than `other`: `of medians / of the quietest passes`, which a busy machine disturbs less. */
export const difference = (one: readonly number[], other: readonly number[]): string =>
  `${(median(one) - median(other)).toFixed(1)} / ${(Math.min(...one) - Math.min(...other)).toFixed(1)}`;

/** A Markdown table. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
