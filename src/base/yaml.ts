// Reads YAML 1.2 documents (package yaml), bounded against alias bombs, integers exact.

import { parseDocument } from "yaml";
import { fail, ok, type Result } from "./result.ts";

/** What a YAML document holds: JSON's values, with integers beyond 2^53 as bigint. */
export type YamlValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue };

/** Parses one document; `detail` of a failure holds line and column. JSON is read too, but `1.0` becomes `1`. */
export function parseYaml(text: string): Result<YamlValue, "yaml_syntax"> {
  const document = parseDocument(text, { intAsBigInt: true, uniqueKeys: true, prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) return fail("yaml_syntax", problem.message.split("\n")[0] ?? "not a YAML document");
  try {
    return ok(document.toJS({ maxAliasCount: 100 }) as YamlValue);
  } catch (error) {
    return fail("yaml_syntax", (error as Error).message);
  }
}
