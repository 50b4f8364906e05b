// The results of a query as text. SPEC: the formats of `opa eval`: json, values, bindings and raw as there; `pretty` is a
// lone value where there is one, and otherwise a block of lines for each result where OPA draws a table.

import type { QueryResult } from "./query.ts";
import { toJson, type Value } from "./value.ts";

/** The formats that {@link toQueryReport} knows. */
export const QUERY_FORMATS = ["json", "pretty", "values", "bindings", "raw"] as const;

/** One of {@link QUERY_FORMATS}. */
export type QueryFormat = (typeof QUERY_FORMATS)[number];

/** All results in a format, with their line feeds. Numbers keep their text; sets are sorted arrays. */
export function toQueryReport(results: readonly QueryResult[], format: QueryFormat): string {
  switch (format) {
    case "json":
      return results.length === 0 ? "{}\n" : `${indentJson(`{"result":[${results.map(toResultJson).join(",")}]}`)}\n`;
    case "pretty":
      return toPretty(results);
    case "values":
      return results
        .map(({ expressions }) => `${indentJson(toJson(expressions.map(({ value }) => value)))}\n`)
        .join("");
    case "bindings":
      return results.map(({ bindings }) => `${indentJson(toBindingsJson(bindings))}\n`).join("");
    case "raw":
      return results.map(({ expressions }) => `${expressions.map(({ value }) => toRaw(value)).join(" ")}\n`).join("");
  }
}

function toResultJson({ expressions, bindings }: QueryResult): string {
  const values = expressions.map(
    ({ value, text, row, col }) =>
      `{"value":${toJson(value)},"text":${JSON.stringify(text)},"location":{"row":${row},"col":${col}}}`,
  );
  const names = bindings.length === 0 ? "" : `,"bindings":${toBindingsJson(bindings)}`;
  return `{"expressions":[${values.join(",")}]${names}}`;
}

const toBindingsJson = (bindings: QueryResult["bindings"]): string =>
  `{${bindings.map(([name, value]) => `${JSON.stringify(name)}:${toJson(value)}`).join(",")}}`;

function toPretty(results: readonly QueryResult[]): string {
  if (results.length === 0) return "undefined\n";
  const [first] = results;
  if (results.length === 1 && first?.bindings.length === 0 && first.expressions.length === 1) {
    return `${indentJson(toJson(first.expressions[0]?.value ?? null))}\n`;
  }
  return results
    .map(({ bindings, expressions }) => {
      const named = bindings.map(([name, value]) => `${name} = ${toJson(value)}`);
      // An expression that only binds or holds says nothing with its `true`.
      const told = expressions.filter(({ value }) => value !== true);
      return [...named, ...told.map(({ text, value }) => `${text} => ${toJson(value)}`)];
    })
    .map((lines) => `${lines.length === 0 ? "true" : lines.join("\n")}\n`)
    .join("\n");
}

const toRaw = (value: Value): string => (typeof value === "string" ? value : toJson(value));

/** Compact JSON text with two spaces a level; strings and numbers stay as they are written. */
export function indentJson(text: string): string {
  let depth = 0;
  const newline = (): string => `\n${"  ".repeat(depth)}`;
  return text.replace(/"(?:[^"\\]|\\.)*"|\[\]|\{\}|[[\]{},:]/g, (token) => {
    switch (token) {
      case "[":
      case "{":
        depth++;
        return token + newline();
      case "]":
      case "}":
        depth--;
        return newline() + token;
      case ",":
        return token + newline();
      case ":":
        return ": ";
      default:
        return token;
    }
  });
}
