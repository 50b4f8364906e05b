// Readers for the list-like keys of a decision document: headers, header names, query parameters.
// Values of one key keep their order; keys come in OPA's order (the plugin's order across keys is random).

import { RegoObject, type Value } from "./value.ts";
import { goType, VerdictError } from "./verdict-error.ts";

/** A header; a name may occur several times. */
export interface Header {
  readonly key: string;
  readonly value: string;
}

/** A query parameter; a name may occur several times. */
export interface QueryParameter {
  readonly key: string;
  readonly value: string;
}

/** Reads `{name: value | [value, …]}` or a list of such objects. */
export function readHeaders(
  decision: RegoObject,
  field: string,
  failure: string,
  options: { readonly allowHeaderControlCharacters?: boolean },
): readonly Header[] {
  const value = decision.get(field);
  if (value === undefined) return [];
  const headers: Header[] = [];
  const add = (key: string, text: string): void => {
    // SECURITY: a CR or LF that reaches an HTTP/1 upstream ends the header, and what follows is read as another one.
    if (options.allowHeaderControlCharacters !== true && !(isHeaderSafe(key) && isHeaderSafe(text))) {
      throw new VerdictError(
        `${failure}: header with a control character: remove CR, LF and NUL from its name and value`,
      );
    }
    headers.push({ key, value: text });
  };
  for (const group of Array.isArray(value) ? (value as readonly Value[]) : [value]) {
    if (!(group instanceof RegoObject)) {
      throw new VerdictError(
        `${failure}: type assertion error, expected headers to be of type 'object' but got '${goType(group)}'`,
      );
    }
    for (const [key, entry] of group.entries) addHeader(String(key), entry, failure, add);
  }
  return headers;
}

function addHeader(key: string, entry: Value, failure: string, add: (key: string, text: string) => void): void {
  if (typeof entry === "string") {
    add(key, entry);
    return;
  }
  if (!Array.isArray(entry)) throw new VerdictError(`${failure}: type assertion error for header '${key}'`);
  for (const text of entry as readonly Value[]) {
    if (typeof text !== "string") {
      throw new VerdictError(`${failure}: invalid value type ${goType(text)} for header '${key}'`);
    }
    add(key, text);
  }
}

const isHeaderSafe = (text: string): boolean => !(text.includes("\r") || text.includes("\n") || text.includes("\0"));

/** Reads a list of strings. */
export function readStrings(decision: RegoObject, field: string, failure: string): readonly string[] {
  const value = decision.get(field);
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new VerdictError(
      `${failure}: type assertion error, expected ${field} to be of type '[]string' but got '${goType(value)}'`,
    );
  }
  for (const item of value as readonly Value[]) {
    if (typeof item !== "string") {
      throw new VerdictError(
        `${failure}: type assertion error, expected ${field} value to be of type 'string' but got '${goType(item)}'`,
      );
    }
  }
  return value as readonly string[];
}

/** Reads `query_parameters_to_set`: `{name: value | [value, …]}`. */
export function readQueryParameters(decision: RegoObject): readonly QueryParameter[] {
  const failure = "failed to get request query parameters to set: type assertion error";
  const value = decision.get("query_parameters_to_set");
  if (value === undefined) return [];
  if (!(value instanceof RegoObject)) {
    throw new VerdictError(`${failure}, expected query_parameters_to_set to be a map but got '${goType(value)}'`);
  }
  const parameters: QueryParameter[] = [];
  for (const [name, entry] of value.entries) {
    const key = String(name);
    if (typeof entry === "string") parameters.push({ key, value: entry });
    else if (Array.isArray(entry)) {
      for (const item of entry as readonly Value[]) {
        if (typeof item !== "string") {
          throw new VerdictError(`${failure}: expected array element to be string but got '${goType(item)}'`);
        }
        parameters.push({ key, value: item });
      }
    } else throw new VerdictError(`${failure}, expected value to be string or array but got '${goType(entry)}'`);
  }
  return parameters;
}
