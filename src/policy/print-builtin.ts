// `print(…)` of Rego, which the compiler turns into `internal.print([{…}, …])`: each operand is the set of its values,
// empty when it is undefined. SPEC: OPA v1/topdown/print.go; a line for each combination of the operands' values.

import type { Builtin } from "./builtins/builtin.ts";
import { printValue, RegoSet, type Value } from "./value.ts";

/** The name that compiled modules call. */
export const PRINT_BUILTIN = "internal.print";

/** Most lines of one call. SECURITY: combinations of a request's lists multiply. */
const MAX_LINES = 1_000;
/** Most characters of all its lines together; the lines behind are left out. */
const MAX_CHARS = 1_048_576;

/** Finds what `find` finds, and `print`, whose lines go to `onPrint`, and `trace`, whose notes go to `onTrace`. */
export function withPrint(
  find: (name: string) => Builtin | undefined,
  onPrint: (line: string) => void,
  onTrace: ((note: string) => void) | undefined,
): (name: string) => Builtin | undefined {
  const print = createPrintBuiltin(onPrint);
  return (name) => {
    if (name === PRINT_BUILTIN) return print;
    const builtin = find(name);
    return name === "trace" && builtin !== undefined && onTrace !== undefined ? told(builtin, onTrace) : builtin;
  };
}

/** A builtin that answers as `builtin`, and whose first operand goes to `tell`. */
const told =
  (builtin: Builtin, tell: (note: string) => void): Builtin =>
  (args, context) => {
    const answer = builtin(args, context);
    const [note] = args;
    if (typeof note === "string") context.once(() => tell(note));
    return answer;
  };

/** The builtin; each line goes to `onPrint`. */
function createPrintBuiltin(onPrint: (line: string) => void): Builtin {
  return ([operands], { once }) => {
    let left = MAX_CHARS;
    for (const parts of toLines(Array.isArray(operands) ? operands : [])) {
      left -= parts.reduce((sum, part) => sum + part.length + 1, 0);
      if (left < 0) break;
      once(() => onPrint(parts.join(" ")));
    }
    return undefined;
  };
}

function toLines(operands: readonly Value[]): readonly (readonly string[])[] {
  let lines: string[][] = [[]];
  for (const operand of operands) {
    const values = operand instanceof RegoSet ? operand.values.slice(0, MAX_LINES) : [operand];
    const texts = values.length === 0 ? ["<undefined>"] : values.map(toText);
    // SECURITY: cut before they are combined, so that two sets of a request are not multiplied first.
    const kept = lines.slice(0, Math.ceil(MAX_LINES / texts.length));
    lines = kept.flatMap((line) => texts.map((text) => [...line, text])).slice(0, MAX_LINES);
  }
  return lines;
}

const toText = (value: Value): string => (typeof value === "string" ? value : printValue(value));
