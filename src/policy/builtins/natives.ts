// The builtins that OPA's WASM module brings along, where the host has a say: those that it answers in their place,
// because the module's own are wrong or end the evaluation, and those whose errors it learns of (native-guard.ts).
// Only modules of our compiler ask for either, under names that no policy can call.

import { BUILTIN_FAILED, type CompileRequest, HOST_PREFIX } from "../compiler/index.ts";
import type { Builtin } from "./builtin.ts";
import { base64Natives } from "./native-base64.ts";
import { builtinFailed, FALLIBLE_NATIVES } from "./native-guard.ts";
import { jsonNatives } from "./native-json.ts";
import { valueNatives } from "./native-values.ts";

const replacements: ReadonlyMap<string, Builtin> = new Map(
  [base64Natives, jsonNatives, valueNatives].flatMap((family) => Object.entries(family)),
);

/** The builtins of the module that the host answers instead, sorted. */
export const HOST_NATIVES: readonly string[] = [...replacements.keys()].sort();

const GUARDED = FALLIBLE_NATIVES.filter((name) => !replacements.has(name));

/**
 * What every compilation of Rego that svidgate runs itself asks for. `strict` puts guards behind the builtins of the
 * module, so that their errors are heard of.
 */
export const nativeRequest = (strict: boolean): Pick<CompileRequest, "hostBuiltins" | "guardedBuiltins"> => ({
  hostBuiltins: HOST_NATIVES,
  ...(strict && { guardedBuiltins: GUARDED }),
});

/** The builtin of a name that only compiled modules use. */
export function findNative(name: string): Builtin | undefined {
  if (name === BUILTIN_FAILED) return builtinFailed;
  return name.startsWith(HOST_PREFIX) ? replacements.get(name.slice(HOST_PREFIX.length)) : undefined;
}

/** How errors name the builtin of that name. */
export const publicName = (name: string): string =>
  name.startsWith(HOST_PREFIX) ? name.slice(HOST_PREFIX.length) : name;
