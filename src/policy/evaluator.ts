// Loads a policy and evaluates it: the one door to both engines. Whatever a caller gives is checked here (size, depth,
// one strictly valid JSON value), and whatever goes wrong comes out as a PolicyError with a code.
// Evaluation is one synchronous run: no promise, no timer, no I/O; but for builtins that ask outside (`waiting.ts`).

import { isUtf8 } from "node:buffer";
import { type Clock, systemClock } from "../base/clock.ts";
import type { BudgetPressure } from "./budget-pressure.ts";
import { type Builtin, type DecisionMemory, Unanswered } from "./builtins/builtin.ts";
import { findBuiltin } from "./builtins/index.ts";
import type { Engine, EngineOptions, EvaluationPhase } from "./engine.ts";
import { findJsonFault, replaceLoneSurrogates } from "./json-text.ts";
import { loadNativeEngine } from "./native-engine.ts";
import { loadOpaWasmEngine } from "./opa-wasm-engine.ts";
import { PolicyError } from "./policy-error.ts";
import { withPrint } from "./print-builtin.ts";
import { MAX_VALUE_DEPTH, toWellFormed } from "./value.ts";
import { MAX_WAIT_MS, WaitingRoom } from "./waiting.ts";
import { MAX_STEPS } from "./wasm-counter.ts";

/** Options of {@link loadPolicy}. */
export interface PolicyOptions {
  /** The data document, JSON text of one object. Default `{}`. */
  readonly data?: string;
  /** Where `time.now_ns()` and token checks take the time from; asked once per evaluation. Default: the machine's. */
  readonly clock?: Clock;
  /** `native` (default) is the host made here; `opa-wasm` is @open-policy-agent/opa-wasm, with its limits. */
  readonly engine?: "native" | "opa-wasm";
  /**
   * Most memory of the policy with its data (about 13 times its JSON text) and one evaluation. Default 256 MiB, at least
   * 1 MiB, at most 2 GiB. Reserved as address space at once; memory is taken as it is used.
   */
  readonly maxMemoryBytes?: number;
  /** Longest input in bytes of UTF-8. Default 4 MiB. */
  readonly maxInputBytes?: number;
  /** Deepest nesting of input and data. Default 2,000, at most 10,000; OPA's runtime recurses, and gives up at about 5,000. */
  readonly maxDepth?: number;
  /**
   * Most work of one evaluation, in steps: 2,000 to 5,000 are a microsecond. Default {@link DEFAULT_BUDGET_STEPS}, at most
   * 2³¹ - 1; more is `policy_budget`. Parsing the input is bounded by its length besides. `off` for trusted policies.
   */
  readonly budgetSteps?: number | "off";
  /** Lowers the budget while too much time goes into evaluations that use it up. Default: it stays as it is. */
  readonly pressure?: BudgetPressure;
  /** Hears of the steps of each evaluation as it ends, also of one that failed; not called when the budget is off. */
  readonly onSteps?: (steps: number) => void;
  /**
   * Makes an error of a builtin an error of the evaluation, `policy_builtin_error`, instead of undefined. Default false, as
   * in OPA: of a module that was not compiled with guards it catches the errors of the host's builtins only, and whoever
   * loads a module should not take half of it for the whole.
   */
  readonly strictBuiltinErrors?: boolean;
  /** Gets each line that the policy prints; must not throw. Default: nothing is done with them. */
  readonly onPrint?: (line: string) => void;
  /** Gets the notes of `trace`; must not throw. Default: nothing is done with them. */
  readonly onTrace?: (note: string) => void;
  /** Finds the builtins that OPA's runtime does not carry. Default: those of this package, without the network. */
  readonly findBuiltin?: (name: string) => Builtin | undefined;
  /** Most evaluations that wait for an answer from outside at a time; one more is `policy_overloaded`. Default 512. */
  readonly maxWaiting?: number;
}

/** Which rule to evaluate. */
export interface EvaluateOptions {
  /** As in {@link Policy.entrypoints}; default the first one. */
  readonly entrypoint?: string;
}

/** Which rule to evaluate, and how long to wait for what it asks outside. */
export interface EvaluateAsyncOptions extends EvaluateOptions {
  /** Ends the wait: the promise rejects with PolicyError `policy_timeout`, the signal's reason as its cause. */
  readonly signal?: AbortSignal;
  /** Longest wait, all questions together, milliseconds. Default and most: 60,000. */
  readonly timeoutMs?: number;
}

