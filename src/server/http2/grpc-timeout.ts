// The value of `grpc-timeout`. SPEC: gRPC over HTTP/2, "Timeout": one to eight digits and a unit.

import { fail, ok, type Result } from "../../base/result.ts";

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

/** Reads how long the caller waits, in milliseconds with a fraction; zero is a deadline that has passed. At most 3.6 × 10¹⁴. */
export function parseGrpcTimeoutMs(text: string): Result<number, "timeout_unreadable"> {
  const unitMs = /^[0-9]{1,8}[HMSmun]$/.test(text) ? UNIT_MS[text.slice(-1)] : undefined;
  if (unitMs === undefined) return fail("timeout_unreadable");
  return ok(Number(text.slice(0, -1)) * unitMs);
}
