// The URL of a request, split as Go's `net/url` does, and stricter in the host. SECURITY: there is one parser: the host that is
// compared with the list is the text that is connected to. What other parsers read differently (escapes, backslashes, white
// space, several colons, zones in a host) is refused. Paths and queries go out byte for byte as Go sends them.

import { canonicalHost } from "../../../base/allowed-hosts.ts";
import { toLatin1 } from "../../value.ts";
import { HttpFailure, shownUrl, unreachable, withoutUserInfo } from "./failure.ts";

/** Where a request goes. */
export interface Target {
  readonly scheme: "http" | "https";
  /** As it is compared and connected to; see `canonicalHost`. */
  readonly host: string;
  readonly port: number;
  /** The host as written, with its port: the default of the Host header. */
  readonly authority: string;
  /** `USER:PASSWORD`, as byte text. */
  readonly credentials: string | undefined;
  /** Path and query as byte text of characters that a request line may hold. */
  readonly requestUri: string;
  /** The whole URL without its password, for errors and `Referer`. */
  readonly text: string;
  /** Of a `unix://` URL. */
  readonly socketPath?: string;
}

/** What Go's `%XX` of a path stays apart from. */
const ESCAPED_IN_PATH = /[^A-Za-z0-9\-_.~$&+,/:;=@]/g;
/** SPEC: `validEncoded`: a path of these characters is sent as it is written. */
const WRITABLE_PATH = /^[A-Za-z0-9\-_.~!$&'()*+,/;=:@[\]%]*$/;
const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** Splits a URL. Throws HttpFailure. */
export function parseTarget(method: string, url: string): Target {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
  if (/[\u0000-\u001f\u007f]/.test(url)) throw unparsable(url, "net/url: invalid control character in URL");
  const [beforeFragment = ""] = url.split("#", 1);
  const [, written = "", rest = ""] = /^([A-Za-z][A-Za-z0-9+\-.]*):(.*)$/s.exec(beforeFragment) ?? [];
  const scheme = written.toLowerCase();
  if (scheme === "unix") return unixTarget(method, url, rest);
  if (scheme !== "http" && scheme !== "https") {
    throw unreachable(method, withoutUserInfo(url), `unsupported protocol scheme ${JSON.stringify(scheme)}`);
  }
  const [, authority = "", path = "", query = ""] = /^\/\/([^/?]*)([^?]*)(\?.*)?$/s.exec(rest) ?? [];
  const at = authority.lastIndexOf("@");
  const userInfo = at < 0 ? undefined : authority.slice(0, at);
  const place = parseHost(url, authority.slice(at + 1), DEFAULT_PORTS[scheme]);
  if (place === undefined) throw unreachable(method, withoutUserInfo(url), "http: no Host in request URL");
  if (userInfo !== undefined && !USER_INFO.test(userInfo)) throw unparsable(url, "net/url: invalid userinfo");
  const requestUri = toRequestUri(url, path, query);
  const shownUser = userInfo === undefined ? "" : `${userInfo.replace(/:.*/s, ":***")}@`;
  return {
    scheme,
    ...place,
    credentials: userInfo === undefined ? undefined : percentDecode(url, userInfo),
    requestUri,
    text: `${scheme}://${shownUser}${authority.slice(at + 1)}${path}${query}`,
  };
}

/**
 * Resolves a `Location` against the URL that gave it, as RFC 3986 §5.2 and Go do. SPEC: what began at a unix socket stays
 * there, and no redirect leads to one. Throws HttpFailure.
 */
export function resolveLocation(method: string, from: Target, location: string): Target {
  if (/^unix:/i.test(location)) throw unreachable(method, location, 'unsupported protocol scheme "unix"');
  const target = resolveReference(method, from, location);
  return from.socketPath === undefined ? target : { ...target, socketPath: from.socketPath };
}

function resolveReference(method: string, from: Target, location: string): Target {
  if (/^[A-Za-z][A-Za-z0-9+\-.]*:/.test(location)) return parseTarget(method, location);
  const base = `${from.scheme}://${from.authority}`;
  if (location.startsWith("//")) return parseTarget(method, `${from.scheme}:${location}`);
  const [, basePath = "", baseQuery = ""] = /^([^?]*)(\?.*)?$/s.exec(from.requestUri) ?? [];
  const [, path = "", query = ""] = /^([^?#]*)(\?[^#]*)?/s.exec(location) ?? [];
  if (path === "") return parseTarget(method, `${base}${basePath}${query === "" ? baseQuery : query}`);
  const whole = path.startsWith("/") ? path : basePath.replace(/[^/]*$/, "") + path;
  return parseTarget(method, `${base}${removeDotSegments(whole)}${query}`);
}

function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === "..") kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
    else if (isLast) kept.push("");
  }
  return `/${kept.join("/")}`;
}

