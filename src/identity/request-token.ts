// Which text of a request is a JWT-SVID: the Bearer token of `Authorization`, or a configured header, or Envoy's metadata.
// SPEC: RFC 6750 §2.1, RFC 9110 §11.4 (the scheme's name has no case), JWT-SVID §4.1.
// SECURITY: what stands in a configured place is a JWT-SVID and never anything weaker. In `Authorization` only a Bearer token
// that names a SPIFFE ID is ours; there, whatever might be read as one by somebody is refused unless it can be read in one way
// only. Query parameters are no place for tokens.

import { looksLikeJwtSvid } from "./unverified-subject.ts";

/** What is read of a request. */
export interface RequestTokenFacts {
  /** A header by its lower-case name; several lines joined with `,`. */
  header(name: string): string | undefined;
  /** A value of Envoy's dynamic metadata; undefined when there is none. */
  filterMetadata(namespace: string, key: string): unknown;
}

/** Where tokens are looked for. */
export interface RequestTokenOptions {
  /** A lower-case header name instead of the Bearer token of `authorization`; the value with or without `Bearer`. */
  readonly header?: string | undefined;
  /** A text in Envoy's metadata, looked at besides the header; the token alone. */
  readonly metadata?: { readonly namespace: string; readonly key: string } | undefined;
}

/** `invalid`: there is a credential of ours that cannot be read, or more than one. */
export type RequestToken =
  | { readonly kind: "none" }
  | {
      readonly kind: "token";
      readonly token: string;
      readonly from: "authorization" | "header" | "metadata";
      /** The header that holds the token, also when the metadata hold the same one. */
      readonly header?: string;
    }
  | {
      readonly kind: "invalid";
      readonly code: "malformed" | "several";
      /** The header that holds what cannot be read, or one of several tokens; undefined when only the metadata do. */
      readonly header?: string;
    };

const NONE: RequestToken = { kind: "none" };
const invalid = (code: "malformed" | "several", header: string | undefined): RequestToken => ({
  kind: "invalid",
  code,
  ...(header !== undefined && { header }),
});

/** Finds the one token of a request. Two places may hold it if both hold the same. */
export function findRequestToken(facts: RequestTokenFacts, options: RequestTokenOptions): RequestToken {
  const { header, metadata } = options;
  const ofHeader =
    header === undefined
      ? findBearer(facts.header("authorization"))
      : readConfiguredHeader(header, facts.header(header));
  if (metadata === undefined || ofHeader.kind === "invalid") return ofHeader;
  const ofMetadata = readMetadata(facts.filterMetadata(metadata.namespace, metadata.key));
  if (ofMetadata.kind === "none" || ofHeader.kind === "none") return ofMetadata.kind === "none" ? ofHeader : ofMetadata;
  if (ofMetadata.kind === "invalid") return invalid(ofMetadata.code, ofHeader.header);
  return ofMetadata.token === ofHeader.token ? ofHeader : invalid("several", ofHeader.header);
}

/**
 * The headers that hold what was found, for who passes the request on without it, whether it was accepted or not.
 * SECURITY: whoever finds a token in `authorization` can replay it as well as from the place where it was looked for.
 */
export function findTokenHeaders(
  facts: RequestTokenFacts,
  { metadata }: Pick<RequestTokenOptions, "metadata">,
  found: Exclude<RequestToken, { readonly kind: "none" }>,
): readonly string[] {
  const { header: name } = found;
  const own = name === undefined ? [] : [name];
  const authorization = name === "authorization" ? undefined : facts.header("authorization");
  if (authorization === undefined) return own;
  let texts: readonly string[];
  if (found.kind === "token") texts = [found.token];
  else {
    const inMetadata = metadata && facts.filterMetadata(metadata.namespace, metadata.key);
    const inHeader = name === undefined ? "" : (facts.header(name) ?? "");
    texts = [...inHeader.split(/[\s,]+/), ...(typeof inMetadata === "string" ? [inMetadata] : [])].filter(
      looksLikeJwtSvid,
    );
  }
  return texts.some((text) => authorization.includes(text)) ? [...own, "authorization"] : own;
}

/** SPEC: RFC 9110 §11.4: spaces, and nothing else that may look like one. */
const ONE_BEARER = /^bearer +([^\s,]+)$/i;
const BEARER_PREFIX = /^bearer +/i;
/** As somebody less strict may read it. */
const BEARER = /^bearer(?:\s+|$)/i;

function findBearer(value: string | undefined): RequestToken {
  if (value === undefined) return NONE;
  const token = ONE_BEARER.exec(value)?.[1];
  if (token !== undefined) {
    return looksLikeJwtSvid(token) ? { kind: "token", token, from: "authorization", header: "authorization" } : NONE;
  }
  return findInSeveral(value);
}

/**
 * A value that holds more than one Bearer token: lines that Envoy joined, or words that are no token.
 * SECURITY: one receiver takes the first, another the last; if any of them is ours, none is taken.
 */
function findInSeveral(value: string): RequestToken {
  const lines = value.split(",").map((line) => line.trim());
  if (!lines.some((line) => BEARER.test(line))) return NONE;
  for (const line of lines) {
    const words = line.split(/\s+/);
    // Another scheme's words are another credential's; a lone word continues the Bearer token before it.
    if (words.length > 1 && !BEARER.test(line)) continue;
    if (words.some(looksLikeJwtSvid)) return invalid(lines.length > 1 ? "several" : "malformed", "authorization");
  }
  return NONE;
}

function readConfiguredHeader(header: string, value: string | undefined): RequestToken {
  if (value === undefined) return NONE;
  if (value.includes(",")) return invalid("several", header);
  const token = value.replace(BEARER_PREFIX, "");
  if (token === "" || /\s/.test(token)) return invalid("malformed", header);
  return { kind: "token", token, from: header === "authorization" ? "authorization" : "header", header };
}

function readMetadata(value: unknown): RequestToken {
  if (value === undefined) return NONE;
  return typeof value === "string" && value !== ""
    ? { kind: "token", token: value, from: "metadata" }
    : invalid("malformed", undefined);
}
