// Errors of Node's sockets in the words of Go, which is what people and policies (`raise_error: false`) search for.

import { isIPv6 } from "node:net";
import type { Target } from "./target.ts";

const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

const CONNECT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "connect: connection timed out",
  ENOENT: "connect: no such file or directory",
  EACCES: "connect: permission denied",
};

/** The error's words without method and URL. */
export function toNetworkWords(error: Error, target: Target): string {
  const { code = "" } = firstOf(error) as { code?: string };
  const place = target.socketPath ?? `${isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`;
  const connect = CONNECT_WORDS[code];
  if (connect !== undefined) return `dial ${target.socketPath === undefined ? "tcp" : "unix"} ${place}: ${connect}`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `dial tcp: lookup ${target.host}: no such host`;
  if (code === "ECONNRESET" && /hang up/.test(error.message)) return "EOF";
  if (code === "ECONNRESET") return "unexpected EOF";
  if (UNTRUSTED.has(code)) {
    return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `tls: failed to verify certificate: x509: ${error.message}`;
  return error.message === "" ? code : error.message;
}

/** Of several addresses that were tried, the first one's error. */
const firstOf = (error: Error): unknown =>
  error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
