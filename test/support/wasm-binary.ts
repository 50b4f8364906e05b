// Small WebAssembly modules, written byte by byte, for tests of what runs them.

/** A section of a module: its id, its size (below 128 bytes), its content. */
export const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];

/** A command that exports `memory` (limits as the binary format writes them) and `_start` with these instructions. */
export function wasmModule(options: {
  readonly limits: readonly number[];
  readonly start: readonly number[];
}): Uint8Array {
  const name = (text: string) => [text.length, ...Buffer.from(text)];
  const body = [0, ...options.start, 0x0b]; // no locals; instructions; end
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]), // one type: () → ()
    ...section(3, [1, 0]), // one function of it
    ...section(5, [1, ...options.limits]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("_start"), 0, 0]),
    ...section(10, [1, body.length, ...body]),
  ]);
}
