// The builtins that this host adds to those inside OPA's WASM runtime, by name. docs/builtins.md lists them with every
// deviation. What is not here fails at compile time, since the compiler is told these names only.

import { goBuiltins, prepareGoBuiltin } from "../go-builtins/index.ts";
import { awsBuiltins } from "./aws.ts";
import type { Builtin, BuiltinFamily } from "./builtin.ts";
import { castBuiltins } from "./casts.ts";
import { cryptoBuiltins } from "./crypto.ts";
import { globsMatchBuiltins } from "./globs-match.ts";
import { graphBuiltins } from "./graph.ts";
import { jsonMarshalBuiltins } from "./json-marshal.ts";
import { jsonPatchBuiltins } from "./json-patch.ts";
import { jwtBuiltins } from "./jwt.ts";
import { jwtSignBuiltins } from "./jwt-sign.ts";
import { findNative } from "./natives.ts";
import { netBuiltins } from "./net.ts";
import { numberBuiltins } from "./numbers.ts";
import { objectBuiltins } from "./object.ts";
import { priced } from "./prices.ts";
import { regexBuiltins } from "./regex.ts";
import { regexTemplateBuiltins } from "./regex-template.ts";
import { semverBuiltins } from "./semver.ts";
import { sprintfBuiltins } from "./sprintf.ts";
import { stringBuiltins } from "./strings.ts";
import { timeBuiltins } from "./time.ts";
import { unitBuiltins } from "./units.ts";
import { uriBuiltins } from "./uri.ts";
import { urlQueryBuiltins } from "./url-query.ts";
import { uuidBuiltins } from "./uuid.ts";
import { yamlBuiltins } from "./yaml.ts";

export { type Builtin, type BuiltinContext, BuiltinError } from "./builtin.ts";
export { nativeRequest } from "./natives.ts";

const FAMILIES: readonly BuiltinFamily[] = [
  goBuiltins,
  awsBuiltins,
  castBuiltins,
  cryptoBuiltins,
  globsMatchBuiltins,
  graphBuiltins,
  jsonMarshalBuiltins,
  jsonPatchBuiltins,
  jwtBuiltins,
  jwtSignBuiltins,
  netBuiltins,
  numberBuiltins,
  objectBuiltins,
  regexBuiltins,
  regexTemplateBuiltins,
  semverBuiltins,
  sprintfBuiltins,
  stringBuiltins,
  timeBuiltins,
  unitBuiltins,
  uriBuiltins,
  urlQueryBuiltins,
  uuidBuiltins,
  yamlBuiltins,
];

const builtins: ReadonlyMap<string, Builtin> = new Map(
  FAMILIES.flatMap((family) => Object.entries(family)).map(([name, run]) => [name, priced(name, run)]),
);

/** Every name, sorted: the host builtins that a policy may call. */
export const builtinNames: readonly string[] = [...builtins.keys()].sort();

/**
 * The builtin of that name, or undefined. For a policy that will call it: what the builtin needs is loaded here, so that
 * no request waits for it. Throws PolicyError `policy_missing_builtin` when that fails.
 */
export function findBuiltin(name: string): Builtin | undefined {
  prepareGoBuiltin(name);
  const native = builtins.has(name) ? undefined : findNative(name);
  return native === undefined ? builtins.get(name) : priced(name, native);
}
