// The HTTP status of a denial. SPEC: envoy.type.v3.StatusCode lists the codes that Envoy sends; a JSON integer literal
// is asked for, as opa-envoy-plugin does (`403.0` and `"403"` are refused).

import { RegoNumber, type RegoObject } from "./value.ts";
import { goType, VerdictError } from "./verdict-error.ts";

/** The values of envoy.type.v3.StatusCode but 0 (Empty). */
export const ENVOY_STATUS_CODES: ReadonlySet<number> = new Set([
  100, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403,
  404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 429, 431, 500,
  501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
]);

const FAILURE = "failed to get response http status";

/** Reads `http_status`; 403 when the policy gave none. */
export function readHttpStatus(decision: RegoObject): number {
  const value = decision.get("http_status");
  if (value === undefined) return 403;
  if (!(value instanceof RegoNumber)) {
    throw new VerdictError(
      `${FAILURE}: type assertion error, expected http_status to be of type 'number' but got '${goType(value)}'`,
    );
  }
  if (!/^-?\d+$/.test(value.text)) {
    throw new VerdictError(
      `${FAILURE}: error converting JSON number to int: strconv.ParseInt: parsing "${value.text}": invalid syntax`,
    );
  }
  const status = Number(value.text);
  if (Math.abs(status) > Number.MAX_SAFE_INTEGER && BigInt.asIntN(64, BigInt(value.text)) !== BigInt(value.text)) {
    throw new VerdictError(
      `${FAILURE}: error converting JSON number to int: strconv.ParseInt: parsing "${value.text}": value out of range`,
    );
  }
  if (!ENVOY_STATUS_CODES.has(status)) throw new VerdictError(`${FAILURE}: invalid HTTP status code ${value.text}`);
  return status;
}
