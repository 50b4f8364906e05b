// x-forwarded-client-cert: what a proxy says about the certificate of the peer before it, in Envoy's text and JSON forms.
// SPEC: Envoy, HTTP connection manager, "x-forwarded-client-cert"; the JSON form since 1.38.
// SECURITY: the header is text that a client may have written. Only the last element is ever looked at, and only when it names the
// certificate that was verified by other means (`selectXfcc`). It never names a workload by itself: its one use is `Chain`, as
// candidates for path building, and the check that its URI agrees. Any syntax error means that the header says nothing at all.

import { fail, type Result } from "../base/result.ts";
import type { XfccCode } from "./codes.ts";
import { parseXfccJson } from "./xfcc-json.ts";
import { parseXfccText } from "./xfcc-text.ts";

/** One proxy's words about its peer. */
export interface XfccElement {
  /** URI names of the proxy's own certificate; none when it had none. */
  readonly by: readonly string[];
  /** SHA-256 of the peer's certificate as Envoy wrote it: lower-case hex. */
  readonly hash: string | undefined;
  /** The peer's certificate as PEM; URL-encoded in the text form. */
  readonly cert: string | undefined;
  /** A text is URL-encoded PEM blocks (text form), a list holds one PEM block each (JSON form); the leaf is the first. */
  readonly chain: string | readonly string[] | undefined;
  /** A distinguished name, for people: it is no identity. */
  readonly subject: string | undefined;
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  /** Whether By, Hash, a URI or a DNS name stood in quotes, where Envoy writes none. */
  readonly hasQuotedNames: boolean;
  /** Keys that Envoy does not write, in order; their values are dropped. */
  readonly unknownKeys: readonly string[];
}

/** Who the direct peer is, from the connection and not from the header. */
export interface XfccPeer {
  /** SHA-256 of the verified certificate's DER, lower-case hex. */
  readonly fingerprintSha256: string;
  /** `destination.principal`: the name of the proxy that asks. */
  readonly destinationPrincipal: string;
}

const MAX_CHARS = 65_536;
const PRINTABLE = /^[\x20-\x7e]*$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;

/**
 * Reads a whole header of at most 64 KiB and 16 elements, printable ASCII; the first element is the farthest hop, the last the
 * nearest. An empty header has no elements. A header whose first character but spaces is `[` is JSON.
 */
export function parseXfcc(header: string): Result<readonly XfccElement[], XfccCode> {
  if (header.length > MAX_CHARS) return fail("too_long");
  if (!PRINTABLE.test(header)) return fail("bad_char");
  return /^ *\[/.test(header) ? parseXfccJson(header) : parseXfccText(header);
}

/**
 * The last element, if it is bound to the peer: its Hash is the fingerprint of the peer's certificate and its only By is the proxy
 * that asks. A certificate cannot contain its own hash, so no name in it can forge such an element.
 * SECURITY: Envoy writes names bare, so a URI in quotes is a name that has quotes, and says another name without them: not bound.
 */
export function selectXfcc(elements: readonly XfccElement[], peer: XfccPeer): XfccElement | undefined {
  const last = elements.at(-1);
  if (last === undefined || peer.destinationPrincipal === "" || !FINGERPRINT.test(peer.fingerprintSha256))
    return undefined;
  const { hash, by, hasQuotedNames } = last;
  const isBound = hash === peer.fingerprintSha256 && by.length === 1 && by[0] === peer.destinationPrincipal;
  return isBound && !hasQuotedNames ? last : undefined;
}

/**
 * The one URI that the element tells, as it stands there; undefined when it tells none, an empty one or several.
 * SECURITY: Envoy's text form writes names unescaped, so a DNS name may pose as this. Compare it, never believe it.
 */
export function xfccUri(element: XfccElement): string | undefined {
  const [uri, another] = element.uris;
  return another === undefined && uri !== "" ? uri : undefined;
}