/** A loaded policy. */
export interface Policy {
  /** Names such as `envoy/authz/allow`, in the order of the module. */
  readonly entrypoints: readonly string[];
  /** Bytes of memory that the policy, its data and its largest evaluation have taken. */
  readonly memoryBytes: number;
  /** Steps that the last evaluation took, parsing its input not among them; 0 when the budget is off. */
  readonly lastSteps: number;
  /**
   * OPA's result set as JSON text: `[{"result":true}]`, or `[]` when the rule is undefined. Numbers are as written, sets
   * are sorted arrays. `input` is JSON text or its UTF-8 bytes; undefined is no input, unlike `null`.
   * Throws PolicyError; the next evaluation is not affected. A policy that asks outside needs `evaluateAsync`: here it
   * throws `policy_builtin_error`.
   */
  evaluate(input?: string | Uint8Array, options?: EvaluateOptions): string;
  /**
   * As `evaluate`, for policies that ask outside (`http.send`, `net.lookup_ip_addr`, or builtins of yours that call
   * `context.ask`): the evaluation runs again after each answer, at most 64 times, with the same time and random values.
   * Rejects with PolicyError.
   */
  evaluateAsync(input?: string | Uint8Array, options?: EvaluateAsyncOptions): Promise<string>;
  /** Replaces the data document, JSON text of one object. Throws PolicyError, and then the old one stays in force. */
  setData(dataJson: string): void;
}

/** A policy with the entry for callers that write their input themselves. */
export interface TrustingPolicy extends Policy {
  /**
   * As `evaluate`, for JSON text that the caller built: it is one strictly valid value by construction, so its grammar
   * is not checked again. Size, depth and memory stay bounded, and text that OPA's runtime cannot read is refused.
   * PERF: saves 2 µs per kilobyte.
   */
  evaluateTrusted(inputJson: string, entrypoint: string): string;
  /**
   * As `evaluateTrusted`, with a promise from a policy that asks outside and none from any other. `signal` is called only
   * when there is something to wait for, and ends the wait with `policy_timeout`.
   */
  evaluateOrWait(inputJson: string, entrypoint: string, signal: () => AbortSignal): string | Promise<string>;
}

const MIB = 1024 * 1024;
/** Budget of an evaluation where none is given: 4 to 10 ms. */
export const DEFAULT_BUDGET_STEPS = 20_000_000;
const ENGINES = new Map<string, (wasm: Uint8Array | object, options: EngineOptions) => Engine>([
  ["native", loadNativeEngine],
  ["opa-wasm", loadOpaWasmEngine],
]);

/**
 * Loads a policy from the bytes of its `policy.wasm`, or from a compiled WebAssembly.Module. Compiles and links at once,
 * 2 to 15 ms. Throws PolicyError: `policy_abi`, `policy_missing_builtin`, `policy_data_invalid`, `policy_memory`;
 * RangeError for an option out of range. `onPhase` is for `svidgate bench`.
 */
export function loadPolicy(
  wasm: Uint8Array | object,
  options: PolicyOptions = {},
  onPhase?: (phase: EvaluationPhase) => void,
): TrustingPolicy {
  const limits: Limits = {
    maxInputBytes: inRange("maxInputBytes", options.maxInputBytes ?? 4 * MIB, 1, 1024 * MIB),
    maxDepth: inRange("maxDepth", options.maxDepth ?? MAX_VALUE_DEPTH, 1, 10_000),
  };
  const onPrint = options.onPrint ?? (() => undefined);
  const find = withPrint(options.findBuiltin ?? findBuiltin, onPrint, options.onTrace);
  const budget = options.budgetSteps ?? DEFAULT_BUDGET_STEPS;
  const load = ENGINES.get(options.engine ?? "native");
  if (load === undefined) throw new RangeError(`engine: \`${options.engine}\` is neither native nor opa-wasm`);
  const engine = load(wasm, {
    data: checkData(options.data ?? "{}", limits.maxDepth),
    clock: options.clock ?? systemClock,
    maxMemoryBytes: inRange("maxMemoryBytes", options.maxMemoryBytes ?? 256 * MIB, MIB, 2048 * MIB),
    budgetSteps: budget === "off" ? budget : inRange("budgetSteps", budget, 1, MAX_STEPS),
    strictBuiltinErrors: options.strictBuiltinErrors ?? false,
    onPrint,
    findBuiltin: find,
    ...(onPhase && { onPhase }),
    ...(options.pressure && { pressure: options.pressure }),
    ...(options.onSteps && { onSteps: options.onSteps }),
  });
  const room = new WaitingRoom(inRange("maxWaiting", options.maxWaiting ?? 512, 1, 65_536));
  return new CheckedPolicy(engine, limits, room);
}

interface Limits {
  readonly maxInputBytes: number;
  readonly maxDepth: number;
}

class CheckedPolicy implements TrustingPolicy {
  readonly #engine: Engine;
  readonly #limits: Limits;
  readonly #room: WaitingRoom;

  constructor(engine: Engine, limits: Limits, room: WaitingRoom) {
    this.#engine = engine;
    this.#limits = limits;
    this.#room = room;
  }

