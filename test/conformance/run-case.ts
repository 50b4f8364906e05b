// Evaluates one compiled case on one of the engines, with strict mode off, and with the builtins that OPA's tests bring.

import type { Builtin } from "../../src/policy/builtins/builtin.ts";
import { findBuiltin } from "../../src/policy/builtins/index.ts";
import { loadPolicy, type PolicyOptions, type TrustingPolicy } from "../../src/policy/evaluator.ts";
import { createNetworkBuiltins } from "../../src/policy/network-builtins.ts";
import { PolicyError } from "../../src/policy/policy-error.ts";
import { RegoNumber, RegoObject } from "../../src/policy/value.ts";
import { type Compiled, QUERY_ENTRYPOINT } from "./compile-cases.ts";
import type { Outcome } from "./judge.ts";
import type { TestCase } from "./test-case.ts";

/** `native` or `opa-wasm`. */
export type EngineName = NonNullable<PolicyOptions["engine"]>;

/** Evaluates the case once. Rejects for faults only. */
export async function runCase(testCase: TestCase, compiled: Compiled, engine: EngineName): Promise<Outcome> {
  if (!compiled.ok) return { kind: "unusable", why: `does not compile: ${compiled.message}` };
  let policy: TrustingPolicy;
  try {
    policy = loadPolicy(compiled.wasm, {
      data: testCase.data,
      engine,
      strictBuiltinErrors: false,
      maxMemoryBytes: MEMORY_BYTES,
      findBuiltin: createBuiltins(),
    });
  } catch (error) {
    if (error instanceof PolicyError) return { kind: "unusable", why: `does not load: ${error.message}` };
    throw error;
  }
  try {
    return { kind: "result", json: await evaluate(policy, testCase.input) };
  } catch (error) {
    if (error instanceof PolicyError) return { kind: "error", error };
    throw error;
  }
}

/** Inputs are Rego value text, since some hold sets, and so they go in by the door that does not check for JSON. */
function evaluate(policy: TrustingPolicy, input: string | undefined): string | Promise<string> {
  const entrypoint = QUERY_ENTRYPOINT;
  if (input === undefined) return policy.evaluateAsync(undefined, { entrypoint });
  return policy.evaluateOrWait(input, entrypoint, () => AbortSignal.timeout(MAX_WAIT_MS));
}

/** PERF: each case has an instance of its own, and their memory is what the collector has to work for. */
const MEMORY_BYTES = 8 * 1024 * 1024;

/** For cases that ask outside: the look-ups of `localhost`. */
const MAX_WAIT_MS = 10_000;

/** As without limits: cases look up addresses and `localhost`, and call `http.send` with what it refuses. */
const NETWORK = createNetworkBuiltins({ httpSend: { allowedHosts: ["*"] }, netLookup: { allowedHosts: ["*"] } });

/** Ours, and those that OPA's own tests declare. SPEC: external_test.go, addTestSleepBuiltin; assets/test.js. */
function createBuiltins(): (name: string) => Builtin | undefined {
  let calls = 0;
  const added: Readonly<Record<string, Builtin>> = {
    // What the host tells of itself; in OPA's tests it tells nothing.
    "opa.runtime": () => RegoObject.of([]),
    "test.sleep": () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10); // the clock goes on, the evaluation's does not
      return null;
    },
    custom_builtin_test: ([operand]) =>
      operand instanceof RegoNumber ? RegoNumber.of(operand.toNumber() + 1) : undefined,
    custom_builtin_test_impure: () => "foo",
    custom_builtin_test_memoization: () => {
      if (calls++ > 0) throw new Error("should have been memoized");
      return RegoNumber.of(100);
    },
  };
  return (name) => added[name] ?? NETWORK.find(name) ?? findBuiltin(name);
}
