// The values of Rego: what builtins take and return, and what results are printed from. This file is the door; the
// parts behind it are the model with OPA's order, numbers that keep their text, strings as bytes, a reader and two printers.

export { fromBytes, fromLatin1, isWellFormed, joinBytes, toBytes, toLatin1, toWellFormed } from "./value/bytes.ts";
export {
  compareStrings,
  compareValues,
  type Entry,
  RegoObject,
  RegoSet,
  type Value,
} from "./value/model.ts";
export { RegoNumber } from "./value/number.ts";
export { MAX_VALUE_DEPTH, parseDump, parseValue } from "./value/parse.ts";
export { keepText, printValue, printValueWith, toJson } from "./value/print.ts";
export { ValueSyntaxError } from "./value/syntax-error.ts";
