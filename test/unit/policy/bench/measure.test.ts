// Measures real policies, briefly; figures are looked at for being there, never for their size.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../../../src/base/clock.ts";
import { type BenchOptions, measurePolicy } from "../../../../src/policy/bench/measure.ts";
import type { BenchReport } from "../../../../src/policy/bench/report.ts";
import { loadProgram } from "../../../../src/policy/load.ts";

const POLICY = `package envoy.authz

default allow := false

allow if {
	input.user in data.users
	regex.match("^al", input.user)
	regex.is_valid(input.user)
	sprintf("%s-%s", [input.user, time.format(time.now_ns())]) != ""
	sprintf("%s", [input.user]) == "alice"
}

nothing if input.user == "nobody"

list := {3, 1, 2, 12345678901234567890}

slow if {
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	a + b == -1
}

deep if count([x | some x in numbers.range(1, 100000)]) > 0
`;

describe("a measurement", () => {
  let folder = "";
  let path = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "svidgate-measure-"));
    path = join(folder, "p.rego");
    await writeFile(path, POLICY);
    await writeFile(join(folder, "users.json"), '{"users": ["alice"]}');
  });
  after(() => rm(folder, { recursive: true }));

  const optionsOf = (more: Partial<BenchOptions> = {}): BenchOptions => ({
    paths: [path],
    dataFiles: [join(folder, "users.json")],
    regoVersion: "v1",
    entrypoint: "envoy/authz/allow",
    engine: "native",
    strictBuiltinErrors: false,
    maxMemoryBytes: 64 * 1024 * 1024,
    clock: systemClock,
    count: 50,
    durationMs: 60_000,
    input: '{"user":"alice"}',
    ...more,
  });
  const reportOf = async (more: Partial<BenchOptions> = {}): Promise<BenchReport> => {
    const outcome = await measurePolicy(optionsOf(more));
    assert.ok(outcome.ok, outcome.ok ? "" : outcome.problems.join("\n"));
    return outcome.report;
  };
  const problemsOf = async (more: Partial<BenchOptions>): Promise<string> => {
    const outcome = await measurePolicy(optionsOf(more));
    assert.equal(outcome.ok, false);
    return outcome.ok ? "" : outcome.problems.join("\n");
  };

  it("counts as many evaluations as it was told, and gives the answer", async () => {
    const report = await reportOf();
    assert.equal(report.evaluations, 50);
    assert.equal(report.result, "true");
    assert.equal(report.strictErrors, "off");
    assert.equal(report.inputBytes, 16);
    assert.equal(report.dataBytes, 19);
    assert.ok(report.perSecond > 0);
    const { p50, p90, p99, max, mean } = report.us;
    assert.ok(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max && mean > 0, JSON.stringify(report.us));
  });

  it("tells each phase and each builtin with its calls, and the patterns of the plan", async () => {
    const { phases, note } = await reportOf();
    assert.ok(phases);
    assert.deepEqual(phases.builtins.map(({ name, calls }) => [name, calls]).sort(), [
      ["regex.match", 1],
      ["sprintf", 2],
      ["time.format", 1],
      ["time.now_ns", 1],
    ]);
    for (const us of [phases.evaluateUs, phases.parseUs, phases.builtinsUs]) assert.ok(us > 0);
    for (const us of [phases.writeUs, phases.readUs]) assert.ok(us >= 0);
    assert.match(note ?? "", /`regex\.is_valid`/);
    assert.doesNotMatch(note ?? "", /`regex\.match`/);
  });

  it("ends with the time, when the time is shorter", async () => {
    const report = await reportOf({ count: 10_000_000, durationMs: 50 });
    assert.ok(report.evaluations > 0 && report.evaluations < 10_000_000);
  });

  it("tells the steps of the budget, and memory with and without the evaluation", async () => {
    const report = await reportOf({ budgetSteps: 5_000_000 });
    assert.equal(report.steps?.budget, 5_000_000);
    assert.ok(report.steps.taken > 0 && report.steps.taken < 5_000_000);
    assert.ok(report.evaluationBytes > 0 && report.evaluationBytes < report.memoryBytes);
    const free = await reportOf({ budgetSteps: "off" });
    assert.equal(free.steps, undefined);
  });

  it("says of a rule without a value that it is undefined, and keeps digits and sets of one that has", async () => {
    const nothing = await reportOf({ entrypoint: "envoy/authz/nothing" });
    assert.equal(nothing.result, undefined);
    const list = await reportOf({ entrypoint: "envoy/authz/list" });
    assert.equal(list.result, "[1,2,3,12345678901234567890]");
  });

  it("of a policy that is given no input has nothing to parse", async () => {
    const { input: _, ...rest } = optionsOf({ entrypoint: "envoy/authz/list" });
    const outcome = await measurePolicy(rest);
    assert.ok(outcome.ok);
    assert.equal(outcome.report.phases?.parseUs, 0);
    assert.equal(outcome.report.inputBytes, 0);
  });

  it("knows a policy that came compiled, and how strict it is", async () => {
    const program = await loadProgram(optionsOf());
    assert.ok(program.ok);
    await writeFile(join(folder, "policy.wasm"), program.wasm);
    const report = await reportOf({ paths: [join(folder, "policy.wasm")], strictBuiltinErrors: true });
    assert.equal(report.strictErrors, "host");
    assert.equal(report.result, "true");
    assert.equal(report.note, undefined, "a bare module has no plan");
  });

  it("of the other engine has no phases", async () => {
    const report = await reportOf({ engine: "opa-wasm" });
    assert.equal(report.phases, undefined);
    assert.equal(report.result, "true");
    assert.equal(report.evaluations, 50);
  });

  const refused: readonly (readonly [string, Partial<BenchOptions>, RegExp])[] = [
    ["a policy that is not there", { paths: ["/nowhere.rego"] }, /nowhere\.rego/],
    ["no policy", { paths: [] }, /no policy/],
    ["a rule that is not there", { entrypoint: "envoy/authz/other" }, /other/],
    ["an evaluation that uses its budget up", { entrypoint: "envoy/authz/slow" }, /^policy_budget: /],
    [
      "an evaluation that needs more memory",
      { entrypoint: "envoy/authz/deep", maxMemoryBytes: 1024 * 1024, budgetSteps: "off" },
      /^policy_memory: /,
    ],
  ];
  for (const [name, more, problem] of refused) {
    it(`gives the problem instead: ${name}`, async () => assert.match(await problemsOf(more), problem));
  }

  it("gives the problem of a compiled policy without that rule", async () => {
    const program = await loadProgram(optionsOf());
    assert.ok(program.ok);
    await writeFile(join(folder, "policy.wasm"), program.wasm);
    const problem = await problemsOf({ paths: [join(folder, "policy.wasm")], entrypoint: "envoy/authz/list" });
    assert.equal(
      problem,
      "the policy has no entrypoint `envoy/authz/list`: name one of envoy/authz/allow with --entrypoint",
    );
  });
});
