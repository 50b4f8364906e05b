// The `content-length` header as the plugin reads it (Go's `strconv.ParseInt(s, 10, 64)`) to see whether a body was cut.

import { fail, ok, type Result } from "../../base/result.ts";
import { quoteGo, toByteText } from "../byte-text.ts";

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** Whether the header announces more bytes than `payloadBytes`. Negative numbers announce nothing. */
export function isTruncated(header: string, payloadBytes: number): Result<boolean, "request_malformed"> {
  const [, sign = "", digits = "", rest = ""] = /^([+-]?)([0-9]*)(.*)$/s.exec(header) ?? [];
  const magnitude = digits.replace(/^0+/, "");
  // PERF: twenty digits hold every 64-bit number, so a header full of digits never becomes a big integer.
  const value = magnitude.length > 20 ? UINT64_MAX + 1n : BigInt(magnitude === "" ? 0 : magnitude);
  if (value > UINT64_MAX) return refuse(header, "value out of range");
  if (digits === "" || rest !== "") return refuse(header, "invalid syntax");
  if (value > INT64_MAX && !(sign === "-" && value === INT64_MAX + 1n)) return refuse(header, "value out of range");
  return ok(sign !== "-" && value > BigInt(payloadBytes));
}

function refuse(header: string, why: string): Result<boolean, "request_malformed"> {
  return fail("request_malformed", `strconv.ParseInt: parsing ${quoteGo(toByteText(header.slice(0, 4096)))}: ${why}`);
}
