// The request target as `input.parsed_path` and `input.parsed_query`, by the plugin's rules (Go's `net/url`, go1.26):
// split at the first `?`, percent-decode the whole path, strip every leading `/`, split at `/`. No normalisation: dots,
// empty segments and encoded slashes are the policy's to judge (what the policy sees is what the upstream gets).
// Queries and forms share their grammar: `&` separates, `;` and bad escapes are errors.

import { fail, ok, type Result } from "../base/result.ts";
import { fromByteText, quoteGo, quoteJson, toByteText } from "./byte-text.ts";

/** SPEC: go1.26 `net/url`: more `&`-separated parameters than this are refused. */
const MAX_QUERY_PARAMETERS = 10_000;

/** The JSON texts of `parsed_path` and `parsed_query`, and the decoded segments as byte texts. */
export interface ParsedTarget {
  readonly segments: readonly string[];
  readonly pathJson: string;
  readonly queryJson: string;
}

/** Parses `attributes.request.http.path`. The detail of `request_malformed` is the plugin's sentence. */
export function parseTarget(target: string): Result<ParsedTarget, "request_malformed"> {
  const text = toByteText(target);
  const mark = text.indexOf("?");
  const path = percentDecode(mark < 0 ? text : text.slice(0, mark), false);
  if (!path.ok) return path;
  let slashes = 0;
  while (path.value.charCodeAt(slashes) === 0x2f) slashes++;
  const segments = path.value.slice(slashes).split("/");
  const pathJson = `[${segments.map((segment) => quoteJson(fromByteText(segment))).join(",")}]`;
  if (mark < 0) return ok({ segments, pathJson, queryJson: "{}" });
  const query = parseQuery(text.slice(mark + 1));
  return query.ok ? ok({ segments, pathJson, queryJson: query.value }) : query;
}

/** Parses a query or an urlencoded form, given as byte text, into the JSON text of an object of string arrays. */
export function parseQuery(query: string): Result<string, "request_malformed"> {
  const pairs = query.split("&", MAX_QUERY_PARAMETERS + 1);
  if (pairs.length > MAX_QUERY_PARAMETERS) {
    return fail("request_malformed", "number of URL query parameters exceeded limit");
  }
  const values = new Map<string, string>();
  // SPEC: a `;` anywhere in a later pair is reported in preference to an earlier bad escape.
  let problem: Result<never, "request_malformed"> | undefined;
  for (const pair of pairs) {
    if (pair.includes(";")) {
      problem = fail("request_malformed", "invalid semicolon separator in query");
      continue;
    }
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const key = percentDecode(equals < 0 ? pair : pair.slice(0, equals), true);
    if (!key.ok) {
      problem ??= key;
      continue;
    }
    const value = percentDecode(equals < 0 ? "" : pair.slice(equals + 1), true);
    if (!value.ok) {
      problem ??= value;
      continue;
    }
    const name = fromByteText(key.value);
    const before = values.get(name);
    const text = quoteJson(fromByteText(value.value));
    values.set(name, before === undefined ? text : `${before},${text}`);
  }
  if (problem !== undefined) return problem;
  let json = "";
  for (const [name, texts] of values) json += `,${quoteJson(name)}:[${texts}]`;
  return ok(`{${json.slice(1)}}`);
}

/** Percent-decodes a byte text; `plusIsSpace` in queries and forms. */
function percentDecode(text: string, plusIsSpace: boolean): Result<string, "request_malformed"> {
  const plain = plusIsSpace && text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!text.includes("%")) return ok(plain);
  const bad = /%(?![0-9a-fA-F]{2})/.exec(text);
  if (bad !== null) {
    return fail("request_malformed", `invalid URL escape ${quoteGo(text.slice(bad.index, bad.index + 3))}`);
  }
  return ok(plain.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}
