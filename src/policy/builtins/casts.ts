// `cast_array`, `cast_boolean`, `cast_null`, `cast_object`, `cast_set`, `cast_string` (v1/topdown/casts.go): deprecated, and
// only Rego v0 has them. They check a type; arrays and sets also become each other.

import { RegoObject, RegoSet, type Value } from "../value.ts";
import type { Builtin, BuiltinFamily } from "./builtin.ts";
import { isArray, operandError } from "./operands.ts";

/** A cast that only lets values through. */
const check =
  (expected: string, isExpected: (value: Value | undefined) => boolean): Builtin =>
  (args) => {
    if (!isExpected(args[0])) throw operandError(args, 0, expected);
    return args[0];
  };

const EITHER = "one of {array, set}";

/** The six casts. */
export const castBuiltins: BuiltinFamily = {
  cast_array(args) {
    const [value] = args;
    if (value instanceof RegoSet) return value.values;
    if (!isArray(value)) throw operandError(args, 0, EITHER);
    return value;
  },
  cast_set(args) {
    const [value] = args;
    if (isArray(value)) return RegoSet.of(value);
    if (!(value instanceof RegoSet)) throw operandError(args, 0, EITHER);
    return value;
  },
  cast_string: check("string", (value) => typeof value === "string"),
  cast_boolean: check("boolean", (value) => typeof value === "boolean"),
  cast_null: check("null", (value) => value === null),
  cast_object: check("object", (value) => value instanceof RegoObject),
};
