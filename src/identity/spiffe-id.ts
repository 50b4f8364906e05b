// SPIFFE IDs, strictly. SPEC: SPIFFE-ID §2: `spiffe://` trust domain, then segments; nothing is folded, decoded or repaired.
// SECURITY: never parsed as a URL: URL parsers strip tabs, lower-case hosts, resolve `..` and drop ports. IDs are compared as
// whole strings, trust domains by equality, path prefixes by segments.

import { fail, ok, type Result } from "../base/result.ts";

/** Why a text is no SPIFFE ID. */
export type SpiffeIdCode =
  | "empty"
  | "too_long"
  | "scheme"
  | "td_missing"
  | "td_too_long"
  | "td_char"
  | "empty_segment"
  | "trailing_slash"
  | "dot_segment"
  | "path_char";

/** A SPIFFE ID and its parts. */
export interface SpiffeId {
  /** The whole ID, as it was given. */
  readonly id: string;
  readonly trustDomain: string;
  /** From its `/` on; empty for the ID of a trust domain, which names no workload. */
  readonly path: string;
}

const SCHEME = "spiffe://";
/** SPEC: SPIFFE-ID §2.3: implementations must support 2048 bytes and should not make more. */
const MAX_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Reads one SPIFFE ID; of several faults the length of the whole is told first, then the trust domain's, then the path's leftmost. */
export function parseSpiffeId(text: string): Result<SpiffeId, SpiffeIdCode> {
  if (text === "") return fail("empty");
  if (text.length > MAX_BYTES) return fail("too_long");
  if (!text.startsWith(SCHEME)) return fail("scheme");
  const slash = text.indexOf("/", SCHEME.length);
  const end = slash < 0 ? text.length : slash;
  const trustDomain = text.slice(SCHEME.length, end);
  if (trustDomain === "") return fail("td_missing");
  if (!TRUST_DOMAIN.test(trustDomain)) return fail("td_char");
  if (trustDomain.length > MAX_TRUST_DOMAIN_BYTES) return fail("td_too_long");
  for (let start = end; start < text.length; ) {
    const next = text.indexOf("/", start + 1);
    const stop = next < 0 ? text.length : next;
    const segment = text.slice(start + 1, stop);
    if (segment === "") return fail(stop === text.length ? "trailing_slash" : "empty_segment");
    if (segment === "." || segment === "..") return fail("dot_segment");
    if (!SEGMENT.test(segment)) return fail("path_char");
    start = stop;
  }
  return ok({ id: text, trustDomain, path: text.slice(end) });
}

/** Whether the ID names a workload and not a trust domain. SPEC: X509-SVID §3.1: a leaf's ID has a path. */
export const isWorkloadId = (id: SpiffeId): boolean => id.path !== "";
