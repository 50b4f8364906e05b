// The parts of Node's WebAssembly that evaluation needs. @types/node does not declare them, and the DOM library would
// let browser globals into every file.

/** A compiled module (`WebAssembly.Module`); opaque, may be shared with workers. */
export type WasmModule = object;

/** A linear memory. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** An exported global. */
export interface WasmGlobal {
  value: number;
}

/** What an import or export of a module is. */
export interface WasmItem {
  readonly module?: string;
  readonly name: string;
  readonly kind: string;
}

type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface WasmApi {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly WasmItem[];
    exports(module: WasmModule): readonly WasmItem[];
  };
  readonly Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: unknown };
  validate(bytes: Uint8Array): boolean;
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => WasmMemory;
}

/** Node's WebAssembly. */
export const wasm: WasmApi = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;
