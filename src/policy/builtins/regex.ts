// `regex.split`, `regex.replace` and `regex.find_n` in RE2 syntax, as Go's regexp; `glob.quote_meta`. SECURITY: patterns and texts may both
// come from requests, so the engine is re2js, whose time is linear in the text; JavaScript's RegExp is not, and it speaks
// another syntax.

import { createRequire } from "node:module";
import type { RE2JS } from "re2js";
import { isWellFormed, joinBytes, toWellFormed, type Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily, MAX_RESULT_CHARS } from "./builtin.ts";
import { createLru } from "./lru.ts";
import { int64Operand, stringOperand } from "./operands.ts";
import { meterSubject, toCompileSteps, toExcessSteps } from "./regex-cost.ts";

/** As many patterns as OPA keeps. */
const MAX_PATTERNS = 100;
/** Longest pattern; a compiled one takes a few hundred bytes per character. */
const MAX_PATTERN_CHARS = 16_384;

/** SECURITY: longer programs are not kept: patterns may come from requests, and `(x{100}){10}` is 1,000 instructions. */
const MAX_KEPT_INSTRUCTIONS = 10_000;

type Spend = BuiltinContext["spend"];

const patterns = createLru<RE2JS>(MAX_PATTERNS);

type Re2Module = typeof import("re2js");
let library: Re2Module | undefined;

/** PERF: 8 ms to load, so only for the policy that needs it; `require` because builtins are synchronous. */
function loadLibrary(): Re2Module {
  library ??= createRequire(import.meta.url)("re2js") as Re2Module;
  return library;
}

/** A pattern, compiled; remembers the latest 100. Throws BuiltinError, and what `spend` throws; without one it is paid for elsewhere. */
export function compilePattern(pattern: string, spend: Spend = () => undefined): RE2JS {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  if (!isWellFormed(pattern)) throw new BuiltinError("error parsing regexp: invalid UTF-8");
  if (pattern.length > MAX_PATTERN_CHARS) throw new BuiltinError("regular expression too long");
  spend(toCompileSteps(pattern));
  let compiled: RE2JS;
  try {
    compiled = loadLibrary().RE2JS.compile(pattern);
  } catch (error) {
    // Go's words, but for an end that Go quotes though nothing is there.
    const words = error instanceof Error ? error.message : "error parsing regexp";
    throw new BuiltinError(words.replace(/end of expression$/, "end of expression: ``"));
  }
  const instructions = compiled.programSize();
  spend(toExcessSteps(pattern, instructions));
  if (instructions <= MAX_KEPT_INSTRUCTIONS) patterns.set(pattern, compiled);
  return compiled;
}

/** Whether the pattern matches somewhere in the text. */
export function matchesSomewhere(pattern: RE2JS, text: string, spend: Spend): boolean {
  const subject = meterSubject(toWellFormed(text), pattern.programSize(), spend);
  subject.charge();
  const isFound = pattern.matcher(subject.text).find();
  subject.charge();
  return isFound;
}

/** A match: `groups[0]` is the whole; a group that took no part is null. */
interface Match {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | null)[];
}

/**
 * Successive matches by Go's rule: an empty match right behind the match before it does not count.
 * With `withGroups` the groups are read too. A byte that is no UTF-8 matches as U+FFFD, as in Go, and stays what it is.
 */
function* findMatches(pattern: RE2JS, text: string, withGroups: boolean, spend: Spend): Generator<Match> {
  const subject = meterSubject(toWellFormed(text), pattern.programSize(), spend); // of the same length
  const matcher = pattern.matcher(subject.text);
  const groupOf = (group: number): string | null =>
    matcher.start(group) < 0 ? null : text.slice(matcher.start(group), matcher.end(group));
  const groupCount = withGroups ? pattern.groupCount() : 0;
  let previousEnd = -1;
  for (let at = 0; at <= text.length; ) {
    subject.charge();
    if (!matcher.find(at)) break;
    const start = matcher.start();
    const end = matcher.end();
    const isEmpty = end === at;
    if (!isEmpty || start !== previousEnd) {
      const groups = Array.from({ length: groupCount + 1 }, (_, group) => groupOf(group));
      yield { start, end, groups };
    }
    // An empty match at `at` moves on by one code point.
    at = isEmpty ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : end;
    previousEnd = end;
  }
  subject.charge();
}

