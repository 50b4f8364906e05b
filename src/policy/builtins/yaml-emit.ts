// `yaml.marshal` as OPA prints it: SPEC: internal/yaml (JSON, read as YAML, printed by go.yaml.in/yaml v3.0.5 with an indentation
// of two): block style, keys in the library's "natural" order, plain text where it reads back, integers of 64 bits exact.

import { trimEndOf } from "../byte-text.ts";
import { RegoNumber, RegoObject, RegoSet, toWellFormed, type Value } from "../value.ts";
import { BuiltinError, MAX_RESULT_CHARS } from "./builtin.ts";
import { formatFloat } from "./go-float.ts";
import { marshalJson, toMembers } from "./json-marshal.ts";
import { compareYamlKeys } from "./yaml-key-order.ts";
import { resolvePlain } from "./yaml-scalar.ts";
import { analyzeText, escapeYaml, isBreak, type TextFacts } from "./yaml-text.ts";

/** The YAML text of a value. Throws BuiltinError for text that go-yaml refuses, and beyond 4,194,304 characters. */
export function emitYaml(value: Value): string {
  const emitter = new Emitter();
  emitter.node(value, -1);
  return emitter.end();
}

/** Longest key, as JSON text with quotes: longer ones go-yaml does not read back. */
const MAX_KEY_CHARS = 1_024;
/** Longest key in bytes that stands before a colon; longer ones get a line of their own. */
const MAX_SIMPLE_KEY_BYTES = 128;

/** Where the writing stands; the rules on when a line ends are libyaml's. */
class Emitter {
  readonly #parts: string[] = [];
  #length = 0;
  #column = 0;
  #whitespace = true;
  #indention = true;

  /** Writes a node whose parent is indented by `indent`; the root's parent by -1. */
  node(value: Value, indent: number): void {
    if (value instanceof RegoObject) this.#map(value, indent);
    else if (typeof value === "string") this.#text(value, indent, false);
    else if (value === null || typeof value === "boolean") this.#plain(String(value));
    else if (value instanceof RegoNumber) this.#plain(numberText(value.text));
    else this.#list(value instanceof RegoSet ? value.values : value, indent);
  }

  end(): string {
    this.#writeIndent(0);
    return this.#parts.join("");
  }

