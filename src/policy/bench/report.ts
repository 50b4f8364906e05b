// What `svidgate bench` found out, and how it is told: as text for people, as one JSON object for programs.

import { toPlainText } from "../../base/plain-text.ts";
import type { StrictErrors } from "../active-policy.ts";
import type { Distribution } from "./distribution.ts";
import type { PhaseTimes } from "./phase-clock.ts";
import type { AskedQuestion } from "./remembered-answers.ts";

/** What was measured. */
export interface BenchReport {
  readonly entrypoint: string;
  /** JSON text; absent when the rule is undefined. */
  readonly result?: string;
  readonly engine: string;
  readonly strictErrors: StrictErrors;
  /** How many evaluations the figures are of. */
  readonly evaluations: number;
  /** Microseconds of one evaluation. */
  readonly us: Distribution;
  /** Of one core that does nothing else. */
  readonly perSecond: number;
  /** Absent when another engine than ours was measured. */
  readonly phases?: PhaseTimes;
  readonly inputBytes: number;
  readonly dataBytes: number;
  /** What one evaluation takes of the budget, and the budget; parsing the input is not counted. Absent when it is off. */
  readonly steps?: { readonly taken: number; readonly budget: number };
  /** Of the module with its data and one evaluation, and of the evaluation alone. */
  readonly memoryBytes: number;
  readonly evaluationBytes: number;
  /** Questions to the outside world; their time is not part of any figure. */
  readonly asked: readonly AskedQuestion[];
  /** What the figures do not say by themselves. */
  readonly note?: string;
}

/** As one line of JSON. */
export function toBenchJson(report: BenchReport): string {
  const { phases, us } = report;
  const members = JSON.stringify(
    {
      entrypoint: report.entrypoint,
      engine: report.engine,
      strict_builtin_errors: report.strictErrors,
      evaluations: report.evaluations,
      evaluations_per_second: Math.round(report.perSecond),
      evaluation_us: { p50: us.p50, p90: us.p90, p99: us.p99, max: us.max, mean: us.mean },
      phases_us: phases && {
        write_input: phases.writeUs,
        parse_input: phases.parseUs,
        evaluate: phases.evaluateUs,
        builtins: phases.builtinsUs,
        read_result: phases.readUs,
      },
      builtins: phases?.builtins.map(({ name, calls, us: each }) => ({ name, calls, us: each })),
      steps: report.steps?.taken,
      budget_steps: report.steps?.budget,
      input_bytes: report.inputBytes,
      data_bytes: report.dataBytes,
      memory_bytes: report.memoryBytes,
      evaluation_memory_bytes: report.evaluationBytes,
      asked: report.asked.map(({ about, ms }) => ({ about, ms })),
      note: report.note,
    },
    (_, value) => (typeof value === "number" ? Number(value.toFixed(3)) : value),
  );
  // The result keeps its digits.
  return report.result === undefined ? `${members}\n` : `${members.slice(0, -1)},"result":${report.result}}\n`;
}

/** As text; ends with a line feed. */
export function toBenchText(report: BenchReport): string {
  const { us, phases } = report;
  const lines = [
    row("entrypoint", report.entrypoint),
    row("result", shortened(report.result ?? "undefined")),
    row("strict mode", STRICT[report.strictErrors]),
    row("evaluations", `${report.evaluations}, ${Math.round(report.perSecond)}/s on one core`),
    row("one evaluation", `p50 ${micros(us.p50)}, p90 ${micros(us.p90)}, p99 ${micros(us.p99)}, max ${micros(us.max)}`),
    ...(phases === undefined ? [] : phaseLines(phases)),
    row("budget", report.steps === undefined ? "off" : budget(report.steps)),
    row("input", size(report.inputBytes)),
    row("data", size(report.dataBytes)),
    row("memory", `${size(report.memoryBytes)}, of which an evaluation takes ${size(report.evaluationBytes)}`),
    ...report.asked.map(({ about, ms }) => row("asked once", `${about}, answered after ${ms.toFixed(1)} ms`)),
    ...(report.note === undefined ? [] : [row("note", report.note)]),
  ];
  return lines.map((line) => `${toPlainText(line)}\n`).join("");
}

function phaseLines(phases: PhaseTimes): readonly string[] {
  const inside = phases.builtins.map(({ name, calls, us }) => row(`    ${name}`, `${micros(us)}, ${callCount(calls)}`));
  return [
    row("  write input", micros(phases.writeUs)),
    row("  parse input", micros(phases.parseUs)),
    row("  evaluate", micros(phases.evaluateUs)),
    ...(inside.length === 0 ? [] : [row("  builtins", micros(phases.builtinsUs)), ...inside]),
    row("  read result", micros(phases.readUs)),
  ];
}

const budget = ({ taken, budget: whole }: NonNullable<BenchReport["steps"]>): string =>
  `${taken} of ${whole} steps (${((100 * taken) / whole).toPrecision(2)}%)`;

const STRICT: Readonly<Record<StrictErrors, string>> = {
  all: "on",
  host: "on for the host's builtins, off for those of the module: it came compiled without guards",
  off: "off",
};

/** A result is there to be recognised; JSON has all of it. */
const MAX_RESULT_CHARS = 200;
const shortened = (text: string): string =>
  text.length <= MAX_RESULT_CHARS ? text : `${text.slice(0, MAX_RESULT_CHARS)}… (${text.length} characters)`;

const WIDTH = 22;
const row = (name: string, value: string): string => `${`${name}:`.padEnd(WIDTH)} ${value}`;

const micros = (us: number): string => (us >= 1000 ? `${(us / 1000).toFixed(2)} ms` : `${us.toFixed(2)} µs`);

const callCount = (calls: number): string =>
  calls === 1 ? "1 call" : `${Number.isInteger(calls) ? calls : calls.toFixed(2)} calls`;

const size = (bytes: number): string =>
  bytes < 10_240
    ? `${bytes} bytes`
    : bytes < 10 * 1024 * 1024
      ? `${Math.round(bytes / 1024)} KiB`
      : `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