function split(pattern: string, text: string, spend: Spend): string[] {
  const compiled = compilePattern(pattern, spend);
  if (pattern !== "" && text === "") return [""];
  const parts: string[] = [];
  let start = 0;
  let end = 0;
  for (const match of findMatches(compiled, text, false, spend)) {
    end = match.start;
    if (match.end !== 0) parts.push(text.slice(start, end));
    start = match.end;
  }
  if (end !== text.length) parts.push(text.slice(start));
  return parts;
}

/** Literal text, or the number of a group. */
type TemplatePart = string | number;

/**
 * Go's replacement template: `$1`, `$name`, `${name}` and `$$`; anything else behind `$` is itself, and a name that no
 * group has is nothing. SECURITY: read once and not per match, or template and text of one request would multiply.
 */
function parseTemplate(template: string, names: ReadonlyMap<string, number>): readonly TemplatePart[] {
  const parts: TemplatePart[] = [];
  let literal = 0;
  for (const match of template.matchAll(/\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))?/gu)) {
    parts.push(template.slice(literal, match.index));
    literal = match.index + match[0].length;
    const name = match[1] ?? match[2];
    const group = name === undefined ? "$" : /^(?:0|[1-9][0-9]{0,7})$/.test(name) ? Number(name) : names.get(name);
    if (group !== undefined) parts.push(group);
  }
  parts.push(template.slice(literal));
  return parts.filter((part) => part !== "");
}

const expand = (parts: readonly TemplatePart[], { groups }: Match): string =>
  parts.map((part) => (typeof part === "string" ? part : (groups[part] ?? ""))).join("");

/** Parts and groups, times matches, that one call may take; a template of a thousand groups may stand for nothing. */
const MAX_EXPANSIONS = 4_194_304;

function replace(text: string, pattern: string, template: string, spend: Spend): string {
  const compiled = compilePattern(pattern, spend);
  const parsed = parseTemplate(template, new Map(Object.entries(compiled.namedGroups())));
  const parts: string[] = [];
  let length = 0;
  let expansions = 0;
  let end = 0;
  for (const match of findMatches(compiled, text, true, spend)) {
    const replacement = expand(parsed, match);
    length += match.start - end + replacement.length;
    expansions += parsed.length + match.groups.length;
    if (length > MAX_RESULT_CHARS || expansions > MAX_EXPANSIONS)
      throw new BuiltinError("regex.replace: result too long");
    parts.push(text.slice(end, match.start), replacement);
    end = match.end;
  }
  parts.push(text.slice(end));
  return joinBytes(parts.join(""));
}

function findN(pattern: string, text: string, limit: bigint, spend: Spend): Value {
  const compiled = compilePattern(pattern, spend);
  const found: string[] = [];
  if (limit === 0n) return found;
  for (const match of findMatches(compiled, text, false, spend)) {
    found.push(text.slice(match.start, match.end));
    if (limit > 0n && BigInt(found.length) >= limit) break;
  }
  return found;
}

/** `regex.split`, `regex.replace`, `regex.find_n`, and `glob.quote_meta`. */
export const regexBuiltins: BuiltinFamily = {
  "regex.split": (args, { spend }) => split(stringOperand(args, 0), stringOperand(args, 1), spend),
  "regex.replace": (args, { spend }) =>
    replace(stringOperand(args, 0), stringOperand(args, 1), stringOperand(args, 2), spend),
  "regex.find_n": (args, { spend }) =>
    findN(stringOperand(args, 0), stringOperand(args, 1), int64Operand(args, 2), spend),
  "glob.quote_meta": (args) => stringOperand(args, 0).replace(/[*?\\[\]{}]/g, "\\$&"),
};