  #list(items: readonly Value[], indent: number): void {
    if (items.length === 0) {
      this.#indicator("[", true, true, false);
      this.#indicator("]", false, false, false);
      return;
    }
    const inner = indent < 0 ? 0 : indent + 2;
    for (const item of items) {
      this.#writeIndent(inner);
      this.#indicator("-", true, false, true);
      this.node(item, inner);
    }
  }

  #map(object: RegoObject, indent: number): void {
    const members = [...toMembers(object)].sort(([a], [b]) => compareYamlKeys(a, b));
    if (members.length === 0) {
      this.#indicator("{", true, true, false);
      this.#indicator("}", false, false, false);
      return;
    }
    const inner = indent < 0 ? 0 : indent + 2;
    for (const [key, item] of members) {
      // SPEC: U+0085 ends a line there, and a key must end on its own.
      if ([...marshalJson(key)].length > MAX_KEY_CHARS || key.includes("\u0085"))
        throw new BuiltinError("yaml: did not find expected ',' or '}'");
      this.#writeIndent(inner);
      const isSimple = !analyzeText(key).hasBreaks && Buffer.byteLength(key) <= MAX_SIMPLE_KEY_BYTES;
      if (isSimple) {
        this.#text(key, inner, true);
        this.#indicator(":", false, false, false);
      } else {
        this.#indicator("?", true, false, true);
        this.#text(key, inner, false);
        this.#writeIndent(inner);
        this.#indicator(":", true, false, true);
      }
      this.node(item, inner);
    }
  }

  #plain(text: string): void {
    if (text !== "" && !this.#whitespace) this.#put(" ");
    this.#put(text);
    if (text !== "") this.#whitespace = false;
    this.#indention = false;
  }

  #text(source: string, indent: number, isKey: boolean): void {
    const text = asRead(toWellFormed(source));
    const inner = indent < 0 ? 2 : indent + 2;
    const facts = analyzeText(text);
    const style = styleOf(text, facts, isKey);
    if (style === "plain") this.#plain(text);
    else if (style === "double") {
      this.#indicator('"', true, false, false);
      this.#put(escapeYaml(text));
      this.#indicator('"', false, false, false);
      this.#whitespace = false;
      this.#indention = false;
    } else if (style === "single") this.#single(text, inner);
    else this.#literal(text, inner);
  }

  #single(text: string, indent: number): void {
    this.#indicator("'", true, false, false);
    this.#lines(text.replaceAll("'", "''"), indent, false);
    this.#indicator("'", false, false, false);
    this.#whitespace = false;
    this.#indention = false;
  }

  #literal(text: string, indent: number): void {
    this.#indicator("|", true, false, false);
    if (/^[ \n\u0085\u2028\u2029]/.test(text)) this.#indicator("2", false, false, false);
    const ends = text.length - trimEndOf(text, "\n\u0085\u2028\u2029").length;
    if (ends === 0) this.#indicator("-", false, false, false);
    else if (ends > 1 || text.length === 1) this.#indicator("+", false, false, false);
    this.#break("\n");
    this.#whitespace = true;
    this.#lines(text, indent, true);
  }

  /** Text with breaks; each line begins behind the indentation. */
  #lines(text: string, indent: number, atStart: boolean): void {
    let breaks = atStart;
    for (const piece of text.split(/([\n\u0085\u2028\u2029])/)) {
      if (piece === "") continue;
      if (isBreak(piece)) {
        this.#break(piece);
        breaks = true;
        continue;
      }
      if (breaks) this.#writeIndent(indent);
      this.#put(piece);
      this.#indention = false;
      breaks = false;
    }
  }

  #writeIndent(indent: number): void {
    if (!this.#indention || this.#column > indent || (this.#column === indent && !this.#whitespace)) this.#break("\n");
    if (this.#column < indent) this.#put(" ".repeat(indent - this.#column));
    this.#whitespace = true;
  }

  #indicator(text: string, needsSpace: boolean, isWhitespace: boolean, isIndention: boolean): void {
    if (needsSpace && !this.#whitespace) this.#put(" ");
    this.#put(text);
    this.#whitespace = isWhitespace;
    this.#indention = this.#indention && isIndention;
  }

  #break(text: string): void {
    this.#put(text);
    this.#column = 0;
    this.#indention = true;
  }

  #put(text: string): void {
    this.#length += text.length;
    if (this.#length > MAX_RESULT_CHARS) throw new BuiltinError("yaml.marshal: result too long");
    this.#parts.push(text);
    this.#column += text.length;
  }
}

/** What go-yaml reads of the text in its JSON: characters that it refuses are an error, and U+0085 is a line break that folds. */
function asRead(text: string): string {
  if (/[\u007f-\u0084\u0086-\u009f\ufffe\uffff]/.test(text))
    throw new BuiltinError("yaml: control characters are not allowed");
  if (!text.includes("\u0085")) return text;
  return text.replace(/ *\u0085[ \u0085]*/g, (breaks) => "\n".repeat(breaks.replaceAll(" ", "").length - 1) || " ");
}

/** YAML 1.1's numbers of base 60 and its booleans, which are quoted for readers of that version. */
const OLD_WORDS =
  /^(?:[yY]|yes|Yes|YES|on|On|ON|[nN]|no|No|NO|off|Off|OFF|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$/;

function styleOf(text: string, facts: TextFacts, isKey: boolean): "plain" | "single" | "double" | "literal" {
  if (isKey && facts.hasBreaks) return "double";
  if (text.includes("\n")) return facts.literalAllowed ? "literal" : "double";
  if (resolvePlain(text).type !== "str" || OLD_WORDS.test(text)) return "double";
  if (facts.plainAllowed) return "plain";
  return facts.singleAllowed ? "single" : "double";
}

/** A number as go-yaml prints what it read: 64-bit integers as such, others as the nearest double. */
function numberText(text: string): string {
  const value = resolvePlain(text);
  if (value.type === "int") return String(value.value);
  return value.type === "float" ? formatFloat(value.value, "g", -1) : text;
}
