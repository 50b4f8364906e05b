// Whether a decoded header block is a well-formed HTTP/2 request, or well-formed trailers.
// SPEC: RFC 9113 §8.1.1, §8.2, §8.3, §8.5; names are tokens and values field-content as RFC 9110 §5.1 and §5.5 say, which RFC 9113
// §8.2.1 lets a recipient insist on. What breaks a rule is a stream error of type PROTOCOL_ERROR.
// What it does not do: compare `host` with `:authority` (nothing here reads either), or judge what the request asks for.

import { fail, ok, type Result } from "../../base/result.ts";
import type { HeaderField, HeaderList } from "./header-list.ts";

/** The rule that a request or its trailers break. */
export type FieldFault =
  | "field_name"
  | "field_value"
  | "connection_specific"
  | "te"
  | "content_length"
  | "pseudo_in_trailers"
  | "pseudo_after_regular"
  | "pseudo_unknown"
  | "pseudo_duplicate"
  | "pseudo_missing"
  | "pseudo_value";

/** What the connection has to know of a well-formed request. */
export interface RequestFraming {
  /** The sum that the DATA frames must come to (RFC 9113 §8.1.1); undefined when nothing was announced. */
  readonly contentLength: number | undefined;
}

const UNSIZED: RequestFraming = { contentLength: undefined };

const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;

/** One flag for each octet. */
function octets(isIn: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (isIn(octet) ? 1 : 0));
}
const isAlphanumeric = (octet: number): boolean => /[0-9A-Za-z]/.test(String.fromCharCode(octet));
// SPEC: RFC 9110 §5.6.2 `token`.
const isTchar = (octet: number): boolean =>
  isAlphanumeric(octet) || "!#$%&'*+-.^_`|~".includes(String.fromCharCode(octet));
const TOKEN = octets(isTchar);
// SPEC: RFC 9113 §8.2.1: no uppercase in names.
const NAME = octets((octet) => isTchar(octet) && !(octet >= 0x41 && octet <= 0x5a));
// SPEC: RFC 9110 §5.5 `field-content`: visible characters, obs-text, SP and HTAB.
const VALUE = octets((octet) => octet === TAB || (octet >= SPACE && octet !== 0x7f));
// SPEC: RFC 3986 §3.1 `scheme`.
const SCHEME = octets((octet) => isAlphanumeric(octet) || "+-.".includes(String.fromCharCode(octet)));
// A target has no white space: RFC 9112 §3.2 splits a request line at it. Octets above ASCII are borne, as nghttp2 does.
const TARGET = octets((octet) => octet > SPACE && octet !== 0x7f);

function isMadeOf(table: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}
const isWord = (table: Uint8Array, text: string): boolean => text.length > 0 && isMadeOf(table, text);

// SECURITY: white space at the ends is what a proxy strips and we would compare (RFC 9113 §8.2.1).
const isSpace = (octet: number): boolean => octet === SPACE || octet === TAB;
const isValue = (text: string): boolean =>
  text.length === 0 ||
  (!isSpace(text.charCodeAt(0)) && !isSpace(text.charCodeAt(text.length - 1)) && isMadeOf(VALUE, text));

