// The builtins that this host adds to those inside OPA's WASM runtime, by name. docs/builtins.md lists them with every
// deviation. What is not here fails at compile time, since the compiler is told these names only.

import { awsBuiltins } from "./aws.ts";
import type { Builtin, BuiltinFamily } from "./builtin.ts";
import { cryptoBuiltins } from "./crypto.ts";
import { graphBuiltins } from "./graph.ts";
import { jwtBuiltins } from "./jwt.ts";
import { jwtSignBuiltins } from "./jwt-sign.ts";
import { netBuiltins } from "./net.ts";
import { numberBuiltins } from "./numbers.ts";
import { objectBuiltins } from "./object.ts";
import { regexBuiltins } from "./regex.ts";
import { semverBuiltins } from "./semver.ts";
import { sprintfBuiltins } from "./sprintf.ts";
import { stringBuiltins } from "./strings.ts";
import { timeBuiltins } from "./time.ts";
import { unitBuiltins } from "./units.ts";
import { urlQueryBuiltins } from "./url-query.ts";
import { uuidBuiltins } from "./uuid.ts";

export { type Builtin, type BuiltinContext, BuiltinError } from "./builtin.ts";

const FAMILIES: readonly BuiltinFamily[] = [
  awsBuiltins,
  cryptoBuiltins,
  graphBuiltins,
  jwtBuiltins,
  jwtSignBuiltins,
  netBuiltins,
  numberBuiltins,
  objectBuiltins,
  regexBuiltins,
  semverBuiltins,
  sprintfBuiltins,
  stringBuiltins,
  timeBuiltins,
  unitBuiltins,
  urlQueryBuiltins,
  uuidBuiltins,
];

const builtins: ReadonlyMap<string, Builtin> = new Map(FAMILIES.flatMap((family) => Object.entries(family)));

/** Every name, sorted: the host builtins that a policy may call. */
export const builtinNames: readonly string[] = [...builtins.keys()].sort();

/** The builtin of that name, or undefined. */
export const findBuiltin = (name: string): Builtin | undefined => builtins.get(name);
