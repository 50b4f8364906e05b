import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { wasm as api } from "../../../src/policy/wasm-api.ts";
import { readSections, toLeb, writeSections } from "../../../src/policy/wasm-binary.ts";
import { addMeter, STEPS_LEFT_EXPORT } from "../../../src/policy/wasm-meter.ts";
import { compileFixtures } from "../../support/rego.ts";

const I32 = 0x7f;
const END = 0x0b;
const GET_0 = [0x20, 0];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const vector = (entries: readonly (readonly number[])[]): number[] => [...toLeb(entries.length), ...entries.flat()];
const section = (id: number, content: readonly number[]): number[] => [id, ...toLeb(content.length), ...content];

interface Options {
  /** Bodies of functions from i32 to i32; the first one is exported as `run`. */
  readonly functions: readonly (readonly number[])[];
  readonly locals?: readonly number[];
  readonly globals?: readonly (readonly number[])[];
  readonly start?: number;
}

/** A module with a memory of one page, exported, and a table of all its functions. */
function assemble({ functions, locals = [0], globals = [], start }: Options): Uint8Array {
  const indices = functions.map((_, index) => [index]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [2, 0x60, 1, I32, 1, I32, 0x60, 0, 0]),
    ...section(3, vector(functions.map((_, index) => [index === start ? 1 : 0]))),
    ...section(4, [1, 0x70, 0, functions.length]),
    ...section(5, [1, 0, 1]),
    ...(globals.length > 0 ? section(6, vector(globals)) : []),
    ...section(
      7,
      vector([
        [...text("run"), 0, 0],
        [...text("memory"), 2, 0],
      ]),
    ),
    ...(start === undefined ? [] : section(8, [start])),
    ...section(9, [1, 0, 0x41, 0, END, ...vector(indices)]),
    ...section(12, [1]),
    ...section(
      10,
      vector(functions.map((code) => [...toLeb(locals.length + code.length + 1), ...locals, ...code, END])),
    ),
    ...section(11, [1, 1, 1, 7]),
  ]);
}

interface Metered {
  run(argument: number): number;
  readonly left: { value: number };
  readonly memory: Uint8Array;
}

function link(binary: Uint8Array): Metered {
  const module = new api.Module(writeSections(addMeter(readSections(binary))));
  const exports = new api.Instance(module, {}).exports as Record<string, never>;
  const { run, memory } = exports as unknown as { run: (argument: number) => number; memory: { buffer: ArrayBuffer } };
  return { run, memory: new Uint8Array(memory.buffer), left: exports[STEPS_LEFT_EXPORT] as unknown as Metered["left"] };
}

/** Runs with a budget; what it took, or `trapped`. */
function stepsOf(metered: Metered, argument: number, budget = 1_000_000): number | "trapped" {
  metered.left.value = budget;
  try {
    metered.run(argument);
  } catch (error) {
    assert.match(String(error), /RuntimeError: unreachable/);
    assert.ok(metered.left.value < 0);
    return "trapped";
  }
  return budget - metered.left.value;
}

const endless = [0x03, 0x40, 0x0c, 0, END, ...GET_0]; // loop br 0 end
// loop: if it is not zero, take one off, and again
const countDown = [0x03, 0x40, ...GET_0, 0x04, 0x40, ...GET_0, 0x41, 1, 0x6b, 0x21, 0, 0x0c, 1, END, END, ...GET_0];
// calls function 1 until its argument is zero, which takes one off and calls function 0
const callsOther = (other: number): number[] => [
  ...[...GET_0, 0x04, I32, ...GET_0, 0x41, 1, 0x6b, 0x10, other],
  ...[0x05, 0x41, 42, END],
];

describe("work without end", () => {
  const rows: readonly (readonly [what: string, options: Options])[] = [
    ["a loop", { functions: [endless] }],
    ["a loop in a loop", { functions: [[0x03, 0x40, 0x03, 0x40, 0x0c, 1, END, END, ...GET_0]] }],
    ["a function that calls itself", { functions: [[...GET_0, 0x10, 0]] }],
    [
      "functions that call each other",
      {
        functions: [
          [...GET_0, 0x10, 1],
          [...GET_0, 0x10, 0],
        ],
      },
    ],
    ["a function that calls itself through the table", { functions: [[...GET_0, 0x41, 0, 0x11, 0, 0]] }],
    [
      "a loop that calls a small function",
      { functions: [[0x03, 0x40, ...GET_0, 0x10, 1, 0x1a, 0x0c, 0, END, ...GET_0], GET_0] },
    ],
    ["a loop that ends by a table of branches", { functions: [[0x03, 0x40, ...GET_0, 0x0e, 1, 0, 0, END, ...GET_0]] }],
  ];
  for (const [what, options] of rows)
    it(`${what} ends with its budget`, () => {
      const metered = link(assemble(options));
      assert.equal(stepsOf(metered, 1, 2_000), "trapped");
      assert.ok(metered.left.value > -1_000, `${metered.left.value}`);
    });

  it("a start function without end does not come back from linking, and then traps", () => {
    const binary = assemble({ functions: [GET_0, [0x03, 0x40, 0x0c, 0, END]], start: 1 });
    assert.throws(() => link(binary), /unreachable/);
  });
});

