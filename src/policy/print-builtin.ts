// `print(…)` of Rego, which the compiler turns into `internal.print([{…}, …])`: each operand is the set of its values,
// empty when it is undefined. SPEC: OPA v1/topdown/print.go; a line for each combination of the operands' values.

import type { Builtin } from "./builtins/builtin.ts";
import { printValue, RegoSet, type Value } from "./value.ts";

/** The name that compiled modules call. */
export const PRINT_BUILTIN = "internal.print";

/** Most lines of one call. SECURITY: combinations of a request's lists multiply. */
const MAX_LINES = 1_000;

/** The builtin; each line goes to `onPrint`. */
export function createPrintBuiltin(onPrint: (line: string) => void): Builtin {
  return ([operands], { once }) => {
    for (const line of toLines(Array.isArray(operands) ? operands : [])) once(() => onPrint(line));
    return undefined;
  };
}

function toLines(operands: readonly Value[]): string[] {
  let lines: string[][] = [[]];
  for (const operand of operands) {
    const values = operand instanceof RegoSet ? operand.values : [operand];
    const texts = values.length === 0 ? ["<undefined>"] : values.map(toText);
    lines = lines.flatMap((line) => texts.map((text) => [...line, text])).slice(0, MAX_LINES);
  }
  return lines.map((line) => line.join(" "));
}

const toText = (value: Value): string => (typeof value === "string" ? value : printValue(value));
