// `regex.template_match`: text outside of delimiters stands for itself, what is between them is a regular expression.
// SPEC: OPA v1/topdown/regex_template.go (delimiters nest; each expression must be one by itself).

import { toWellFormed } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { goQuote } from "./go-text.ts";
import { stringOperand } from "./operands.ts";
import { compilePattern, matchesSomewhere } from "./regex.ts";

/** Most expressions of a template; each is compiled by itself too. */
const MAX_EXPRESSIONS = 100;

/** Go's `regexp.QuoteMeta`. */
const quoteMeta = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");

function toPattern(template: string, [open, close]: readonly [string, string], spend: BuiltinContext["spend"]): string {
  let pattern = "^";
  let end = 0;
  let start = 0;
  let level = 0;
  let expressions = 0;
  for (let at = 0; at < template.length; at++) {
    if (template[at] === open) {
      if (++level === 1) start = at;
    } else if (template[at] === close) {
      if (--level < 0) break;
      if (level > 0) continue;
      const expression = template.slice(start + 1, at);
      if (++expressions > MAX_EXPRESSIONS)
        throw new BuiltinError(`template of more than ${MAX_EXPRESSIONS} expressions`);
      compilePattern(`^${expression}$`, spend);
      pattern += `${quoteMeta(template.slice(end, start))}(${expression})`;
      end = at + 1;
    }
  }
  if (level !== 0) throw new BuiltinError(`unbalanced braces in ${goQuote(template)}`);
  return `${pattern}${quoteMeta(template.slice(end))}$`;
}

function checkDelimiter(text: string, which: string): string {
  const length = Buffer.byteLength(text);
  if (length !== 1) {
    throw new BuiltinError(`${which} delimiter has to be exactly one character long but is ${length} long`);
  }
  return text;
}

/** `regex.template_match(template, value, delimiter_start, delimiter_end)`. */
export const regexTemplateBuiltins: BuiltinFamily = {
  "regex.template_match"(args, { spend }) {
    const template = toWellFormed(stringOperand(args, 0));
    const text = stringOperand(args, 1);
    const [open, close] = [stringOperand(args, 2), stringOperand(args, 3)];
    const delimiters = [checkDelimiter(open, "start"), checkDelimiter(close, "end")] as const;
    return matchesSomewhere(compilePattern(toPattern(template, delimiters, spend), spend), text, spend);
  },
};
