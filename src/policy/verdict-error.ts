// The one way a decision document is refused, and the names that opa-envoy-plugin's sentences give to wrong types.

import { RegoNumber, RegoObject, type Value } from "./value.ts";

/** A decision document that cannot be read; caught in `verdict.ts` only. The message is the plugin's sentence. */
export class VerdictError extends Error {
  override name = "VerdictError";
}

/** The name Go prints for a value's type (`%T` after decoding JSON with numbers kept as text). */
export function goType(value: Value): string {
  if (value === null) return "<nil>";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  if (value instanceof RegoNumber) return "json.Number";
  return value instanceof RegoObject ? "map[string]interface {}" : "[]interface {}";
}
