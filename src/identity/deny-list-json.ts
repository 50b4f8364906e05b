// The entries of a deny list that is written as JSON, one after the other, each with its place in the text: a list of a hundred
// thousand is read in small steps between which requests are answered, and without the whole tree in memory.
// SPEC: RFC 8259; every name at most once in its object; `entries` is the only name of the outermost one.

import type { YamlEntry, YamlNode, YamlProblem } from "../base/yaml.ts";

/** Thrown in this module only. */
class JsonProblem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
const QUOTE = 0x22;
/** An entry holds texts; what nests deeper is none. */
const MAX_DEPTH = 4;
const MAX_MEMBERS = 32;
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
] as const;

/** Yields each element of `entries`; returns what ended the reading early, nothing at the end. A caller that stops asking stops the reading. */
export function* readJsonEntries(text: string): Generator<YamlNode, readonly YamlProblem[]> {
  const reader = new Reader(text);
  try {
    reader.expect("{", "a map with `entries`");
    const at = reader.skipSpace();
    if (text[at] !== '"' || reader.string() !== "entries")
      throw new JsonProblem(at, "`entries` is what a list begins with");
    reader.expect(":", "a colon");
    reader.expect("[", "the list of entries");
    if (!reader.accept("]")) {
      do {
        reader.skipSpace();
        yield reader.value(1);
      } while (reader.accept(","));
      reader.expect("]", "a comma or the end of the list");
    }
    reader.expect("}", "the end: `entries` is the only key");
    if (reader.skipSpace() < text.length) throw new JsonProblem(reader.at, "something behind the end");
    return [];
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    return [{ offset: error.offset, message: error.message }];
  }
}

class Reader {
  at = 0;
  readonly #text: string;
  readonly #names = new Map<string, string>();
  constructor(text: string) {
    this.#text = text;
  }

  skipSpace(): number {
    SPACE.lastIndex = this.at;
    SPACE.test(this.#text);
    this.at = SPACE.lastIndex;
    return this.at;
  }

  accept(character: string): boolean {
    if (this.#text[this.skipSpace()] !== character) return false;
    this.at++;
    return true;
  }

  expect(character: string, what: string): void {
    if (!this.accept(character)) throw new JsonProblem(this.at, `not JSON: \`${character}\` is missing: ${what}`);
  }

  /** At its first character. */
  value(depth: number): YamlNode {
    const offset = this.at;
    if (depth > MAX_DEPTH) throw new JsonProblem(offset, `nested deeper than ${MAX_DEPTH} levels`);
    switch (this.#text[offset]) {
      case '"': {
        const value = this.string();
        return { kind: "scalar", offset, value, source: value };
      }
      case "{":
        this.at++;
        return { kind: "map", offset, entries: this.#members(depth) };
      case "[": {
        this.at++;
        const items: YamlNode[] = [];
        if (this.accept("]")) return { kind: "list", offset, items };
        do {
          this.skipSpace();
          items.push(this.value(depth + 1));
        } while (this.accept(","));
        this.expect("]", "a comma or the end of a list");
        return { kind: "list", offset, items };
      }
      default:
        return this.#word(offset);
    }
  }

  #members(depth: number): readonly YamlEntry[] {
    const members: YamlEntry[] = [];
    if (this.accept("}")) return members;
    do {
      const offset = this.skipSpace();
      if (this.#text[offset] !== '"') throw new JsonProblem(offset, "not JSON: a name in double quotes is missing");
      const key = this.#name();
      // PERF: an entry has a handful of names.
      if (members.some((member) => member.key === key))
        throw new JsonProblem(offset, `\`${key}\` stands twice in one map`);
      if (members.length === MAX_MEMBERS) throw new JsonProblem(offset, `more than ${MAX_MEMBERS} names in one map`);
      this.expect(":", "a colon");
      this.skipSpace();
      members.push({ key, offset, value: this.value(depth + 1) });
    } while (this.accept(","));
    this.expect("}", "a comma or the end of a map");
    return members;
  }

  /** PERF: entries have the same few names, so those are decoded once. */
  #name(): string {
    const end = this.#text.indexOf('"', this.at + 1);
    const literal = this.#text.slice(this.at, end + 1);
    const known = this.#names.get(literal);
    if (known !== undefined) {
      this.at = end + 1;
      return known;
    }
    const name = this.string();
    // Without a backslash, what ends at the first quote is the whole literal.
    if (!literal.includes("\\") && this.#names.size < MAX_MEMBERS) this.#names.set(literal, name);
    return name;
  }

  /** At the opening quote. The text that comes back is a copy, and does not keep the whole document in memory. */
  string(): string {
    const start = this.at;
    let end = start + 1;
    for (let unit = this.#text.charCodeAt(end); unit !== QUOTE; unit = this.#text.charCodeAt(end)) {
      if (Number.isNaN(unit)) throw new JsonProblem(start, "not JSON: this text has no end");
      end += unit === 0x5c ? 2 : 1;
    }
    this.at = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, this.at)) as string;
    } catch {
      throw new JsonProblem(start, "not JSON: this text has a line break, a control character or an unknown escape");
    }
  }

  #word(offset: number): YamlNode {
    for (const [word, value] of WORDS) {
      if (!this.#text.startsWith(word, offset)) continue;
      this.at += word.length;
      return { kind: "scalar", offset, value, source: word };
    }
    NUMBER.lastIndex = offset;
    const source = NUMBER.exec(this.#text)?.[0];
    if (source === undefined) throw new JsonProblem(offset, "not JSON: a value is missing");
    this.at += source.length;
    return { kind: "scalar", offset, value: Number(source), source };
  }
}
