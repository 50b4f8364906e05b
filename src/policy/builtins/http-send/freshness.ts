// How long an answer may be used again. SPEC: OPA's reading of RFC 9111 (v1/topdown/http.go): `no-store`, `max-age` counted from
// the answer's own `Date`, else `Expires`; which statuses may be kept. `Vary`, `private`, `s-maxage` are not looked at, as in OPA.

import { BuiltinError } from "../builtin.ts";
import { parseTime } from "../time-parse.ts";
import type { HttpAnswer } from "./response.ts";

/** SPEC: RFC 7231 §6.1, as OPA lists them. */
const KEPT_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501]);

/** Go's `http.ParseTime`. */
const DATE_LAYOUTS = ["Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 MST", "Mon Jan _2 15:04:05 2006"];

const MAX_AGE_SECONDS = 2_147_483_647n;

/** Go's zero time: an answer that says nothing is never fresh, but may be asked about again. */
export const NEVER_FRESH_NS = 0n;

/** Whether an answer may be kept; `isForced` overrules `no-store`. */
export const mayKeep = (answer: HttpAnswer, isForced: boolean): boolean =>
  KEPT_STATUSES.has(answer.statusCode) && (isForced || !cacheDirectives(answer).has("no-store"));

/** Until when an answer is fresh, nanoseconds since 1970. Throws BuiltinError when it contradicts itself. */
export function freshUntilNs(answer: HttpAnswer): bigint {
  const directives = cacheDirectives(answer);
  const maxAge = directives.get("max-age");
  if (maxAge === undefined) {
    const expires = firstOf(answer, "expires");
    return expires === "" ? NEVER_FRESH_NS : (parseHttpDate(expires) ?? NEVER_FRESH_NS);
  }
  if (!/^\d+$/.test(maxAge))
    throw new BuiltinError(`strconv.ParseUint: parsing ${JSON.stringify(maxAge)}: invalid syntax`);
  const date = firstOf(answer, "date");
  if (date === "") throw new BuiltinError("no date header");
  const dateNs = parseHttpDate(date);
  if (dateNs === undefined) throw new BuiltinError(`no date: ${JSON.stringify(date)}`);
  const seconds = BigInt(maxAge);
  return dateNs + (seconds < MAX_AGE_SECONDS ? seconds : MAX_AGE_SECONDS) * 1_000_000_000n;
}

/** SPEC: directives of the first `Cache-Control` header; names as they are written, in OPA too. */
export function cacheDirectives(answer: HttpAnswer): ReadonlyMap<string, string> {
  const directives = new Map<string, string>();
  for (const part of firstOf(answer, "cache-control").split(",")) {
    const text = part.replace(/^ +| +$/g, "");
    const [name = "", value, ...more] = text.split("=");
    if (text === "" || more.length > 0) continue;
    directives.set(value === undefined ? text : name.replace(/^ +| +$/g, ""), value ?? "");
  }
  return directives;
}

/** The first value of a header, "" without one. */
export const firstOf = (answer: HttpAnswer, name: string): string => answer.headers.get(name)?.[0] ?? "";

function parseHttpDate(text: string): bigint | undefined {
  for (const layout of DATE_LAYOUTS) {
    try {
      return parseTime(layout, text);
    } catch (error) {
      if (!(error instanceof BuiltinError)) throw error;
    }
  }
  return undefined;
}
