// What evaluating a policy costs: `npm run bench:policy -- [--passes N] [--only PART]`. It prints the tables of README.md; PART is one
// of evaluation, data, counter, strict, tokens. One thread, CPU of the whole process, cases in turn within each pass.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageVersion } from "../src/base/package-root.ts";
import { type Case, difference, type Figures, measureInTurn, median, spread, table } from "./measure.ts";
import { benchTokens } from "./policy-tokens.ts";
import { createPolicies, type Policies, PRUNED_INPUT, WHOLE_INPUT } from "./policy-world.ts";

const { values } = parseArgs({
  options: {
    passes: { type: "string", default: "25" },
    only: { type: "string" },
  },
});
const passes = Number(values.passes);

/** Evaluations in one pass: short, so that quiet passes are among them. */
const TIMES = 4_000;

const evaluating = (name: string, evaluate: (input: string) => string, input: string, expected = ALLOW): Case => ({
  name,
  times: TIMES,
  run: (times) => {
    for (let at = 0; at < times; at++) if (evaluate(input) !== expected) throw new Error(`${name}: not the result`);
  },
});
const ALLOW = '[{"result":true}]';

async function benchEvaluation(policies: Policies): Promise<string> {
  const own = await policies.rbac({});
  const packaged = await policies.rbac({ engine: "opa-wasm" });
  return tableOf([
    evaluating(`whole input, ${Buffer.byteLength(WHOLE_INPUT)} bytes of text`, own, WHOLE_INPUT),
    evaluating(`pruned input, ${Buffer.byteLength(PRUNED_INPUT)} bytes of text`, own, PRUNED_INPUT),
    evaluating("whole input, @open-policy-agent/opa-wasm", packaged, WHOLE_INPUT),
    evaluating("pruned input, @open-policy-agent/opa-wasm", packaged, PRUNED_INPUT),
  ]);
}

async function benchData(policies: Policies): Promise<string> {
  const sizes = [10, 1_000, 10_000, 100_000];
  const cases: Case[] = [];
  for (const size of sizes) {
    const keyed = await policies.keyed(size);
    cases.push(evaluating(`look-up by key among ${size}`, keyed, PRUNED_INPUT));
  }
  return tableOf(cases, "look-up by key among 1000");
}

async function benchCounter(policies: Policies): Promise<string> {
  const counted = await policies.rbac({});
  const uncounted = await policies.rbac({ budgetSteps: "off" });
  const loop = await policies.loop({});
  const uncountedLoop = await policies.loop({ budgetSteps: "off" });
  return [
    await tableOf(
      [evaluating("roles, budget off", uncounted, WHOLE_INPUT), evaluating("roles, counted", counted, WHOLE_INPUT)],
      "roles, budget off",
    ),
    await tableOf(
      [
        evaluating("200 rows read one by one, budget off", uncountedLoop, PRUNED_INPUT),
        evaluating("200 rows read one by one, counted", loop, PRUNED_INPUT),
      ],
      "200 rows read one by one, budget off",
    ),
  ].join("\n");
}

async function benchStrict(policies: Policies): Promise<string> {
  const parts: string[] = [];
  for (const name of ["rbac", "guarded"] as const) {
    const lax = await policies[name]({ strictBuiltinErrors: false });
    const strict = await policies[name]({ strictBuiltinErrors: true });
    const what = name === "rbac" ? "roles" : "20 builtins that can fail";
    parts.push(
      await tableOf(
        [evaluating(`${what}, strict off`, lax, WHOLE_INPUT), evaluating(`${what}, strict on`, strict, WHOLE_INPUT)],
        `${what}, strict off`,
      ),
    );
  }
  return parts.join("\n");
}

/** `base` names the case that the others are compared with. */
async function tableOf(cases: readonly Case[], base?: string): Promise<string> {
  const figures = await measureInTurn(cases, passes);
  const rows = [...figures].map(([name, { cpuUs }]) => [name, spread(cpuUs, 2), ...compared(figures, base, name)]);
  return table(["one evaluation", "CPU, µs", ...(base === undefined ? [] : ["more, µs", "more, %"])], rows);
}

function compared(figures: ReadonlyMap<string, Figures>, base: string | undefined, name: string): readonly string[] {
  if (base === undefined) return [];
  const [one, other] = [figures.get(name)?.cpuUs ?? [], figures.get(base)?.cpuUs ?? []];
  if (name === base) return ["compared with", ""];
  const percent = (value: number, of: number): string => ((100 * (value - of)) / of).toFixed(1);
  return [
    difference(one, other),
    `${percent(median(one), median(other))} / ${percent(Math.min(...one), Math.min(...other))}`,
  ];
}

const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
try {
  const policies = createPolicies(folder);
  const parts: Readonly<Record<string, () => Promise<string>>> = {
    evaluation: () => benchEvaluation(policies),
    data: () => benchData(policies),
    counter: () => benchCounter(policies),
    strict: () => benchStrict(policies),
    tokens: () => benchTokens(policies, passes),
  };
  const load = loadavg()[0]?.toFixed(1);
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, load ${load} at the start, median (min–max) of ${passes} passes; a / b is of medians / of the quietest passes\n`,
  );
  for (const [name, run] of Object.entries(parts)) {
    if (values.only !== undefined && values.only !== name) continue;
    process.stderr.write(`${name} …\n`);
    process.stdout.write(`\n${await run()}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
