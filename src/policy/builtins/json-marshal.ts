// `json.marshal_with_options` (v1/topdown/encoding.go): JSON as Go's encoding/json writes it, plain or, with `pretty`,
// `prefix` or `indent`, over several lines (Go's MarshalIndent). Numbers keep their text, sets are sorted arrays.

import { compareStrings, RegoNumber, RegoObject, RegoSet, toJson, toWellFormed, type Value } from "../value.ts";
import { BuiltinError, type BuiltinFamily, MAX_RESULT_CHARS } from "./builtin.ts";
import { kindOf, objectOperand } from "./operands.ts";

/** Escapes what Go's encoder escapes beyond JSON's needs; these characters stand in strings only. */
const escapeAsGo = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Go's `json.Marshal` of a value. */
export const marshalJson = (value: Value): string => escapeAsGo(toJson(value));

interface Options {
  readonly pretty: boolean;
  readonly prefix: string;
  readonly indent: string;
}

function readOptions(options: RegoObject): Options {
  let prefix = "";
  let indent = "\t";
  let pretty: boolean | undefined;
  let implied = false;
  for (const [key, value] of options.entries) {
    if (typeof key !== "string") throw new BuiltinError(`operand 2 failed to stringify key ${toJson(key)}`);
    if (key === "prefix" || key === "indent") {
      if (typeof value !== "string") {
        throw new BuiltinError(`operand 2 key ${key} failed cast to string: must be string but got ${kindOf(value)}`);
      }
      if (key === "prefix") prefix = value;
      else indent = value;
      implied = true;
    } else if (key === "pretty") {
      if (typeof value !== "boolean") throw new BuiltinError("operand 2 key pretty failed cast to bool");
      pretty = value;
    } else throw new BuiltinError(`operand 2 object contained unknown key ${key}`);
  }
  return { pretty: pretty ?? implied, prefix, indent };
}

/** Writes values over several lines. SECURITY: prefix and indentation times lines and depth multiply, so it counts. */
class PrettyPrinter {
  readonly #options: Options;
  readonly #parts: string[] = [];
  #length = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#put(toWellFormed(options.prefix));
  }

  print(value: Value): string {
    this.#value(value, 0);
    return this.#parts.join("");
  }

  #value(value: Value, depth: number): void {
    if (value instanceof RegoObject) {
      this.#list("{", "}", toMembers(value), depth, ([key, item]) => {
        this.#put(`${marshalJson(key)}: `);
        this.#value(item, depth + 1);
      });
    } else if (value === null || typeof value !== "object" || value instanceof RegoNumber) {
      this.#put(marshalJson(value));
    } else {
      const items = value instanceof RegoSet ? value.values : value;
      this.#list("[", "]", items, depth, (item) => this.#value(item, depth + 1));
    }
  }

  #list<T>(open: string, close: string, items: readonly T[], depth: number, print: (item: T) => void): void {
    this.#put(open);
    for (const [at, item] of items.entries()) {
      if (at > 0) this.#put(",");
      this.#line(depth + 1);
      print(item);
    }
    if (items.length > 0) this.#line(depth);
    this.#put(close);
  }

  #line(depth: number): void {
    const { prefix, indent } = this.#options;
    this.#put("\n");
    this.#put(prefix);
    if (indent.length * depth > MAX_RESULT_CHARS) throw tooLong();
    this.#put(indent.repeat(depth));
  }

  #put(text: string): void {
    this.#length += text.length;
    if (this.#length > MAX_RESULT_CHARS) throw tooLong();
    this.#parts.push(text);
  }
}

const tooLong = (): BuiltinError => new BuiltinError("json.marshal_with_options: result too long");

/** Members under text keys, sorted as Go sorts a map; keys that are not text are their JSON, and the last of equal ones stands. */
export function toMembers(object: RegoObject): readonly (readonly [string, Value])[] {
  const members = new Map<string, Value>();
  for (const [key, item] of object.entries) members.set(typeof key === "string" ? key : marshalJson(key), item);
  return [...members].sort(([a], [b]) => compareStrings(a, b));
}

/** `json.marshal_with_options(value, options)`. */
export const jsonMarshalBuiltins: BuiltinFamily = {
  "json.marshal_with_options"(args) {
    const options = readOptions(objectOperand(args, 1));
    const value = args[0] ?? null;
    return options.pretty ? new PrettyPrinter(options).print(value) : marshalJson(value);
  },
};
