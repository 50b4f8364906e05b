// Reads a stream of YAML documents (package yaml) as written: nodes with tags, anchors and styles, scalars as text, aliases not
// followed. What scalars mean, merge keys and what an alias stands for is the caller's affair.

import { type Document, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from "yaml";
import { fail, ok, type Result } from "./result.ts";

/** One node of a document. `tag` is a full tag (`tag:yaml.org,2002:int`, `!local`), absent when none is written. */
export type YamlTree = YamlProperties &
  (
    | { readonly kind: "scalar"; readonly text: string; readonly isPlain: boolean }
    | { readonly kind: "list"; readonly items: readonly YamlTree[] }
    | { readonly kind: "map"; readonly entries: readonly (readonly [key: YamlTree, value: YamlTree])[] }
    | { readonly kind: "alias"; readonly anchor: string }
  );

/** What any node but an alias may carry. */
export interface YamlProperties {
  readonly tag?: string;
  /** The name that aliases call it by. */
  readonly name?: string;
}

/** Deepest nesting; the parser recurses. */
const MAX_DEPTH = 200;
const DEEP = `nested deeper than ${MAX_DEPTH} levels`;

/**
 * Parses all documents, whose roots may be missing; a failure's detail is a clause. PERF: the parser takes up to 7 µs a
 * character, so callers bound the text.
 */
export function parseYamlStream(text: string): Result<readonly (YamlTree | undefined)[], "yaml_syntax"> {
  if (nestsDeeply(text)) return fail("yaml_syntax", DEEP);
  const documents: readonly Document.Parsed[] = parseAllDocuments(text, {
    schema: "failsafe",
    resolveKnownTags: false,
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  for (const { errors } of documents) {
    if (errors[0] !== undefined) return fail("yaml_syntax", errors[0].message.split("\n")[0] ?? "");
  }
  const unended = text.endsWith("\n") ? -1 : text.length;
  const trees = documents.map(({ contents }) => (contents === null ? undefined : toTree(contents, unended)));
  return ok(trees);
}

/**
 * SECURITY: deep text is refused before it is parsed: brackets that stay open (those in strings and comments count too), and
 * indentation, where every level takes a column, or a marker.
 */
function nestsDeeply(text: string): boolean {
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x5b || unit === 0x7b) open++;
    else if ((unit === 0x5d || unit === 0x7d) && open > 0) open--;
    if (open > MAX_DEPTH) return true;
  }
  return DEEP_LINE.test(text);
}

/** The column may hold text that is no level; such text is refused too. */
const DEEP_LINE = new RegExp(`^(?: {${MAX_DEPTH}}|(?:[ \\t]*[-?:](?=[ \\t\\r\\n])){${MAX_DEPTH}})`, "m");

/** `unended` is where a text ends that ends without a line break. */
function toTree(node: unknown, unended: number): YamlTree {
  if (isAlias(node)) return { kind: "alias", anchor: node.source };
  if (isScalar(node)) {
    const value = typeof node.value === "string" ? node.value : "";
    const isPlain = node.type === "PLAIN" || node.type === undefined;
    // A block's last line has no break when the text has none; the parser adds one.
    const isUnended = node.type?.startsWith("BLOCK") === true && node.range?.[1] === unended;
    return { kind: "scalar", text: isUnended ? value.replace(/\n$/, "") : value, isPlain, ...properties(node) };
  }
  const each = (part: unknown): YamlTree => toTree(part, unended);
  if (isSeq(node)) return { kind: "list", items: node.items.map(each), ...properties(node) };
  if (isMap(node)) {
    const entries = node.items.map(({ key, value }) => [each(key), each(value)] as const);
    return { kind: "map", entries, ...properties(node) };
  }
  return { kind: "scalar", text: "", isPlain: true };
}

function properties(node: { readonly tag?: string; readonly anchor?: string }): YamlProperties {
  const { tag, anchor } = node;
  return { ...(tag === undefined ? {} : { tag }), ...(anchor === undefined ? {} : { name: anchor }) };
}
