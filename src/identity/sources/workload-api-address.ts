// Where a SPIFFE Workload API listens. SPEC: SPIFFE Workload Endpoint §4: a URI that is either `unix:` with an absolute path and
// no authority, or `tcp:` with an IP address and a port, and nothing else. Names are never resolved.

import { isIPv4, isIPv6 } from "node:net";
import { fail, ok, type Result } from "../../base/result.ts";

/** The address as people write it, and as grpc-js takes it. */
export interface WorkloadApiAddress {
  readonly text: string;
  readonly target: string;
}

/** SPEC: unix(7): `sun_path` has 108 bytes, one of them for its end. */
const MAX_PATH_BYTES = 107;

/**
 * Reads `unix:///path`, `unix:/path` (RFC 3986: both have no authority) or `tcp://ip:port`. Percent-encoding is refused rather
 * than decoded, so that a path has one spelling; `detail` says what to write instead.
 */
export function parseWorkloadApiAddress(text: string): Result<WorkloadApiAddress, "workload_api_address"> {
  if (text.startsWith("unix:")) return parseUnix(text);
  if (text.startsWith("tcp://")) return parseTcp(text);
  return refuse(text, "write `unix:///path/of/the.sock` or `tcp://IP:PORT`");
}

function parseUnix(text: string): Result<WorkloadApiAddress, "workload_api_address"> {
  const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (!path.startsWith("/") || path.startsWith("//") || path === "/") {
    return refuse(text, "write an absolute path after `unix://`, e.g. `unix:///run/spire/agent.sock`");
  }
  if (!/^[\x21-\x7e]+$/.test(path) || /[?#%]/.test(path)) {
    return refuse(text, "the path may not hold spaces, `?`, `#`, `%` or anything but printable ASCII");
  }
  if (path.length > MAX_PATH_BYTES) return refuse(text, `a socket's path has at most ${MAX_PATH_BYTES} bytes`);
  return ok({ text, target: `unix:${path}` });
}

function parseTcp(text: string): Result<WorkloadApiAddress, "workload_api_address"> {
  const [, bracketed, plain, digits = ""] = /^tcp:\/\/(?:\[([^\]]*)\]|([^:/[\]]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port < 1 || port > 65_535 || String(port) !== digits) {
    return refuse(text, "write an IP address and a port from 1 to 65535, e.g. `tcp://127.0.0.1:8000`");
  }
  if (plain !== undefined && isIPv4(plain)) return ok({ text, target: `ipv4:${plain}:${port}` });
  // A zone index names an interface of this machine and belongs in no URI.
  if (bracketed !== undefined && isIPv6(bracketed) && !bracketed.includes("%")) {
    return ok({ text, target: `ipv6:[${bracketed}]:${port}` });
  }
  return refuse(text, "write an IP address, not a name (IPv6 in brackets), e.g. `tcp://127.0.0.1:8000`");
}

const refuse = (text: string, advice: string) =>
  fail("workload_api_address" as const, `\`${text}\` is no address of a Workload API: ${advice}`);