/** Judges a request's header list. */
export function parseRequestFraming({ fields }: HeaderList): Result<RequestFraming, FieldFault> {
  let method: string | undefined;
  let scheme: string | undefined;
  let path: string | undefined;
  let authority: string | undefined;
  let contentLength: number | undefined;
  let at = 0;
  for (; at < fields.length; at++) {
    const { name, value } = fields[at] as HeaderField;
    if (name.charCodeAt(0) !== COLON) break;
    if (!isValue(value)) return fail("field_value", name);
    if (name === ":method") {
      if (method !== undefined) return fail("pseudo_duplicate", name);
      method = value;
    } else if (name === ":scheme") {
      if (scheme !== undefined) return fail("pseudo_duplicate", name);
      scheme = value;
    } else if (name === ":path") {
      if (path !== undefined) return fail("pseudo_duplicate", name);
      path = value;
    } else if (name === ":authority") {
      if (authority !== undefined) return fail("pseudo_duplicate", name);
      authority = value;
    } else {
      // Also `:protocol`: extended CONNECT (RFC 8441) is only for a server that has announced it.
      return fail("pseudo_unknown", name);
    }
  }
  const fault = judgeRequestLine(method, scheme, path, authority);
  for (; at < fields.length; at++) {
    const field = fields[at] as HeaderField;
    if (field.name.charCodeAt(0) === COLON) return fail("pseudo_after_regular", field.name);
    const broken = judgeRegular(field);
    if (broken !== undefined) return fail(broken, field.name);
    if (field.name === "content-length") {
      if (contentLength !== undefined) return fail("content_length", field.name);
      contentLength = parseContentLength(field.value);
      if (contentLength === undefined) return fail("content_length", field.name);
    }
  }
  if (fault !== undefined) return fail(fault);
  return ok(contentLength === undefined ? UNSIZED : { contentLength });
}

/** Judges trailers: regular fields alone, and no second word about the length. Undefined when they are well-formed. */
export function judgeTrailers({ fields }: HeaderList): FieldFault | undefined {
  for (const field of fields) {
    if (field.name.charCodeAt(0) === COLON) return "pseudo_in_trailers";
    const broken = judgeRegular(field);
    if (broken !== undefined) return broken;
    // SPEC: RFC 9110 §6.5.1: what frames the message has no place in trailers.
    if (field.name === "content-length") return "content_length";
  }
  return undefined;
}

function judgeRequestLine(
  method: string | undefined,
  scheme: string | undefined,
  path: string | undefined,
  authority: string | undefined,
): FieldFault | undefined {
  if (method === undefined) return "pseudo_missing";
  if (!isWord(TOKEN, method)) return "pseudo_value";
  if (method === "CONNECT") {
    // SPEC: RFC 9113 §8.5: :scheme and :path must be omitted, :authority names the other end.
    if (scheme !== undefined || path !== undefined) return "pseudo_value";
    return authority ? undefined : "pseudo_missing";
  }
  if (scheme === undefined || path === undefined) return "pseudo_missing";
  if (!isWord(SCHEME, scheme) || !isWord(TARGET, path)) return "pseudo_value";
  // SPEC: RFC 9113 §8.3.1: a path begins with a slash, or is `*` for OPTIONS as a whole.
  if (path.charCodeAt(0) !== 0x2f && !(path === "*" && method === "OPTIONS")) return "pseudo_value";
  return undefined;
}

/**
 * Long lines that were found well-formed. SECURITY: one octet names a line of 4 KiB in the peer's table, eight of them a list of
 * 32 KiB; so a line is looked through once for all the requests that name it, and not for each.
 */
const SOUND = new WeakSet<HeaderField>();
/** PERF: shorter lines are looked through sooner than looked up. */
const LONG_OCTETS = 128;

function judgeRegular(field: HeaderField): FieldFault | undefined {
  if (field.name.length + field.value.length < LONG_OCTETS) return judgeLine(field);
  if (SOUND.has(field)) return undefined;
  const fault = judgeLine(field);
  if (fault === undefined) SOUND.add(field);
  return fault;
}

function judgeLine({ name, value }: HeaderField): FieldFault | undefined {
  if (!isWord(NAME, name)) return "field_name";
  if (!isValue(value)) return "field_value";
  switch (name) {
    // SPEC: RFC 9113 §8.2.2.
    case "connection":
    case "keep-alive":
    case "proxy-connection":
    case "transfer-encoding":
    case "upgrade":
      return "connection_specific";
    case "te":
      return value === "trailers" || value.toLowerCase() === "trailers" ? undefined : "te";
    default:
      return undefined;
  }
}

/** Digits alone: no sign, no list, nothing that a double does not count exactly. */
function parseContentLength(value: string): number | undefined {
  if (!/^[0-9]+$/.test(value)) return undefined;
  const length = Number(value);
  return Number.isSafeInteger(length) ? length : undefined;
}
