// The counter of the module of Go builtins, on a module of three functions.

import assert from "node:assert/strict";
import { it } from "node:test";
import { FUEL_EXPORT, meterGoModule, STATE_EXPORT } from "../../../../src/policy/go-builtins/meter.ts";
import { wasm } from "../../../../src/policy/wasm-api.ts";

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
const body = (...code: number[]): number[] => [code.length + 1, 0, ...code];

/** `loop(n)` goes round n times, `plain()` does nothing, `fill(n)` sets n bytes; one global of 64 bits, which is 5. */
const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, 2, 0x60, 1, 0x7f, 0, 0x60, 0, 0),
  ...section(3, 3, 0, 1, 0),
  ...section(5, 1, 0, 1),
  ...section(6, 1, 0x7e, 1, 0x42, 5, 0x0b),
  ...section(7, 4, ...name("loop"), 0, 0, ...name("plain"), 0, 1, ...name("fill"), 0, 2, ...name("memory"), 2, 0),
  ...section(
    10,
    3,
    ...body(0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x0b),
    ...body(0x0b),
    ...body(0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 11, 0, 0x0b),
  ),
]);

interface Metered {
  readonly loop: (times: number) => void;
  readonly plain: () => void;
  readonly fill: (bytes: number) => void;
  readonly fuel: { value: number };
  readonly state: { value: bigint };
}

function instantiate(): Metered {
  const { exports } = new wasm.Instance(new wasm.Module(meterGoModule(MODULE)), {});
  const all = exports as Record<string, unknown>;
  return { ...all, fuel: all[FUEL_EXPORT], state: all[`${STATE_EXPORT}0`] } as unknown as Metered;
}

function unitsOf(run: (module: Metered) => void): number {
  const module = instantiate();
  module.fuel.value = 1_000_000;
  run(module);
  return 1_000_000 - module.fuel.value;
}

it("takes a unit for each round of a loop, for a call without a loop, and for 32 bytes", () => {
  assert.equal(
    unitsOf((module) => module.loop(1)),
    1,
  );
  assert.equal(
    unitsOf((module) => module.loop(1_000)),
    1_000,
  );
  assert.equal(
    unitsOf((module) => module.plain()),
    1,
  );
  assert.equal(
    unitsOf((module) => module.fill(31)),
    1,
  );
  assert.equal(
    unitsOf((module) => module.fill(65_536)),
    1 + 2_048,
  );
});

it("traps when the units are used up, and works again with new ones", () => {
  const module = instantiate();
  module.fuel.value = 100;
  assert.throws(() => module.loop(101), /unreachable/);
  assert.equal(module.fuel.value, -1);
  assert.throws(() => module.plain(), /unreachable/);
  module.fuel.value = 100;
  module.loop(100);
  assert.equal(module.fuel.value, 0);
});

it("lets a copy take more than there is, and traps at the next unit", () => {
  const module = instantiate();
  module.fuel.value = 2;
  module.fill(65_536);
  assert.ok(module.fuel.value < 0);
  assert.throws(() => module.plain(), /unreachable/);
});

it("exports the module's own globals, to be read and set", () => {
  const { state } = instantiate();
  assert.equal(state.value, 5n);
  state.value = 7n;
  assert.equal(state.value, 7n);
});

it("refuses what is no module, and a module that is cut off", () => {
  assert.throws(() => meterGoModule(Uint8Array.of(1, 2, 3)), Error);
  assert.throws(() => meterGoModule(MODULE.subarray(0, MODULE.length - 3)), Error);
});
