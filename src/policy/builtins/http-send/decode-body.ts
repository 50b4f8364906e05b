// Bodies of answers → values: JSON and YAML as OPA reads them (v1/util/json.go, `UnmarshalJSON` and `Unmarshal`).

import { isUtf8 } from "node:buffer";
import { decodeUtf8 } from "../../byte-text.ts";
import { unmarshalYaml } from "../../go-builtins/index.ts";
import { findJsonFault } from "../../json-text.ts";
import { MAX_VALUE_DEPTH, parseValue, type Value, ValueSyntaxError } from "../../value.ts";
import { BuiltinError } from "../builtin.ts";

/** The JSON value that the bytes begin with: SPEC: OPA looks at what follows it only after it has taken it. */
export function decodeJsonPrefix(body: Buffer): Value | undefined {
  const text = decodeUtf8(body);
  const fault = findJsonFault(text, MAX_VALUE_DEPTH);
  if (fault === undefined) return parse(text);
  if (fault.kind === "too_deep") return undefined;
  // Whatever stands behind the value is where the reader stopped.
  const prefix = text.slice(0, fault.at);
  return findJsonFault(prefix, MAX_VALUE_DEPTH) === undefined ? parse(prefix) : undefined;
}

/** JSON, or else YAML: as much of it as the Go builtins read in a call. */
export function decodeYaml(body: Buffer): Value | undefined {
  const text = decodeUtf8(body).replace(/^\ufeff/, "");
  if (findJsonFault(text, MAX_VALUE_DEPTH) === undefined) return parse(text);
  if (!isUtf8(body)) return undefined;
  try {
    return unmarshalYaml(text);
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

function parse(text: string): Value | undefined {
  try {
    return parseValue(text);
  } catch (error) {
    if (error instanceof ValueSyntaxError) return undefined;
    throw error;
  }
}
