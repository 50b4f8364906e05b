// Evaluates tests on a policy that was compiled with them: the value, what was printed, and how far each test came.

import type { Builtin } from "../builtins/builtin.ts";
import { findBuiltin } from "../builtins/index.ts";
import { COVER_BUILTIN, TEST_BUILTINS } from "../compiler/index.ts";
import { loadPolicy } from "../evaluator.ts";
import { createNetworkBuiltins } from "../network-builtins.ts";
import { PolicyError } from "../policy-error.ts";
import { RegoNumber, toJson, type Value } from "../value.ts";
import type { Covered } from "./coverage.ts";
import type { Evaluation, Step, WorkerTask } from "./worker-messages.ts";

/** Most lines that one test may print, and most cases that it may begin; what is more is left out. */
const MAX_LINES = 10_000;
const MAX_CASES = 100_000;

/** Evaluates one test by its entrypoint; never throws for what a policy does. */
export type EvaluateTest = (entrypoint: string) => Promise<Evaluation>;

/** Loads the module. Throws PolicyError. `nowMs` is a monotonic clock. */
export function createTestEvaluator(
  { wasm, data, maxMemoryBytes, network, strictBuiltinErrors }: Omit<WorkerTask, "entrypoints">,
  nowMs: () => number,
): EvaluateTest {
  let output: string[] = [];
  let begun: { name: readonly string[]; step?: Step }[] = [];
  let step = undefined as Step | undefined;
  let covered: Covered[] = [];
  const everCovered = new Set<string>();
  const builtins = new Map<string, Builtin>([
    [
      TEST_BUILTINS.case,
      ([name], { once }) => {
        once(() => {
          if (begun.length < MAX_CASES) begun.push({ name: (Array.isArray(name) ? name : []).map(toCaseName) });
        });
        return true;
      },
    ],
    [
      TEST_BUILTINS.step,
      ([row, col], { once }) => {
        once(() => {
          step = { row: toNumber(row), col: toNumber(col) };
          const current = begun.at(-1);
          if (current !== undefined) current.step = step;
        });
        return true;
      },
    ],
    [
      COVER_BUILTIN,
      ([file, range]) => {
        const place = [toNumber(file), toNumber(range)] as const;
        const key = place.join(" ");
        if (!everCovered.has(key)) {
          everCovered.add(key);
          covered.push(place);
        }
        return true;
      },
    ],
  ]);
  const outside = createNetworkBuiltins(network);
  const policy = loadPolicy(wasm, {
    data,
    maxMemoryBytes,
    strictBuiltinErrors,
    // A test may ask a rule of a thousand cases; what bounds it is its time.
    budgetSteps: "off",
    findBuiltin: (name) => builtins.get(name) ?? outside.find(name) ?? findBuiltin(name),
    onPrint: (line) => {
      if (output.length < MAX_LINES) output.push(line);
    },
  });
  return async (entrypoint) => {
    output = [];
    begun = [];
    covered = [];
    step = undefined;
    const startMs = nowMs();
    const outcome = await evaluate(() => policy.evaluateAsync(undefined, { entrypoint }));
    return { ...outcome, durationMs: nowMs() - startMs, output, ...(step !== undefined && { step }), begun, covered };
  };
}

async function evaluate(run: () => Promise<string>): Promise<Pick<Evaluation, "value" | "error">> {
  try {
    const results = JSON.parse(await run()) as readonly { readonly result: unknown }[];
    return results.length === 0 ? {} : { value: JSON.stringify(results[0]?.result) };
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}

const toCaseName = (value: Value): string => (typeof value === "string" ? value : toJson(value));

const toNumber = (value: Value | undefined): number => (value instanceof RegoNumber ? value.toNumber() : 0);