  get entrypoints(): readonly string[] {
    return this.#engine.entrypoints;
  }

  get memoryBytes(): number {
    return this.#engine.memoryBytes;
  }

  get lastSteps(): number {
    return this.#engine.lastSteps;
  }

  evaluate(input?: string | Uint8Array, options: EvaluateOptions = {}): string {
    const text = input === undefined ? undefined : this.#checkInput(input);
    return this.#evaluateAtOnce(text, options.entrypoint ?? this.entrypoints[0] ?? "");
  }

  async evaluateAsync(input?: string | Uint8Array, options: EvaluateAsyncOptions = {}): Promise<string> {
    const timeoutMs = inRange("timeoutMs", options.timeoutMs ?? MAX_WAIT_MS, 0, MAX_WAIT_MS);
    const text = input === undefined ? undefined : this.#checkInput(input);
    const end = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => end.abort(options.signal?.reason);
    const outcome = this.#evaluateOrWait(text, options.entrypoint ?? this.entrypoints[0] ?? "", () => {
      if (options.signal?.aborted === true) onAbort();
      options.signal?.addEventListener("abort", onAbort, { once: true });
      timer = setTimeout(() => end.abort(new Error(`${timeoutMs} ms are over`)), timeoutMs);
      return end.signal;
    });
    try {
      return await outcome;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  evaluateTrusted(inputJson: string, entrypoint: string): string {
    this.#checkSize(inputJson);
    return this.#evaluateAtOnce(replaceLoneSurrogates(inputJson), entrypoint);
  }

  evaluateOrWait(inputJson: string, entrypoint: string, signal: () => AbortSignal): string | Promise<string> {
    this.#checkSize(inputJson);
    return this.#evaluateOrWait(replaceLoneSurrogates(inputJson), entrypoint, signal);
  }

  #evaluateOrWait(input: string | undefined, entrypoint: string, signal: () => AbortSignal): string | Promise<string> {
    const engine = this.#engine;
    const run = (memory?: DecisionMemory): string => engine.evaluate(input, entrypoint, memory);
    try {
      return run();
    } catch (error) {
      if (error instanceof Unanswered) return this.#room.seeThrough(error, run, signal());
      throw error;
    }
  }

  #evaluateAtOnce(input: string | undefined, entrypoint: string): string {
    try {
      return this.#engine.evaluate(input, entrypoint);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      const why = "has to wait for its answer: evaluate with `evaluateAsync`";
      throw new PolicyError("policy_builtin_error", `${error.question.about}: ${why}`);
    }
  }

  setData(dataJson: string): void {
    this.#engine.setData(checkData(dataJson, this.#limits.maxDepth));
  }

  #checkInput(input: string | Uint8Array): string {
    const text = typeof input === "string" ? input : this.#decode(input);
    this.#checkSize(text);
    const fault = findJsonFault(text, this.#limits.maxDepth);
    if (fault?.kind === "too_deep")
      throw new PolicyError("policy_input_too_large", `input: nested deeper than ${this.#limits.maxDepth}`);
    if (fault !== undefined)
      throw new PolicyError("policy_input_invalid", `input: not one JSON value: stops at character ${fault.at}`);
    return replaceLoneSurrogates(text);
  }

  #checkSize(text: string): void {
    const { maxInputBytes } = this.#limits;
    // PERF: a UTF-16 unit is at most three bytes, so most texts need no measuring.
    if (text.length * 3 > maxInputBytes && Buffer.byteLength(text) > maxInputBytes) throw tooLarge(maxInputBytes);
  }

  #decode(input: Uint8Array): string {
    if (!(input instanceof Uint8Array)) throw new PolicyError("policy_input_invalid", "input: neither text nor bytes");
    if (input.length > this.#limits.maxInputBytes) throw tooLarge(this.#limits.maxInputBytes);
    if (!isUtf8(input)) throw new PolicyError("policy_input_invalid", "input: not UTF-8");
    return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("utf8");
  }
}

const tooLarge = (maxBytes: number): PolicyError =>
  new PolicyError("policy_input_too_large", `input: longer than ${maxBytes} bytes`);

function checkData(json: string, maxDepth: number): string {
  const fault = typeof json === "string" ? findJsonFault(json, maxDepth) : { kind: "invalid", at: 0 };
  if (fault !== undefined) {
    const what =
      fault.kind === "too_deep" ? `nested deeper than ${maxDepth}` : `not JSON: stops at character ${fault.at}`;
    throw new PolicyError("policy_data_invalid", `data: ${what}`);
  }
  if (!json.trimStart().startsWith("{"))
    throw new PolicyError("policy_data_invalid", "data: not an object: policies read members of `data`");
  return replaceLoneSurrogates(toWellFormed(json));
}

function inRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name}: \`${value}\` is not a whole number from ${min} to ${max}`);
}
