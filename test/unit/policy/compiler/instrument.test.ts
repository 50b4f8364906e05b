// What the compiler puts into a module when it is asked to: calls that report what runs, guards behind native
// builtins, and calls of the host in their place. Each is proven by running the module.
import assert from "node:assert/strict";
import { before, it } from "node:test";
import type { Builtin } from "../../../../src/policy/builtins/builtin.ts";
import {
  BUILTIN_FAILED,
  COVER_BUILTIN,
  type CompileRequest,
  type CompileResult,
  type CoveredFile,
  compileRegoBatch,
  HOST_PREFIX,
} from "../../../../src/policy/compiler/index.ts";
import { loadPolicy } from "../../../../src/policy/index.ts";
import { RegoNumber, toJson, type Value } from "../../../../src/policy/value.ts";

const policy = (text: string, over: Partial<CompileRequest> = {}): CompileRequest => ({
  files: [{ path: "p.rego", text }],
  entrypoints: ["p/r"],
  regoVersion: "v1",
  builtins: [],
  ...over,
});

const covered = `package p

default r := "none"

r := "list" if {
	some x in input.list
	every y in x { y > 0 }
	count([z | some z in x; z > 1]) > 1
}

r := n if n := f(input.x)

f(x) := "one" if {
	x == 1
} else := "two" if {
	x == 2
}

unused if input.x == 7
`;
const tests = `package p_test

test_r if data.p.r == "one" with input as {"x": 1}
`;
const requests = {
  coverage: policy(covered, { coverage: true }),
  "coverage of tests": {
    ...policy(covered, { coverage: true, tests: true, entrypoints: [] }),
    files: [
      { path: "p.rego", text: covered },
      { path: "p_test.rego", text: tests },
    ],
    builtins: ["internal.test_case"],
  },
  guarded: policy(
    `package p
r := [x | x := to_number(input.n)]
s := {"not": true} if not to_number(input.n)
t[k] := v if { some k; v := to_number(input.list[k]) with input.unused as 1 }
u if every x in input.list { to_number(x) > 0 }
twice := to_number(to_number(input.n))
f := 1 if to_number(input.f)`,
    {
      entrypoints: ["p/r", "p/s", "p/t", "p/u", "p/twice", "p/f"],
      guardedBuiltins: ["to_number", "gt", "count"],
    },
  ),
  hosted: policy(
    "package p\nr := [count(input.x), x] if x := count([1, 2])\ns := n if n := count(input.x) + 1 with count as f\nf(_) := 7",
    {
      entrypoints: ["p/r", "p/s"],
      hostBuiltins: ["count"],
      guardedBuiltins: ["count", "plus"],
    },
  ),
  "no native": policy("package p\nr := 1", { hostBuiltins: ["sprintf"], guardedBuiltins: ["eq", "nonsense"] }),
  "and, or": policy(
    "package p\nimport future.keywords.and\nimport future.keywords.or\nr if {\n\tinput.a or\n\tinput.b\n\tinput.c and\n\tinput.d\n}",
    { coverage: true, experimentalKeywords: true },
  ),
  "OPA's own cases": policy('package p\nr if test.sleep("1ms") == null', { builtins: ["test.sleep"] }),
} satisfies Record<string, CompileRequest>;
type Name = keyof typeof requests;

let results: ReadonlyMap<string, CompileResult>;
before(async () => {
  const compiled = await compileRegoBatch(Object.values(requests));
  results = new Map(Object.keys(requests).map((name, i) => [name, compiled[i] as CompileResult]));
});

function compiled(name: Name) {
  const result = results.get(name);
  assert.ok(result?.ok, name);
  return result.value;
}

/** Evaluates with one builtin of the host's own; its answers come from `answer`, its calls are listed. */
function run(name: Name, entrypoint: string, input: unknown, answer: Builtin = () => null) {
  const calls: [name: string, ...args: unknown[]][] = [];
  const loaded = loadPolicy(compiled(name).wasm, {
    findBuiltin: (builtin) => (args, context) => {
      calls.push([builtin, ...args.map((arg) => JSON.parse(toJson(arg)) as unknown)]);
      return answer(args, context);
    },
  });
  return { result: loaded.evaluate(JSON.stringify(input), { entrypoint }), calls };
}

const at = (files: readonly CoveredFile[], file: unknown, range: unknown): string => {
  const place = files[file as number]?.ranges[range as number];
  return place === undefined ? "nowhere" : `${place.row}:${place.col}-${place.end_row}:${place.end_col}`;
};

it("coverage lists what can be covered, in the order of the text", () => {
  const [file] = compiled("coverage").coverage;
  assert.equal(file?.file, "p.rego");
  assert.equal(file?.tests, undefined);
  const coverable = file?.ranges.filter((range) => range.coverable === true) ?? [];
  assert.deepEqual(
    [...new Set(coverable.map(({ row }) => row))],
    [3, 5, 7, 8, 11, 13, 14, 15, 16, 19],
    "the head of each rule and each expression, without `some`",
  );
  assert.equal(
    file?.ranges.findIndex((range) => range.coverable !== true),
    coverable.length,
  );
});

