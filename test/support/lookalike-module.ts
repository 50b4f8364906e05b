// A WebAssembly module with the exports of OPA's compiler and nothing behind them. SPEC: WebAssembly core 5.5.

const EXPORTS = [
  ...["opa_malloc", "opa_heap_ptr_get", "opa_heap_ptr_set", "opa_json_parse", "opa_value_parse", "opa_value_dump"],
  ...["opa_eval_ctx_new", "opa_eval_ctx_set_input", "opa_eval_ctx_set_data", "opa_eval_ctx_set_entrypoint"],
  ...["opa_eval_ctx_get_result", "eval", "builtins", "entrypoints"],
];
const I32 = 0x7f;
const I64 = 0x7e;

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
const section = (id: number, bytes: readonly number[]): number[] => [
  id,
  (bytes.length & 0x7f) | 0x80,
  bytes.length >>> 7,
  ...bytes,
];

/** Its functions take a 64-bit integer (`wrong_type`), or have the right type and trap (`traps`). */
export function lookalikeModule(kind: "wrong_type" | "traps"): Uint8Array {
  const body = kind === "wrong_type" ? [0x41, 0x00] : [0x00];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 1, kind === "wrong_type" ? I64 : I32, 1, I32]),
    ...section(3, [1, 0]),
    ...section(6, [1, I32, 1, 0x41, 0, 0x0b]),
    ...section(7, [EXPORTS.length, ...EXPORTS.flatMap((text) => [...name(text), 0, 0])]),
    ...section(10, [1, body.length + 2, 0, ...body, 0x0b]),
  ]);
}