/** OPA's `unix://localhost/path?socket=%2Frun%2Fx.sock&q=1`: the socket is taken out of the query, the rest is sent. */
function unixTarget(method: string, url: string, rest: string): Target {
  const [, before = "", query = ""] = /^([^?]*)\?(.*)$/s.exec(rest) ?? [];
  if (query === "") throw unreachable(method, withoutUserInfo(url), 'unsupported protocol scheme "unix"');
  const values = new URLSearchParams(query);
  const socketPath = values.get("socket") ?? "";
  // SECURITY: without a path Node would connect to the host of the URL, which nobody has compared.
  if (socketPath === "") throw unreachable(method, withoutUserInfo(url), "dial unix: missing address");
  values.delete("socket");
  values.sort();
  const left = values.toString();
  const target = parseTarget(method, `http:${before}${left === "" ? "" : `?${left}`}`);
  return { ...target, socketPath };
}

function parseHost(
  url: string,
  text: string,
  defaultPort: number,
): Pick<Target, "host" | "port" | "authority"> | undefined {
  const [, name, digits = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(text) ?? [];
  if (name === "") return undefined;
  const host = name === undefined ? undefined : canonicalHost(name);
  if (host === undefined)
    throw unparsable(url, `invalid host ${JSON.stringify((name ?? text.split(":", 1)[0] ?? "").slice(0, 256))}`);
  const port = digits === "" ? defaultPort : Number(digits);
  if (!(port >= 1 && port <= 65_535)) throw unparsable(url, `invalid port ${JSON.stringify(digits)} after host`);
  // IDN goes out in punycode; a name in ASCII as it is written.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  const shown = /^[\x00-\x7f]*$/.test(name ?? "") ? name : host;
  return { host, port, authority: digits === "" ? `${shown}` : `${shown}:${digits}` };
}

/** SPEC: Go's `URL.RequestURI`: the path as written where it may be, else decoded and escaped anew; the query as it is. */
function toRequestUri(url: string, path: string, query: string): string {
  const decoded = percentDecode(url, path);
  const written = WRITABLE_PATH.test(path) ? path : decoded.replace(ESCAPED_IN_PATH, percentEncode);
  const bytes = toLatin1(query);
  if (bytes.includes(" ")) throw unparsable(url, "invalid character ` ` in the query: write it as `%20`");
  return `${written === "" ? "/" : written}${bytes}`;
}

const percentEncode = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;

function percentDecode(url: string, text: string): string {
  const bytes = toLatin1(text);
  const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(bytes);
  if (bad !== null) throw unparsable(url, `invalid URL escape ${JSON.stringify(bad[0])}`);
  return bytes.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function unparsable(url: string, why: string): HttpFailure {
  const told = `eval_builtin_error: http.send: parse ${JSON.stringify(withoutUserInfo(url))}: ${why}`;
  return new HttpFailure("invalid", `parse ${JSON.stringify(shownUrl(url))}: ${why}`, { told });
}
