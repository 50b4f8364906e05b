// The few parts of the WebAssembly API that running the compiler needs. @types/node does not declare it,
// and the DOM library would let browser globals into every file.

/** A compiled module; opaque. */
export type WasmModule = object;

/** Named imports of one import module. */
export type WasmImports = Readonly<Record<string, (...parameters: never[]) => unknown>>;

/** The memory that an instance exports; `buffer` is another object after each growth. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

interface WasmApi {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, WasmImports>>,
  ) => { readonly exports: unknown };
}

/** Node's WebAssembly. */
export const wasm: WasmApi = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

/** A WASI command: its start function and its memory. */
export interface WasiCommand {
  readonly _start: () => void;
  readonly memory: WasmMemory;
}

const SECTION_MEMORY = 5;
const HEADER_BYTES = 8;

/**
 * The same module with `maxPages` (64 KiB each) as the limit of its memory. Throws when the module has no
 * memory of its own or needs more from the start.
 * SECURITY: Go's linker sets no limit, so without this a hostile policy could take 4 GiB.
 */
export function limitMemory(binary: Uint8Array, maxPages: number): Uint8Array {
  for (let at = HEADER_BYTES; at < binary.length; ) {
    const id = binary[at];
    const [size, start] = readLeb(binary, at + 1);
    if (id !== SECTION_MEMORY) {
      at = start + size;
      continue;
    }
    const [minPages] = readLeb(binary, start + 2); // after the count of memories and the flags
    if (minPages > maxPages)
      throw new Error(`memory limit: the module needs ${minPages} pages, ${maxPages} are allowed`);
    const content = [1, 1, ...leb(minPages), ...leb(maxPages)];
    const section = [SECTION_MEMORY, ...leb(content.length), ...content];
    const end = start + size;
    const limited = new Uint8Array(at + section.length + binary.length - end);
    limited.set(binary.subarray(0, at));
    limited.set(section, at);
    limited.set(binary.subarray(end), at + section.length);
    return limited;
  }
  throw new Error("memory limit: the module has no memory section");
}

/** Unsigned LEB128: the value and the offset behind it. */
function readLeb(bytes: Uint8Array, offset: number): [value: number, next: number] {
  let value = 0;
  for (let at = offset, factor = 1; at < offset + 5; at++, factor *= 128) {
    const byte = bytes[at];
    if (byte === undefined) break;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at + 1];
  }
  throw new Error("memory limit: the module is cut off");
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
