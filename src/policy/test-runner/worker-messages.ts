// What the thread that evaluates tests is given and what it says.

import type { NetworkOptions } from "../network-builtins.ts";
import type { BegunCase, Step } from "./cases.ts";
import type { Covered } from "./coverage.ts";

export type { Step };

/** Given to the thread at its start. */
export interface WorkerTask {
  readonly wasm: Uint8Array;
  /** The data document, JSON text. */
  readonly data: string;
  /** Most memory of one evaluation. */
  readonly maxMemoryBytes: number;
  /** What to evaluate, in this order. */
  readonly entrypoints: readonly string[];
  /** What they may reach outside. */
  readonly network: NetworkOptions;
  readonly strictBuiltinErrors: boolean;
}

/** What one evaluation gave. */
export interface Evaluation {
  /** The result set's only value as JSON text; absent when the rule is undefined or failed with `error`. */
  readonly value?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly durationMs: number;
  readonly output: readonly string[];
  /** The place of the last expression that was begun. */
  readonly step?: Step;
  readonly begun: readonly BegunCase[];
  /** What no test before it came to, when the module was compiled for coverage. */
  readonly covered: readonly Covered[];
}

/** Messages of the thread: `start` before each evaluation, its result after it; `refused` when the module cannot be loaded. */
export type WorkerMessage =
  | { readonly kind: "start"; readonly index: number }
  | { readonly kind: "done"; readonly index: number; readonly evaluation: Evaluation }
  | { readonly kind: "refused"; readonly problem: string };
