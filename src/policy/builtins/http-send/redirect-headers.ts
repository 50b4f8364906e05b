// The headers of a redirected request. SPEC: Go's net/http `makeHeadersCopier` and `refererForURL`: those of the first
// request, without credentials once the way has led to another domain, and without those of a body that is not sent again.

import type { HeaderList } from "./request.ts";
import type { Target } from "./target.ts";

const SENSITIVE: ReadonlySet<string> = new Set([
  "Authorization",
  "Www-Authenticate",
  "Cookie",
  "Cookie2",
  "Proxy-Authorization",
  "Proxy-Authenticate",
]);
const OF_BODY: ReadonlySet<string> = new Set([
  "Content-Encoding",
  "Content-Language",
  "Content-Location",
  "Content-Type",
]);

/** One hop of the way. */
export interface HopChange {
  readonly from: Target;
  readonly to: Target;
  /** Whether the way has led to another domain. */
  readonly isStripped: boolean;
  readonly dropsBody: boolean;
}

/** What of the first request's headers goes on. */
export function stripForHop(headers: HeaderList, { from, to, isStripped, dropsBody }: HopChange): HeaderList {
  const kept = headers.filter(([name]) => !(isStripped && SENSITIVE.has(name)) && !(dropsBody && OF_BODY.has(name)));
  if (from.scheme === "https" && to.scheme === "http") return kept;
  if (kept.some(([name]) => name === "Referer")) return kept;
  return [...kept, ["Referer", `${from.scheme}://${from.authority}${from.requestUri}`]];
}
