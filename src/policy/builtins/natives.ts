// The builtins that OPA's WASM module brings along, where the host has a say: those that it answers in their place,
// because the module's own are wrong or end the evaluation, and those whose errors it learns of (native-guard.ts).
// Only modules of our compiler ask for either, under names that no policy can call.

import { BUILTIN_FAILED, type CompileRequest, HOST_PREFIX } from "../compiler/index.ts";
import type { Builtin, BuiltinFamily } from "./builtin.ts";
import { base64Natives } from "./native-base64.ts";
import { globNatives } from "./native-glob.ts";
import { builtinFailed, FALLIBLE_NATIVES } from "./native-guard.ts";
import { jsonNatives } from "./native-json.ts";
import { jsonPathNatives } from "./native-json-paths.ts";
import { regexNatives } from "./native-regex.ts";
import { textNatives } from "./native-text.ts";
import { valueNatives } from "./native-values.ts";

const always: BuiltinFamily = {
  ...base64Natives,
  ...globNatives,
  ...jsonNatives,
  ...jsonPathNatives,
  ...regexNatives,
  ...valueNatives,
};
const replacements: ReadonlyMap<string, Builtin> = new Map(Object.entries({ ...always, ...textNatives }));

/** The builtins of the module that the host answers instead, sorted. */
const HOSTED: readonly string[] = Object.keys(always).sort();

/** PERF: only the empty text is a fault of the module's own, and a text of the source that is not empty is the usual case. */
const HOSTED_UNLESS_CONSTANT: Readonly<Record<string, number>> = { indexof: 1, replace: 1 };

const GUARDED = FALLIBLE_NATIVES.filter((name) => !HOSTED.includes(name));

type NativeRequest = Pick<CompileRequest, "hostBuiltins" | "hostUnlessConstant" | "guardedBuiltins">;

/**
 * What every compilation of Rego that svidgate runs itself asks for. `strict` puts guards behind the builtins of the
 * module, so that their errors are heard of.
 */
export const nativeRequest = (strict: boolean): NativeRequest => ({
  hostBuiltins: HOSTED,
  hostUnlessConstant: HOSTED_UNLESS_CONSTANT,
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
