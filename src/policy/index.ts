// The package export `svidgate/policy`: Rego policies compiled to WASM, evaluated in Node. examples/policy.mjs uses it.

import {
  type EvaluateAsyncOptions,
  type EvaluateOptions,
  loadPolicy as load,
  type Policy,
  type PolicyOptions,
} from "./evaluator.ts";

/**
 * Loads a policy from the bytes of a `policy.wasm`, as `svidgate build` or `opa build -t wasm` writes it, or from a
 * compiled WebAssembly.Module, which cannot be given a budget (`budgetSteps: "off"`). Synchronous, 2 to 15 ms. Throws PolicyError: `policy_abi`, `policy_missing_builtin`,
 * `policy_data_invalid`, `policy_memory`; RangeError for an option out of range.
 */
export const loadPolicy: (wasm: Uint8Array | object, options?: PolicyOptions) => Policy = load;

export type { Clock } from "../base/clock.ts";
export { BudgetPressure } from "./budget-pressure.ts";
export { type Answer, type Builtin, type BuiltinContext, BuiltinError, type Question } from "./builtins/builtin.ts";
export {
  createNetworkBuiltins,
  type HttpSendOptions,
  type NetworkBuiltins,
  type NetworkOptions,
  type NetworkPorts,
} from "./network-builtins.ts";
export { POLICY_ERROR_MEANINGS, PolicyError, type PolicyErrorCode } from "./policy-error.ts";
export { compareValues, parseValue, printValue, RegoNumber, RegoObject, RegoSet, toJson, type Value } from "./value.ts";
export type { EvaluateAsyncOptions, EvaluateOptions, Policy, PolicyOptions };
