// Compiles a policy's WASM, with one change to the bytes: its stack pointer becomes an export. SECURITY: OPA's runtime
// keeps a stack of 64 KiB in linear memory and unwinds it only when functions return. A throw out of an import (an
// abort, a failing builtin) skips that, so each failed evaluation leaks up to 128 bytes of it, and after 512 to 4,096
// of them every evaluation would trap, for ever. With the export the host puts the pointer back after each throw.
// SPEC: WebAssembly core 5.5, binary modules. The code is not read.

import { PolicyError } from "./policy-error.ts";
import { type WasmModule, wasm } from "./wasm-api.ts";

/** Name under which the stack pointer is exported. */
export const STACK_POINTER_EXPORT = "svidgate_stack_pointer";

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const GLOBAL_SECTION = 6;
const EXPORT_SECTION = 7;
const GLOBAL = 0x03;
const I32 = 0x7f;
const MUTABLE = 0x01;

/** What OPA's modules may import; `opa_eval_ctx_*` and `eval` are called so that an unreadable input is seen. */
const IMPORTS = new Set([
  "memory",
  "opa_abort",
  "opa_println",
  "opa_builtin0",
  "opa_builtin1",
  "opa_builtin2",
  "opa_builtin3",
  "opa_builtin4",
]);

/** What the host calls. */
const EXPORTS = [
  "opa_malloc",
  "opa_heap_ptr_get",
  "opa_heap_ptr_set",
  "opa_json_parse",
  "opa_value_parse",
  "opa_value_dump",
  "opa_eval_ctx_new",
  "opa_eval_ctx_set_input",
  "opa_eval_ctx_set_data",
  "opa_eval_ctx_set_entrypoint",
  "opa_eval_ctx_get_result",
  "eval",
  "builtins",
  "entrypoints",
];

/**
 * Compiles a policy's bytes, or takes a compiled module as it is (its instances are then replaced after a throw, unless
 * it came from here). Throws PolicyError `policy_abi` when it is no module of OPA's.
 */
export function compileModule(binary: Uint8Array | WasmModule): WasmModule {
  const module = binary instanceof Uint8Array ? compile(binary) : binary;
  checkInterface(module);
  return module;
}

function compile(binary: Uint8Array): WasmModule {
  try {
    const patched = exportStackPointer(binary);
    const module = new wasm.Module(patched ?? binary);
    // INVARIANT: global 0 is the first one of the module itself only when none is imported.
    const importsGlobal = wasm.Module.imports(module).some((item) => item.kind === "global");
    return patched !== undefined && importsGlobal ? new wasm.Module(binary) : module;
  } catch (error) {
    throw new PolicyError("policy_abi", "not a WebAssembly module: build the policy with `svidgate build`", {
      cause: error,
    });
  }
}

function checkInterface(module: WasmModule): void {
  const refuse = (what: string): PolicyError =>
    new PolicyError("policy_abi", `not a policy of OPA's compiler: ${what}; build it with \`svidgate build\``);
  let imports: ReturnType<typeof wasm.Module.imports>;
  try {
    imports = wasm.Module.imports(module);
  } catch (error) {
    throw new PolicyError("policy_abi", "neither bytes nor a WebAssembly.Module", { cause: error });
  }
  for (const { module: from = "", name } of imports)
    if (from !== "env" || !IMPORTS.has(name)) throw refuse(`it imports \`${from}.${name}\``);
  const functions = new Set<string>();
  for (const item of wasm.Module.exports(module)) if (item.kind === "function") functions.add(item.name);
  for (const name of EXPORTS) if (!functions.has(name)) throw refuse(`it does not export \`${name}\``);
}

/** The bytes with global 0 exported; undefined when there is no such global, or no place to name it. */
function exportStackPointer(binary: Uint8Array): Uint8Array | undefined {
  if (!MAGIC_AND_VERSION.every((byte, index) => binary[index] === byte)) return undefined;
  for (let at = MAGIC_AND_VERSION.length; at < binary.length; ) {
    const section = binary[at];
    const [size, start] = readLeb(binary, at + 1);
    const end = start + size;
    if (section === GLOBAL_SECTION) {
      const [, first] = readLeb(binary, start);
      if (binary[first] !== I32 || binary[first + 1] !== MUTABLE) return undefined;
    }
    if (section === EXPORT_SECTION) return appendExport(binary, at, start, end);
    at = end;
  }
  return undefined;
}

function appendExport(binary: Uint8Array, at: number, start: number, end: number): Uint8Array | undefined {
  const name = Buffer.from(STACK_POINTER_EXPORT);
  if (Buffer.from(binary.buffer, binary.byteOffset + start, end - start).includes(name)) return undefined;
  const [count, entries] = readLeb(binary, start);
  const body = Buffer.concat([
    Buffer.from(leb(count + 1)),
    binary.subarray(entries, end),
    Buffer.from([name.length]),
    name,
    Buffer.from([GLOBAL, 0x00]),
  ]);
  const header = Buffer.from([EXPORT_SECTION, ...leb(body.length)]);
  return Buffer.concat([binary.subarray(0, at), header, body, binary.subarray(end)]);
}

/** Unsigned LEB128: the value and the offset behind it. */
function readLeb(bytes: Uint8Array, offset: number): [value: number, next: number] {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[offset + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return [value, offset + index + 1];
  }
  throw new Error(`not a number: at byte ${offset}`);
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...leb(Math.floor(value / 128))];
}
