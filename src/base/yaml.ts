// Reads YAML 1.2 documents (package yaml), bounded against alias bombs and deep nesting, integers exact: as plain values,
// or as nodes that know where they stand in the text.

import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";
import { fail, ok, type Result } from "./result.ts";

/** What a YAML document holds: JSON's values, with integers beyond 2^53 as bigint. */
export type YamlValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue };

/** Parses one document; `detail` of a failure holds line and column. JSON is read too, but `1.0` becomes `1`. */
export function parseYaml(text: string): Result<YamlValue, "yaml_syntax"> {
  const document = parseDocument(text, { intAsBigInt: true, uniqueKeys: true, prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) return fail("yaml_syntax", problem.message.split("\n")[0] ?? "not a YAML document");
  try {
    return ok(document.toJS({ maxAliasCount: 100 }) as YamlValue);
  } catch (error) {
    return fail("yaml_syntax", (error as Error).message);
  }
}

/** A node of a document; `offset` is where it begins in the text. Aliases are resolved. */
export type YamlNode =
  | { readonly kind: "scalar"; readonly offset: number; readonly value: YamlScalar; readonly source: string }
  | { readonly kind: "list"; readonly offset: number; readonly items: readonly YamlNode[] }
  | { readonly kind: "map"; readonly offset: number; readonly entries: readonly YamlEntry[] };

/** A scalar's value; its `source` is the text that was written, without quotes. */
export type YamlScalar = null | boolean | number | bigint | string;

/** One entry of a map; `offset` is the key's. */
export interface YamlEntry {
  readonly key: string;
  readonly offset: number;
  readonly value: YamlNode;
}

/** Something wrong with a document, and where. */
export interface YamlProblem {
  readonly offset: number;
  readonly message: string;
}

/** A document as nodes, or all that is wrong with it. */
export type YamlNodes =
  | { readonly ok: true; readonly root: YamlNode }
  | { readonly ok: false; readonly problems: readonly YamlProblem[] };

const MAX_NODES = 10_000;
const MAX_DEPTH = 64;
const MAX_PROBLEMS = 20;

/** Parses one document into at most 10,000 nodes, 64 deep, aliases expanded; keys must be text and stand once. */
export function parseYamlNodes(text: string): YamlNodes {
  if (nestsDeeply(text)) return { ok: false, problems: [{ offset: 0, message: DEEP }] };
  const document = parseDocument(text, {
    intAsBigInt: true,
    // PERF: the parser compares every key with every other; `toNode` counts them once.
    uniqueKeys: false,
    stringKeys: true,
    prettyErrors: false,
  });
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) {
    return { ok: false, problems: wrong.slice(0, MAX_PROBLEMS).map(toProblem) };
  }
  try {
    return { ok: true, root: toNode(document, document.contents, { left: MAX_NODES }, 0, 0) };
  } catch (error) {
    if (!(error instanceof NodeProblem)) throw error;
    return { ok: false, problems: [{ offset: error.offset, message: error.message }] };
  }
}

const DEEP = `nested deeper than ${MAX_DEPTH} levels`;

class NodeProblem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/**
 * SECURITY: the parser recurses as deep as its text nests, so deep text is refused before: brackets that stay open (those in
 * strings and comments count too, which no sane document minds), and a line's indentation markers (`- - - …`, `? ? …`).
 */
function nestsDeeply(text: string): boolean {
  let open = 0;
  for (const line of text.split("\n")) {
    if (/^(?:[ \t]*[-?:](?=[ \t])){64}/.test(line) || /^ {512}/.test(line)) return true;
    for (const character of line) {
      if (character === "[" || character === "{") open++;
      else if ((character === "]" || character === "}") && open > 0) open--;
      if (open > 2 * MAX_DEPTH) return true;
    }
  }
  return false;
}

function toNode(
  document: Document.Parsed,
  node: unknown,
  budget: { left: number },
  near: number,
  depth: number,
): YamlNode {
  if (budget.left-- === 0) throw new NodeProblem(near, `more than ${MAX_NODES} values, aliases expanded`);
  if (depth > MAX_DEPTH) throw new NodeProblem(near, DEEP);
  if (node === null || node === undefined) return { kind: "scalar", offset: near, value: null, source: "" };
  if (isAlias(node)) {
    const offset = node.range?.[0] ?? near;
    const target = node.resolve(document);
    if (target === undefined) throw new NodeProblem(offset, `no anchor is named \`${node.source}\``);
    return { ...toNode(document, target, budget, offset, depth + 1), offset };
  }
  if (isScalar(node)) {
    const offset = node.range?.[0] ?? near;
    const value = node.value as YamlScalar;
    return { kind: "scalar", offset, value, source: node.source ?? String(value) };
  }
  if (isSeq(node)) {
    const offset = node.range?.[0] ?? near;
    return { kind: "list", offset, items: node.items.map((item) => toNode(document, item, budget, offset, depth + 1)) };
  }
  if (!isMap(node)) throw new NodeProblem(near, "neither a value, a list nor a map");
  const offset = node.range?.[0] ?? near;
  const seen = new Set<string>();
  const entries = node.items.map(({ key, value }): YamlEntry => {
    const at = isScalar(key) ? (key.range?.[0] ?? offset) : offset;
    if (!isScalar(key) || typeof key.value !== "string") throw new NodeProblem(at, "keys must be text");
    if (seen.has(key.value)) throw new NodeProblem(at, `\`${key.value}\` stands twice in one map`);
    seen.add(key.value);
    return { key: key.value, offset: at, value: toNode(document, value, budget, at, depth + 1) };
  });
  return { kind: "map", offset, entries };
}

/** The parser's words as a clause of ours: lower case, no final stop, no more than a line. */
function toProblem({
  code,
  message,
  pos,
}: {
  code: string;
  message: string;
  pos: readonly [number, number];
}): YamlProblem {
  if (code === "MULTIPLE_DOCS") return { offset: pos[0], message: "a second document begins here: keep one" };
  const [line = ""] = message.split("\n");
  return { offset: pos[0], message: (line.charAt(0).toLowerCase() + line.slice(1)).slice(0, 200).replace(/[.:]$/, "") };
}
