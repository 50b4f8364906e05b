// Where to listen, as people write it: `host:port`, `[IPv6]:port`, `:port` (every interface), `unix:/path`,
// and the forms of OPA's `addr` key: `grpc://host:port`, `unix:///path`.
// Pure text to value; whether the address is free, or allowed without TLS, is decided in accept.ts.

import { isIP } from "node:net";
import { fail, ok, type Result } from "../base/result.ts";

/** A TCP port of one host, or of every interface (`host` undefined). */
export interface TcpListenAddress {
  readonly kind: "tcp";
  /** An IP address or a host name, without brackets; undefined = every interface, IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** A socket in the file system. */
export interface UnixListenAddress {
  readonly kind: "unix";
  /** Absolute, at most `MAX_SOCKET_PATH_BYTES` bytes. */
  readonly path: string;
}

export type ListenAddress = TcpListenAddress | UnixListenAddress;

export type ListenAddressCode =
  | "address_empty"
  | "address_scheme"
  | "address_abstract"
  | "address_host"
  | "address_port"
  | "address_path";

/** What a unix socket address holds on Linux (`sun_path`, 108 bytes with its end mark); others hold fewer and refuse to bind. */
export const MAX_SOCKET_PATH_BYTES = 107;

// SPEC: a DNS name of labels (RFC 1123 §2.1), underscores let through because container networks use them.
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/;

/** Parses one listen address. The detail says what is wrong and how to write it. */
export function parseListenAddress(text: string): Result<ListenAddress, ListenAddressCode> {
  if (text === "") return fail("address_empty", "the address is empty: write `host:port` or `unix:/path`");
  if (text.startsWith("unix:")) return parseUnix(text);
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme === null) return parseTcp(text, text);
  if (scheme[1] !== "grpc") {
    return fail(
      "address_scheme",
      `unknown scheme in \`${text}\`: write \`host:port\`, \`grpc://host:port\` or \`unix:/path\``,
    );
  }
  // SPEC: OPA parses the address as a URL and uses its host part, so a lone closing slash is harmless there.
  return parseTcp(text.slice("grpc://".length).replace(/\/$/, ""), text);
}

function parseUnix(text: string): Result<ListenAddress, ListenAddressCode> {
  const rest = text.slice("unix:".length);
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (path.startsWith("@") || path.startsWith("\0")) {
    // Node hands libuv the name padded with zero bytes to the full length, so no other program would find it.
    return fail(
      "address_abstract",
      `abstract socket \`${text}\`: Node pads the name, so that no other program reaches it; write \`unix:/path\``,
    );
  }
  if (!path.startsWith("/")) return fail("address_path", `relative socket path in \`${text}\`: write \`unix:/path\``);
  if (path.includes("\0")) return fail("address_path", "zero byte in the socket path: write `unix:/path`");
  if (path.endsWith("/")) return fail("address_path", `\`${text}\` names a folder: write \`unix:/folder/name.sock\``);
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    return fail("address_path", `socket path of ${bytes} bytes in \`${text}\`: at most ${MAX_SOCKET_PATH_BYTES} fit`);
  }
  return ok({ kind: "unix", path });
}

function parseTcp(hostAndPort: string, text: string): Result<ListenAddress, ListenAddressCode> {
  const colon = hostAndPort.lastIndexOf(":");
  if (colon < 0) return fail("address_port", `no port in \`${text}\`: write \`host:port\` or \`:port\``);
  const host = parseHost(hostAndPort.slice(0, colon), text);
  if (!host.ok) return host;
  const portText = hostAndPort.slice(colon + 1);
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!(port <= 65535))
    return fail("address_port", `port \`${portText}\` in \`${text}\`: must be a number from 0 to 65535`);
  return ok({ kind: "tcp", host: host.value, port });
}

function parseHost(written: string, text: string): Result<string | undefined, ListenAddressCode> {
  if (written === "") return ok(undefined);
  if (written.startsWith("[") && written.endsWith("]")) {
    const inner = written.slice(1, -1);
    return isIP(inner) === 6 ? ok(inner) : fail("address_host", `\`${inner}\` in \`${text}\` is not an IPv6 address`);
  }
  if (written.includes(":")) {
    return fail("address_host", `IPv6 without brackets in \`${text}\`: write \`[::1]:9191\``);
  }
  // SECURITY: `010.0.0.1` or `1.2.3` are read differently by different programs; digits and dots must be a whole IPv4 address.
  if (/^[0-9.]+$/.test(written) && isIP(written) !== 4) {
    return fail("address_host", `\`${written}\` in \`${text}\` is not an IPv4 address`);
  }
  return HOST_NAME.test(written)
    ? ok(written)
    : fail("address_host", `\`${written}\` in \`${text}\` is not a host name`);
}

/** The address in its shortest written form, as logs and error sentences show it. */
export function printListenAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host ?? "";
  return host.includes(":") ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}

/**
 * Whether only this machine can reach the address: a unix socket, 127.0.0.0/8, ::1, or the name `localhost`.
 * Any other name counts as reachable from outside, whatever it resolves to today.
 */
export function isLoopback(address: ListenAddress): boolean {
  if (address.kind === "unix") return true;
  if (address.host === undefined) return false;
  const host = address.host.toLowerCase();
  if (isIP(host) === 0) return host === "localhost" || host === "localhost.";
  if (isIP(host) === 4) return host.startsWith("127.");
  const mapped = toPlainIp(host);
  return isIP(mapped) === 4 ? mapped.startsWith("127.") : /^(0{1,4}:){0,7}:?:?0{0,3}1$/.test(host.split("%")[0] ?? "");
}

/** An IPv4 address that arrived on an IPv6 socket (`::ffff:192.0.2.1`) in its own form; any other text as it is. */
export function toPlainIp(ip: string): string {
  const mapped = /^::ffff:([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)$/i.exec(ip);
  return mapped?.[1] ?? ip;
}
