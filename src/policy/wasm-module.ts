// Compiles a policy's WASM, with two changes to the bytes: its stack pointer becomes an export, and steps are counted
// (wasm-meter.ts). SECURITY: OPA's runtime keeps a stack of 64 KiB in linear memory and unwinds it only when functions
// return. A throw out of an import (an abort, a failing builtin) skips that, so each failed evaluation leaks up to 128
// bytes of it, and after 512 to 4,096 of them every evaluation would trap, for ever. With the export the host puts the
// pointer back after each throw. SPEC: WebAssembly core 5.5, binary modules.

import { PolicyError } from "./policy-error.ts";
import { type WasmModule, wasm } from "./wasm-api.ts";
import {
  appendEntry,
  contentOf,
  GLOBAL,
  I32,
  MUTABLE,
  reading,
  readSections,
  SECTION,
  type Section,
  toLeb,
  withContent,
  writeSections,
} from "./wasm-binary.ts";
import { addMeter, countImports, STEPS_LEFT_EXPORT } from "./wasm-meter.ts";
import { skipExpression } from "./wasm-opcodes.ts";

/** Name under which the stack pointer is exported. */
export const STACK_POINTER_EXPORT = "svidgate_stack_pointer";

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

/** How a module is compiled. */
export interface ModuleOptions {
  /** Count steps, so that evaluations have a budget. Default true. */
  readonly metered?: boolean;
}

/**
 * Compiles a policy's bytes, or takes a compiled module as it is (its instances are then replaced after a throw, unless
 * it came from here). Throws PolicyError `policy_abi` when it is no module of OPA's, or cannot be metered.
 */
export function compileModule(binary: Uint8Array | WasmModule, options: ModuleOptions = {}): WasmModule {
  const isMetered = options.metered ?? true;
  const module = binary instanceof Uint8Array ? compile(binary, isMetered) : binary;
  checkInterface(module);
  if (isMetered && !wasm.Module.exports(module).some(({ name }) => name === STEPS_LEFT_EXPORT)) {
    throw new PolicyError(
      "policy_abi",
      "a compiled module cannot be given a budget: load the policy from its bytes, or turn the budget off",
    );
  }
  return module;
}

function compile(binary: Uint8Array, isMetered: boolean): WasmModule {
  try {
    // SECURITY: valid before it is changed: a module could otherwise name the counter that it does not have yet.
    if (!wasm.validate(binary)) return new wasm.Module(binary); // which throws, and says why
    const sections = exportStackPointer(readSections(binary));
    return new wasm.Module(writeSections(isMetered ? meter(sections) : sections));
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    throw new PolicyError("policy_abi", "not a WebAssembly module: build the policy with `svidgate build`", {
      cause: error,
    });
  }
}

function meter(sections: readonly Section[]): readonly Section[] {
  try {
    return addMeter(sections);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    const hint = "build it with `svidgate build`, or turn the budget off if you trust it";
    throw new PolicyError("policy_abi", `the module's work cannot be bounded: it has ${what}; ${hint}`, {
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

/**
 * The sections with global 0 exported; as they were when that is not an i32, the module's one variable, or when there is
 * a global of another module before it.
 */
function exportStackPointer(sections: readonly Section[]): readonly Section[] {
  const exports = contentOf(sections, SECTION.export);
  const name = Buffer.from(STACK_POINTER_EXPORT);
  if (!hasOnlyStackPointer(sections) || Buffer.from(exports).includes(name)) return sections;
  const entry = [...toLeb(name.length), ...name, GLOBAL, 0x00];
  return withContent(sections, SECTION.export, appendEntry(exports, entry));
}

/** SECURITY: whatever else the module could change, a throw would leave half changed. */
function hasOnlyStackPointer(sections: readonly Section[]): boolean {
  const reader = reading(contentOf(sections, SECTION.global));
  try {
    for (let index = 0, count = reader.u32(); index < count; index++) {
      const [type, mutable] = [reader.byte(), reader.byte()];
      if ((mutable === MUTABLE) !== (index === 0) || (index === 0 && type !== I32)) return false;
      skipExpression(reader);
    }
    return reader.at > 1 && countImports(sections).globals === 0;
  } catch {
    return false; // globals of kinds that OPA's compiler does not write
  }
}
