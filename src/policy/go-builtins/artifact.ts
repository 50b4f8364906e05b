// Loads the module of Go builtins, once per process and only for a policy that calls one of them: go-builtins/ of the
// package, checked and unpacked as the compiler is.

import { join } from "node:path";
import { packageRoot } from "../../base/package-root.ts";
import { loadArtifact } from "../compiler/artifact.ts";
import { PolicyError } from "../policy-error.ts";
import { wasm } from "../wasm-api.ts";
import { GoReactor } from "./reactor.ts";

const ARTIFACT = { file: "builtins.wasm.br", what: "the module of Go builtins" };

let shared: GoReactor | undefined;

/** The process's instance; makes it at the first call (0.3 to 0.5 s). Throws PolicyError `policy_missing_builtin`. */
export function sharedReactor(): GoReactor {
  shared ??= loadReactor(join(packageRoot(), "go-builtins"));
  return shared;
}

/** Whether a policy has needed the module yet. */
export function isReactorLoaded(): boolean {
  return shared !== undefined;
}

/** An instance of its own from the artifact of `folder`. Throws PolicyError `policy_missing_builtin`. */
export function loadReactor(folder: string): GoReactor {
  try {
    return new GoReactor(new wasm.Module(loadArtifact(folder, ARTIFACT)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PolicyError("policy_missing_builtin", `the builtins that run OPA's Go code cannot be loaded: ${why}`, {
      cause: error,
    });
  }
}