describe("steps", () => {
  it("are as many as turns of a loop, the same every time", () => {
    const metered = link(assemble({ functions: [countDown] }));
    const [none, some, many] = [0, 100, 10_000].map((turns) => stepsOf(metered, turns)) as [number, number, number];
    assert.equal(many - none, (some - none) * 100);
    assert.equal(stepsOf(metered, 100), some);
  });

  it("are taken from a recursion at each of its calls", () => {
    const metered = link(assemble({ functions: [callsOther(1), callsOther(0)] }));
    const [few, many] = [10, 100].map((depth) => stepsOf(metered, depth)) as [number, number];
    assert.ok(many > few * 5, `${few}, ${many}`);
    assert.equal(metered.run(3), 42);
  });

  it("of a long stretch behind a branch are taken only when it is reached", () => {
    const long = Array.from({ length: 4_000 }, () => [0x41, 1, 0x1a]).flat();
    const metered = link(assemble({ functions: [[...GET_0, 0x04, 0x40, ...long, END, ...GET_0]] }));
    const [short, whole] = [0, 1].map((argument) => stepsOf(metered, argument)) as [number, number];
    assert.ok(short < 20 && whole >= 250, `${short}, ${whole}`);
  });

  it("of bulk memory are as many as its bytes are long", () => {
    // memory.fill(0, 7, n), memory.copy(0, 0, n), memory.init(0, 0, n mod 2), table.init and table.copy of nothing
    const bulk = [
      ...[0x41, 0, 0x41, 7, ...GET_0, 0xfc, 11, 0],
      ...[0x41, 0, 0x41, 0, ...GET_0, 0xfc, 10, 0, 0],
      ...[0x41, 0, 0x41, 0, ...GET_0, 0x41, 1, 0x71, 0xfc, 8, 0, 0],
      ...[0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 14, 0, 0],
      ...GET_0,
    ];
    const metered = link(assemble({ functions: [bulk] }));
    const [few, many] = [8, 65_528].map((bytes) => stepsOf(metered, bytes)) as [number, number];
    assert.equal(many - few, (2 * (65_528 - 8)) / 8);
    assert.deepEqual([...metered.memory.subarray(0, 3)], [7, 7, 7]);
    assert.equal(stepsOf(metered, 65_536, 100), "trapped");
    metered.left.value = 2 ** 31 - 1;
    assert.throws(() => metered.run(-1), /out of bounds/, "the counter does not go round");
  });

  it("leave a function's locals, parameters and results as they were", () => {
    const locals = [2, 3, I32, 2, 0x7e]; // three i32, two i64
    const code = [
      ...GET_0,
      0x21,
      3,
      0x03,
      0x40,
      0x20,
      3,
      0x41,
      1,
      0x6b,
      0x22,
      3,
      0x0d,
      0,
      END,
      ...GET_0,
      0x20,
      3,
      0x6a,
    ];
    assert.equal(link(assemble({ functions: [code], locals })).run(30_000), 30_000);
  });
});

describe("the counter", () => {
  it("comes behind the module's own globals, or is the first", () => {
    const own = [I32, 1, 0x41, 5, END];
    const reads = [0x23, 0];
    assert.equal(link(assemble({ functions: [reads], globals: [own] })).run(0), 5);
    assert.ok(link(assemble({ functions: [GET_0] })).left.value > 0);
  });
});

describe("what cannot be measured is refused", () => {
  const rows: readonly (readonly [what: string, code: readonly number[], names: RegExp])[] = [
    ["a vector", [0xfd, 12, ...new Array<number>(16).fill(0), 0x1a, ...GET_0], /instruction 0xfd/],
    ["a tail call", [...GET_0, 0x12, 0], /instruction 0x12/],
    ["a reference", [0xd0, 0x70, 0x1a, ...GET_0], /instruction 0xd0/],
    ["an atomic", [0xfe, 3, 0, ...GET_0], /instruction 0xfe/],
    ["a table that grows", [0xd0, 0x70, ...GET_0, 0xfc, 15, 0], /instruction 0x(?:d0|fc 15)/],
    ["an exception", [0x06, 0x40, END, ...GET_0], /instruction 0x06/],
    ["a typed select", [...GET_0, ...GET_0, ...GET_0, 0x1c, 1, I32], /instruction 0x1c/],
    ["a block that gives a reference", [0x02, 0x70, 0x00, END, 0x1a, ...GET_0], /block of references/],
    ["a memory by number", [...GET_0, 0x28, 0x42, 0, 0], /more than one memory/],
  ];
  for (const [what, code, names] of rows)
    it(what, () => assert.throws(() => addMeter(readSections(assemble({ functions: [code] }))), names));

  it("locals of other types", () => {
    const binary = assemble({ functions: [GET_0], locals: [1, 1, 0x70] });
    assert.throws(() => addMeter(readSections(binary)), /local variable of references/);
  });

  it("a module that ends too soon, wherever it is cut", () => {
    const binary = assemble({ functions: [countDown, callsOther(0)] });
    for (let length = 0; length < binary.length; length++) {
      try {
        addMeter(readSections(binary.subarray(0, length)));
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      }
    }
  });
});

describe("OPA's modules", () => {
  let wasm: Uint8Array;
  before(async () => {
    wasm = (await compileFixtures({ p: { rego: 'package p\nq if regex.match("a+", input.x)' } })).p;
  });

  it("are written back byte by byte as they were read", () => {
    assert.ok(Buffer.from(writeSections(readSections(wasm))).equals(wasm));
  });

  it("grow by less than a fifth", () => {
    const grown = writeSections(addMeter(readSections(wasm))).length / wasm.length;
    assert.ok(grown > 1.01 && grown < 1.2, `${grown}`);
  });
});
