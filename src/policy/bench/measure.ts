// Measures the evaluations of one policy over one input, in the evaluator that decides in production. Two copies of the policy take
// turns: one is only timed as a whole, the other one tells its phases, which costs time itself; so whatever else the machine does
// meets both. Data, input and result are those of every evaluation; nothing is cached between two of them.

import { findBuiltin } from "../builtins/index.ts";
import { HOST_PREFIX } from "../compiler/index.ts";
import type { EvaluationPhase } from "../engine.ts";
import { DEFAULT_BUDGET_STEPS, loadPolicy, type TrustingPolicy } from "../evaluator.ts";
import { type LoadOptions, loadProgram, toPolicyOptions } from "../load.ts";
import { PolicyError } from "../policy-error.ts";
import { toJson } from "../value.ts";
import { Series } from "./distribution.ts";
import { patternCosts } from "./pattern-costs.ts";
import { PhaseClock } from "./phase-clock.ts";
import { RememberedAnswers } from "./remembered-answers.ts";
import type { BenchReport } from "./report.ts";

/** What to measure; the clock of the policy is the one that measures. */
export interface BenchOptions extends LoadOptions {
  /** JSON text, valid; undefined is no input. */
  readonly input?: string;
  /** Ends after this many evaluations, or after this time, milliseconds; whichever comes first. */
  readonly count: number;
  readonly durationMs: number;
}

/** What was measured, or every reason why nothing was. */
export type BenchOutcome =
  | { readonly ok: true; readonly report: BenchReport }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Before anything counts: V8 compiles what is hot in less. */
const WARM_UP_MS = 300;
const WARM_UP_EVALUATIONS = 2_000;
/** Evaluations of one copy before it is the other one's turn. */
const TURN_MS = 10;

/** Loads, warms up and measures; needs the thread for itself. */
export async function measurePolicy(options: BenchOptions): Promise<BenchOutcome> {
  const loaded = await loadProgram(options);
  if (!loaded.ok) return loaded;
  try {
    const data = toJson(loaded.source.data);
    const subject = await prepare(loaded.wasm, data, options);
    if (!subject.ok) return subject;
    const report = measure(subject, options);
    const plan = loaded.compiled?.plan ?? loaded.source.plan;
    const note = plan === undefined ? undefined : patternCosts(plan);
    return {
      ok: true,
      report: {
        ...report,
        strictErrors: loaded.strictErrors,
        inputBytes: Buffer.byteLength(options.input ?? ""),
        dataBytes: Buffer.byteLength(data),
        ...(note !== undefined && { note }),
      },
    };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { ok: false, problems: [`${error.code}: ${error.message}`] };
  }
}

/** What is measured: two copies of the policy, and its answer. */
interface Subject {
  readonly ok: true;
  readonly timed: TrustingPolicy;
  readonly told: TrustingPolicy;
  readonly phases: PhaseClock;
  readonly answers: RememberedAnswers;
  readonly resultSet: string;
}

async function prepare(
  wasm: Uint8Array,
  data: string,
  options: BenchOptions,
): Promise<Subject | { readonly ok: false; readonly problems: readonly string[] }> {
  const nowMs = (): number => options.clock.monotonicMs();
  const phases = new PhaseClock(nowMs);
  const answers = new RememberedAnswers(nowMs);
  const settings = toPolicyOptions(options, data);
  const find = settings.findBuiltin ?? findBuiltin;
  const asking: typeof find = (name) => {
    const run = find(name);
    return run && answers.wrap(run);
  };
  const first = loadPolicy(wasm, { ...settings, findBuiltin: asking });
  if (!first.entrypoints.includes(options.entrypoint)) {
    const known = first.entrypoints.join(", ");
    const problem = `the policy has no entrypoint \`${options.entrypoint}\`: name one of ${known} with --entrypoint`;
    return { ok: false, problems: [problem] };
  }
  const resultSet = await answers.settle(() => evaluate(first, options), new AbortController().signal);
  // PERF: what a policy that asks nothing is not charged for.
  const findMeasured = answers.asked.length > 0 ? asking : find;
  const findNamed: typeof find = (name) => {
    const run = findMeasured(name);
    // Authors know such a builtin of the module, which the host answers in its place, without the prefix.
    return run && phases.named(name.startsWith(HOST_PREFIX) ? name.slice(HOST_PREFIX.length) : name, run);
  };
  const timed = loadPolicy(wasm, { ...settings, findBuiltin: findMeasured });
  const told = loadPolicy(wasm, { ...settings, findBuiltin: findNamed }, (phase: EvaluationPhase) =>
    phases.onPhase(phase),
  );
  return { ok: true, timed, told, phases, answers, resultSet };
}

function measure(
  { timed, told, phases, answers, resultSet }: Subject,
  options: BenchOptions,
): Omit<BenchReport, "strictErrors" | "inputBytes" | "dataBytes" | "note"> {
  const nowMs = (): number => options.clock.monotonicMs();
  const bytesBefore = timed.memoryBytes;
  const times = new Series();
  const time = (): void => {
    const startMs = nowMs();
    evaluate(timed, options);
    times.add(Math.max(0, (nowMs() - startMs) * 1000 - phases.lookUs));
  };
  const tell = (): void => {
    phases.begin();
    evaluate(told, options);
  };
  const warmUpEndMs = nowMs() + WARM_UP_MS;
  do {
    time();
    tell();
  } while (times.length < WARM_UP_EVALUATIONS && nowMs() < warmUpEndMs);
  times.clear();
  phases.clear();

  const turns = new Series();
  const endMs = nowMs() + options.durationMs;
  let finished = false;
  while (!finished) {
    const before = times.length;
    const turnStartMs = nowMs();
    do time();
    while (nowMs() < turnStartMs + TURN_MS && times.length < options.count);
    turns.add(((nowMs() - turnStartMs) * 1000) / (times.length - before));
    finished = times.length >= options.count || nowMs() >= endMs;
    const tellEndMs = nowMs() + TURN_MS;
    do tell();
    while (nowMs() < tellEndMs && phases.evaluations < times.length);
  }
  // SPEC: an entrypoint has one result, the rule's value, or none.
  const result = resultSet === "[]" ? undefined : resultSet.slice('[{"result":'.length, -"}]".length);
  return {
    entrypoint: options.entrypoint,
    ...(result !== undefined && { result }),
    engine: options.engine,
    evaluations: times.length,
    us: times.distribution(),
    // With its garbage collections, and without the moments in which the machine was somebody else's.
    perSecond: 1e6 / turns.median(),
    ...(options.budgetSteps !== "off" && {
      steps: { taken: timed.lastSteps, budget: options.budgetSteps ?? DEFAULT_BUDGET_STEPS },
    }),
    ...(phases.evaluations > 0 && { phases: phases.times() }),
    memoryBytes: timed.memoryBytes,
    evaluationBytes: timed.memoryBytes - bytesBefore,
    asked: answers.asked,
  };
}

function evaluate(policy: TrustingPolicy, { input, entrypoint }: BenchOptions): string {
  return input === undefined ? policy.evaluate(undefined, { entrypoint }) : policy.evaluateTrusted(input, entrypoint);
}
