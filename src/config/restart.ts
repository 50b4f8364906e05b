// Which changes of a configuration a running server cannot take up.

import { isDeepStrictEqual } from "node:util";
import type { Field } from "./field.ts";
import { type Config, FIELDS, type FieldName } from "./fields.ts";

/** The keys whose effective values differ and need a restart, in the table's order. */
export function changesThatNeedRestart(before: Config, after: Config): readonly string[] {
  return (Object.entries(FIELDS) as readonly (readonly [FieldName, Field<unknown>])[])
    .filter(([name, { live }]) => live !== true && !isDeepStrictEqual(before[name], after[name]))
    .map(([, { key }]) => key);
}
