// `uri.parse` and `uri.is_valid` (v1/topdown/uri.go) over Go's `url.Parse` (net/url of Go 1.26): lenient in paths, queries and
// fragments, strict in hosts and escapes. Works on byte text, since escapes are bytes; linear in the text.

import { fromLatin1, RegoObject, toLatin1, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { parseAddress } from "./ip-network.ts";
import { stringOperand } from "./operands.ts";

/** What `url.Parse` finds, each part as byte text; absent is "". */
export interface Uri {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  /** The path as written, unless Go would write the decoded one just so. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly fragment: string;
}

const invalid = (why: string): BuiltinError => new BuiltinError(`parse: ${why}`);

/** SPEC: Go's encodeHost: what may stand in a host without being escaped. */
const HOST = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\u0080-\u00ff]*$/;
const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;
const OPTIONAL_PORT = /^(?::[0-9]*)?$/;

/** Decodes `%XX`. Throws BuiltinError when `%` is followed by anything else. */
function percentDecode(text: string): string {
  const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(text);
  if (bad !== null) throw invalid(`invalid URL escape ${JSON.stringify(bad[0])}`);
  return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** As {@link percentDecode}, where only bytes beyond ASCII may be escaped, and `%25`. */
function unescapeHost(text: string): string {
  const bad = /%(?!25)[0-7]./s.exec(text);
  if (bad !== null) throw invalid(`invalid URL escape ${JSON.stringify(bad[0])}`);
  const decoded = percentDecode(text);
  if (!HOST.test(text.replace(/%../g, ""))) throw invalid("invalid character in host name");
  return decoded;
}

/** A zone behind `%25`: an escape may stand for what may stand there itself, and for a space. */
function unescapeZone(text: string): string {
  const decoded = percentDecode(text);
  for (const [whole, hex = ""] of text.matchAll(/%(..)/g)) {
    const byte = String.fromCharCode(Number.parseInt(hex, 16));
    // SPEC: Go refuses escapes of bytes beyond ASCII here, though it takes the bytes themselves.
    if (whole !== "%25" && byte !== " " && (byte > "\u007f" || !HOST.test(byte)))
      throw invalid(`invalid URL escape ${JSON.stringify(whole)}`);
  }
  if (!HOST.test(text.replace(/%../g, ""))) throw invalid("invalid character in host name");
  return decoded;
}

/** SPEC: Go's `escape(path, encodePath)`. */
export const escapePath = (path: string): string =>
  path.replace(
    /[^A-Za-z0-9\-_.~$&+,/:;=@]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );

function splitScheme(text: string): readonly [scheme: string, rest: string] {
  if (text.startsWith(":")) throw invalid("missing protocol scheme");
  const scheme = /^([A-Za-z][A-Za-z0-9+\-.]*):/.exec(text)?.[1];
  return scheme === undefined ? ["", text] : [scheme.toLowerCase(), text.slice(scheme.length + 1)];
}

/** What stands before and behind the first `separator`; all of it and "" without one. */
function cut(text: string, separator: string): readonly [before: string, after: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Go's `url.Parse` of a byte text. Throws BuiltinError. */
export function parseUri(text: string): Uri {
  const [url, rawFragment] = cut(text, "#");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
  if (/[\u0000-\u001f\u007f]/.test(url)) throw invalid("net/url: invalid control character in URL");
  if (url === "*") return { ...NOTHING, path: "*", rawPath: "*", fragment: percentDecode(rawFragment) };
  const [scheme, behindScheme] = splitScheme(url);
  const [rest, rawQuery] = cut(behindScheme, "?");
  const known = { ...NOTHING, scheme, rawQuery };
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...known, fragment: percentDecode(rawFragment) };
    if (cut(rest, "/")[0].includes(":")) throw invalid("first path segment in URL cannot contain colon");
  }
  const hasAuthority = rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"));
  const authority = hasAuthority ? cut(rest.slice(2), "/")[0] : "";
  const host = hasAuthority ? parseAuthority(scheme, authority) : "";
  const escaped = hasAuthority ? rest.slice(2 + authority.length) : rest;
  const path = percentDecode(escaped);
  const rawPath = escaped === escapePath(path) ? path : escaped;
  return { ...known, host, path, rawPath, fragment: percentDecode(rawFragment) };
}

const NOTHING: Uri = { scheme: "", host: "", path: "", rawPath: "", rawQuery: "", fragment: "" };

/** The host with its port. */
function parseAuthority(scheme: string, authority: string): string {
  const at = authority.lastIndexOf("@");
  const host = parseHost(scheme, authority.slice(at + 1));
  const userInfo = authority.slice(0, Math.max(at, 0));
  if (!USER_INFO.test(userInfo)) throw invalid("net/url: invalid userinfo");
  percentDecode(userInfo);
  return host;
}

function parseHost(scheme: string, host: string): string {
  const bracket = host.lastIndexOf("[");
  if (bracket > 0) throw invalid("invalid IP-literal");
  if (bracket === 0) return parseIpLiteral(host);
  const first = host.indexOf(":");
  // SPEC: outside of http and https, lists of hosts with ports are let through (go.dev/issue/78077).
  const colon = scheme === "http" || scheme === "https" ? first : host.lastIndexOf(":");
  if (first >= 0) checkPort(host.slice(colon));
  return unescapeHost(host);
}

function parseIpLiteral(host: string): string {
  const end = host.lastIndexOf("]");
  if (end < 0) throw invalid("missing ']' in host");
  const port = host.slice(end + 1);
  checkPort(port);
  const literal = host.slice(1, end);
  const zoneAt = literal.indexOf("%25");
  const name =
    zoneAt < 0 ? unescapeHost(literal) : unescapeHost(literal.slice(0, zoneAt)) + unescapeZone(literal.slice(zoneAt));
  const [address, zone] = cut(name, "%");
  if ((zone === "" && name.includes("%")) || parseAddress(address)?.bits !== 128) throw invalid("invalid host");
  return `[${name}]${port}`;
}

function checkPort(port: string): void {
  if (!OPTIONAL_PORT.test(port)) throw invalid(`invalid port ${JSON.stringify(port)} after host`);
}

/** SPEC: Go's `splitHostPort`: brackets fall, and only digits are a port. */
function splitHost(host: string): readonly [hostname: string, port: string] {
  const colon = host.lastIndexOf(":");
  const hasPort = colon >= 0 && OPTIONAL_PORT.test(host.slice(colon));
  const name = hasPort ? host.slice(0, colon) : host;
  const bare = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
  return [bare, hasPort ? host.slice(colon + 1) : ""];
}

function toObject(uri: Uri): RegoObject {
  const [hostname, port] = splitHost(uri.host);
  const parts = [
    ["scheme", uri.scheme],
    ["hostname", hostname],
    ["port", port],
    ["path", uri.path],
    ["raw_path", uri.path === "" ? "" : uri.rawPath],
    ["raw_query", uri.rawQuery],
    ["fragment", uri.fragment],
  ] as const;
  return RegoObject.of(
    parts.filter(([, text]) => text !== "").map(([name, text]): [Value, Value] => [name, fromLatin1(text)]),
  );
}

function isValid(text: Value | undefined): boolean {
  if (typeof text !== "string" || text === "") return false;
  try {
    parseUri(toLatin1(text));
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}

/** `uri.parse(text)` and `uri.is_valid(text)`. */
export const uriBuiltins: BuiltinFamily = {
  "uri.parse": (args) => toObject(parseUri(toLatin1(stringOperand(args, 0)))),
  "uri.is_valid": ([text]) => isValid(text),
};
