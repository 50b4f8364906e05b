// The policy in force: one compiled module with its data and the facts that audit and metrics name it by.

/**
 * Which errors of builtins end an evaluation: `all`; those of the `host`'s builtins alone, where the module came compiled
 * and without guards behind its own; none, `off`.
 */
export type StrictErrors = "all" | "host" | "off";

/** A loaded policy, bound to one entrypoint. */
export interface ActivePolicy {
  /** The manifest's revision, or `sha256:` and 12 hex digits of module and data. */
  readonly revision: string;
  /** Path of the deciding rule below `data`, such as `envoy/authz/allow`. */
  readonly entrypoint: string;
  readonly wasmSha256: string;
  readonly strictErrors: StrictErrors;
  /** When it came into force, milliseconds since 1970. */
  readonly activatedUnixMs: number;
  /**
   * Evaluates the entrypoint over the input document (JSON text) and gives OPA's result set as JSON text; a promise where
   * the policy asks outside (`http.send`), whose wait the signal ends. `signal` is called only then.
   * Throws PolicyError, or rejects with it; after the signal with `policy_timeout`.
   */
  evaluate(inputJson: string, signal: () => AbortSignal): string | Promise<string>;
  /** Lets go of what it holds outside (connections), as soon as no evaluation waits any more. */
  close(): void;
}
