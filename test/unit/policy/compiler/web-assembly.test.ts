import assert from "node:assert/strict";
import { it } from "node:test";
import { limitMemory, type WasiCommand, wasm } from "../../../../src/policy/compiler/web-assembly.ts";
import { section, wasmModule } from "../../../support/wasm-binary.ts";

/** Exports a memory of `min` pages and `grow`-like `_start` that does nothing. */
const withMemory = (limits: readonly number[]) => wasmModule({ limits, start: [] });

it("a module's memory cannot grow past the limit, and works below it", () => {
  const limited = limitMemory(withMemory([0, 1]), 3);
  const { memory } = new wasm.Instance(new wasm.Module(limited), {}).exports as WasiCommand;
  const growing = memory as unknown as { grow(pages: number): number; buffer: ArrayBuffer };
  assert.equal(growing.grow(2), 1);
  assert.equal(growing.buffer.byteLength, 3 * 65_536);
  assert.throws(() => growing.grow(1), RangeError);
});

it("replaces a limit that the module has of its own", () => {
  const limited = limitMemory(withMemory([1, 1, 9]), 300);
  const { memory } = new wasm.Instance(new wasm.Module(limited), {}).exports as WasiCommand;
  const growing = memory as unknown as { grow(pages: number): number };
  assert.equal(growing.grow(299), 1);
  assert.throws(() => growing.grow(1), RangeError);
});

it("refuses a module that starts with more than the limit", () => {
  assert.throws(() => limitMemory(withMemory([0, 5]), 4), /needs 5 pages, 4 are allowed/);
});

it("refuses a module without a memory", () => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  assert.throws(() => limitMemory(new Uint8Array(header), 4), /no memory section/);
  assert.throws(() => limitMemory(new Uint8Array([...header, ...section(1, [0])]), 4), /no memory section/);
});

it("fails with a sentence on every module that is cut off", () => {
  const whole = withMemory([0, 1]);
  for (let length = 0; length < whole.length; length++) {
    try {
      limitMemory(whole.subarray(0, length), 4);
    } catch (error) {
      assert.match(String(error), /memory limit: /, `${length} bytes`);
    }
  }
});