const rows: readonly (readonly [string, unknown, string, readonly number[]])[] = [
  ["the first branch", { x: 1 }, '"one"', [6, 11, 13, 14]],
  ["the second branch", { x: 2 }, '"two"', [6, 11, 14, 15, 16]],
  ["neither", { x: 3 }, '"none"', [3, 6, 11, 14, 16]],
  ["a list", { list: [[2, 3]] }, '"list"', [5, 6, 7, 8, 11]],
  ["a list that holds no number above one", { list: [[1]] }, '"none"', [3, 6, 7, 8, 11]],
];
for (const [name, input, value, wanted] of rows) {
  it(`coverage reports the rows that ran and no others: ${name}`, () => {
    const { coverage } = compiled("coverage");
    const { result, calls } = run("coverage", "p/r", input);
    assert.equal(result, `[{"result":${value}}]`, "the meaning stays");
    assert.ok(calls.every(([builtin]) => builtin === COVER_BUILTIN));
    const ran = new Set(calls.map(([, file, range]) => Number.parseInt(at(coverage, file, range), 10)));
    assert.deepEqual(
      [...ran].sort((a, b) => a - b),
      wanted,
    );
  });
}

it("coverage of tests tells the files that hold them, and steps are still reported", () => {
  const { coverage } = compiled("coverage of tests");
  assert.deepEqual(
    coverage.map(({ file, tests: holds }) => [file, holds === true]),
    [
      ["p.rego", false],
      ["p_test.rego", true],
    ],
  );
  const { result, calls } = run("coverage of tests", "p_test/test_r", {});
  assert.equal(result, '[{"result":true}]');
  assert.deepEqual(
    calls.filter(([builtin]) => builtin !== COVER_BUILTIN),
    [["internal.test_step", 3, 11]],
  );
  assert.ok(
    calls.some(([, file, range]) => at(coverage, file, range) === "14:2-14:8"),
    "through `with`",
  );
});

const guards: readonly (readonly [string, string, unknown, string, readonly unknown[]])[] = [
  ["a builtin that has a value is not asked about", "p/r", { n: "5" }, '[{"result":[5]}]', []],
  ["one without is, and stays undefined", "p/r", { n: "x" }, '[{"result":[]}]', [["to_number", ["x"]]]],
  ["below `not`", "p/s", { n: "x" }, '[{"result":{"not":true}}]', [["to_number", ["x"]]]],
  ["below `with`, in a loop", "p/t", { list: ["1", {}] }, '[{"result":{"0":1}}]', [["to_number", [{}]]]],
  ["below `every`", "p/u", { list: ["1", "y"] }, "[]", [["to_number", ["y"]]]],
  ["the innermost of two", "p/twice", { n: "z" }, "[]", [["to_number", ["z"]]]],
  ["missing operands are no failure of the builtin", "p/r", {}, '[{"result":[]}]', []],
  ["false is a value", "p/f", { f: false }, '[{"result":1}]', []],
];
for (const [name, entrypoint, input, wanted, failed] of guards) {
  it(`a guarded builtin: ${name}`, () => {
    const { result, calls } = run("guarded", entrypoint, input);
    assert.equal(result, wanted);
    assert.deepEqual(
      calls,
      failed.map((call) => [BUILTIN_FAILED, ...(call as Value[])]),
    );
  });
}

it("a hosted builtin is the host's alone, also for its guard, and `with` still replaces it", () => {
  const seven: Builtin = () => RegoNumber.of(7);
  const { result, calls } = run("hosted", "p/r", { x: "abc" }, seven);
  assert.equal(result, '[{"result":[7,7]}]');
  assert.deepEqual(calls, [
    [`${HOST_PREFIX}count`, [1, 2]],
    [`${HOST_PREFIX}count`, "abc"],
  ]);
  assert.equal(run("hosted", "p/s", { x: 1 }).result, '[{"result":8}]');
});

it("only natives can be hosted or guarded", () => {
  const result = results.get("no native");
  assert.ok(result !== undefined && !result.ok);
  assert.deepEqual(
    result.errors.map(({ code, message }) => [code, message]),
    ["sprintf", "eq", "nonsense"].map((builtin) => [
      "builtin_unknown",
      `builtin \`${builtin}\` is not one that OPA's module brings along`,
    ]),
  );
});

it("coverage reports the side of `and` and `or` that ran", () => {
  const ran = (input: unknown) => {
    const { coverage } = compiled("and, or");
    const calls = run("and, or", "p/r", input).calls.map(([, file, range]) => at(coverage, file, range));
    return ["5:2-5:9", "6:2-6:9", "7:2-7:9", "8:2-8:9"].filter((place) => calls.includes(place));
  };
  assert.deepEqual(ran({ a: 1, c: 1, d: 1 }), ["5:2-5:9", "7:2-7:9", "8:2-8:9"]);
  assert.deepEqual(ran({ b: 1 }), ["5:2-5:9", "6:2-6:9", "7:2-7:9"]);
});

it("the builtins of OPA's conformance cases can be offered", () => {
  assert.equal(run("OPA's own cases", "p/r", {}).result, '[{"result":true}]');
});
