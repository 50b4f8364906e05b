// Policies for differential runs: random Rego that compiles, and inputs for it. Every rule adds to the object `out`, so one
// evaluation answers for all of them. What OPA's WASM is known to do otherwise is never written: arrays made from sets and objects
// are sorted, numbers are whole and small, no rule has two answers, lists of data have no text as index.

import type { Random } from "./random.ts";

type Kind = "number" | "string" | "boolean" | "array" | "set" | "object" | "any";

const KINDS: readonly Kind[] = ["number", "string", "boolean", "array", "set", "object", "any"];

/** Names that are in scope, by what they hold. */
type Scope = readonly (readonly [name: string, kind: Kind])[];

/** Data of every policy: JSON of an object. */
export const RANDOM_DATA = {
  d: {
    n: 7,
    s: "data",
    list: [3, "x", null, [1], { a: 1 }],
    map: { a: 1, b: "two", c: [3], x: { y: { z: true } } },
    roles: { admin: ["alice", "bob"], guest: [] },
  },
};

/** An input; some of its members are missing, or not what they should be. */
export function randomInput(random: Random, index: number): Record<string, unknown> {
  const input: Record<string, unknown> = {
    i: index,
    n: random.below(20) - 5,
    m: random.below(5),
    s: word(random),
    t: random.text(WORDS, 1 + random.below(3)),
    b: random.chance(50),
    xs: Array.from({ length: random.below(5) }, () => random.below(6)),
    ss: Array.from({ length: random.below(4) }, () => word(random)),
    o: Object.fromEntries(Array.from({ length: random.below(4) }, () => [word(random), random.below(5)])),
    deep: {
      list: Array.from({ length: random.below(3) }, (_, id) => ({ id, tags: [word(random)], v: random.below(3) })),
    },
    any: randomJson(random, 2),
  };
  for (const key of Object.keys(input)) {
    if (key === "i") continue;
    if (random.chance(6)) delete input[key];
    else if (random.chance(4)) input[key] = randomJson(random, 2);
  }
  return input;
}

const WORDS = ["a", "b", "c", "alice", "bob", "x", "", "data", "1", "é", "/a/b", "A"];
const word = (random: Random): string => random.pick(WORDS);

/** Any JSON value. */
export function randomJson(random: Random, depth: number): unknown {
  const kind = random.below(depth > 0 ? 7 : 4);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(50);
  if (kind === 2) return random.below(10);
  if (kind === 3) return word(random);
  const length = random.below(4);
  if (kind < 6) return Array.from({ length }, () => randomJson(random, depth - 1));
  return Object.fromEntries(Array.from({ length }, () => [word(random), randomJson(random, depth - 1)]));
}

/** The rules of a random policy, without package and imports; each fills `out` under a name of its own. */
export function randomRules(random: Random, count: number): string {
  const writer = new RuleWriter(random);
  return Array.from({ length: count }, (_, at) => writer.rule(at)).join("\n");
}

const INPUT: Scope = [
  ["input.n", "number"],
  ["input.m", "number"],
  ["input.s", "string"],
  ["input.t", "string"],
  ["input.b", "boolean"],
  ["input.xs", "array"],
  ["input.ss", "array"],
  ["input.o", "object"],
  ["input.any", "any"],
  ["input.deep", "object"],
  ["input.deep.list[0].tags[0]", "string"],
  ["input.nothing", "any"],
  ["data.d.n", "number"],
  ["data.d.s", "string"],
  ["data.d.map", "object"],
  ["data.d.list", "array"],
  ["data.d.map.x.y.z", "boolean"],
  ["data.d.roles[input.s]", "array"],
  ["data.d.map[input.t]", "any"],
];

class RuleWriter {
  readonly #random: Random;
  /** Functions and rules that exist already. */
  #functions: (readonly [name: string, parameters: readonly Kind[], result: Kind])[] = [];
  #rules: [string, Kind][] = [];
  #names = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  rule(at: number): string {
    const random = this.#random;
    const kind = random.pick(KINDS);
    const name = `r${at}`;
    const form = random.below(9);
    const text = this.#ruleText(form, name, kind);
    if (form === 0) return text;
    this.#rules.push([name, form === 1 ? "set" : form === 2 ? "object" : form > 6 ? "array" : kind]);
    return `${text}\nout["${name}"] := ${name}`;
  }

  #ruleText(form: number, name: string, kind: Kind): string {
    const random = this.#random;
    const value = (scope: Scope): string => this.#expression(kind, scope, 3);
    if (form === 0) {
      const parameters = [random.pick(KINDS), random.pick(KINDS)];
      const scope: Scope = parameters.map((of, index) => [`p${index}`, of] as const);
      const text = `${name}(p0, p1) := ${value(scope)} if {\n${this.#body(scope)}\n}${this.#otherwise(kind, scope)}`;
      this.#functions.push([name, parameters, kind]);
      return text;
    }
    if (form === 1) {
      const [generator, scope] = this.#some([]);
      return `${name} contains ${this.#expression("any", scope, 2)} if {\n\t${generator};\n${this.#body(scope)}\n}`;
    }
    if (form === 2) {
      // The key is the place in the list, so that no key has two values.
      const list = random.pick(["input.xs", "input.ss", "data.d.list", "input.deep.list"]);
      const scope: Scope = [
        ["i", "number"],
        ["item", "any"],
      ];
      const key = random.pick(["i", 'sprintf("%v", [i])', "[i, item]", "{i}"]);
      return `${name}[${key}] := ${value(scope)} if {\n\tsome i, item in ${list};\n${this.#body(scope)}\n}`;
    }
    if (form < 5) {
      const byDefault = random.chance(50) ? `default ${name} := ${literal(random, kind)}\n` : "";
      return `${byDefault}${name} := ${value([])} if {\n${this.#body([])}\n}${this.#otherwise(kind, [])}`;
    }
    if (form < 7) return `${name} := ${value([])}`;
    const bound = this.#name();
    const scope: Scope = [[bound, kind]];
    return `${name} := [${bound}, ${this.#expression("any", scope, 1)}] if {\n\t${bound} := ${value([])};\n${this.#body(scope)}\n}`;
  }

  #otherwise(kind: Kind, scope: Scope): string {
    if (!this.#random.chance(50)) return "";
    return ` else := ${this.#expression(kind, scope, 2)} if {\n${this.#body(scope)}\n}`;
  }

  #name(): string {
    return `v${this.#names++}`;
  }

  /** A statement that binds, and the names with what it bound. */
  #some(scope: Scope): readonly [string, Scope] {
    const [key, item] = [this.#name(), this.#name()];
    const bound: Scope = [...scope, [key, "any"], [item, "any"]];
    const from = this.#expression(this.#random.pick(["array", "set", "object"]), scope, 1);
    return [`some ${key}, ${item} in ${from}`, bound];
  }

  #body(scope: Scope): string {
    const conditions = Array.from({ length: 1 + this.#random.below(2) }, () => this.#condition(scope, 2));
    // On one line: a line that begins with a sign or a bracket would go on with the one before.
    return `	${conditions.join("; ")}`;
  }

  #condition(scope: Scope, depth: number): string {
    const random = this.#random;
    const of = (kind: Kind): string => this.#expression(kind, scope, depth - 1);
    switch (random.below(13)) {
      case 0:
        return `not ${of("boolean")}`;
      case 1: {
        const [key, item] = [this.#name(), this.#name()];
        const inner: Scope = [...scope, [key, "any"], [item, "any"]];
        return `every ${key}, ${item} in ${of(random.pick(["array", "object", "set"]))} { [${key}, ${item}] != input.any; ${this.#condition(inner, depth - 1)} }`;
      }
      case 2:
        return `${untyped(of("any"))} in ${of(random.pick(["array", "object", "set"]))}`;
      case 3:
        return this.#some(scope)[0];
      case 4: {
        const rule = random.pick([...this.#rules, ["input.n", "number"]] as [string, Kind][]);
        return `${untyped(rule[0])} == ${of(rule[1])}`;
      }
      case 5: {
        const [changed] = random.pick(INPUT.slice(0, 9));
        const rule = random.pick([...this.#rules.map(([name]) => name), "input.s"]);
        return `${rule} with ${changed} as ${of("any")}`;
      }
      case 6:
        return `${untyped(of("any"))} ${random.pick(["==", "!=", "<", "<=", ">", ">="])} ${of("any")}`;
      case 7:
        return `[${this.#name()}, _] = [${of("any")}, ${of("any")}]`;
      case 8:
        return `input.deep.list[_].v == ${of("number")}`;
      default:
        return `${of("number")} ${random.pick(["==", "!=", "<", "<=", ">", ">="])} ${of("number")}`;
    }
  }

  #expression(kind: Kind, scope: Scope, depth: number): string {
    const random = this.#random;
    const known = [...scope, ...INPUT, ...this.#rules].filter(([, of]) => of === kind || kind === "any");
    if (depth <= 0 || random.chance(30)) {
      if (known.length > 0 && random.chance(75)) return random.pick(known)[0];
      return literal(random, kind);
    }
    if (random.chance(8)) return random.pick(INPUT.filter(([, of]) => of === "any"))[0];
    const callable = this.#functions.filter(([, , result]) => result === kind);
    if (callable.length > 0 && random.chance(25)) {
      const [name, parameters] = random.pick(callable);
      return `${name}(${parameters.map((of) => this.#expression(of, scope, depth - 1)).join(", ")})`;
    }
    return this.#operation(kind, (of) => this.#expression(of, scope, depth - 1), scope, depth);
  }

  #operation(kind: Kind, of: (kind: Kind) => string, scope: Scope, depth: number): string {
    const random = this.#random;
    const comprehension = (open: string, head: (inner: Scope) => string, close: string): string => {
      const [generator, inner] = this.#some(scope);
      return `${open}${head(inner)} | ${generator}; ${this.#condition(inner, depth - 1)}${close}`;
    };
    const any = (inner: Scope): string => this.#expression("any", inner, depth - 2);
    switch (kind) {
      case "number":
        return random.pick([
          () => `(${of("number")} + ${of("number")})`,
          () => `(${of("number")} - ${of("number")})`,
          () => `(${of("number")} * ${random.below(4)})`,
          () => `(${of("number")} % ${1 + random.below(5)})`,
          () => `count(${of(random.pick(["string", "array", "set", "object"]))})`,
          () => `max([${of("number")}, ${of("number")}])`,
          () => `abs(${of("number")})`,
          () => `sum([${of("number")}, ${of("number")}])`,
          () => `indexof(${of("string")}, ${of("string")})`,
        ])();
      case "string":
        return random.pick([
          () => `concat(${literal(random, "string")}, [${of("string")}, ${of("string")}])`,
          () => `lower(${of("string")})`,
          () => `sprintf("%v-%v", [${of("any")}, ${of("any")}])`,
          () => `replace(${of("string")}, ${of("string")}, ${of("string")})`,
          () => `$"t{${of("string")}}{${of("number")}}"`,
          () => `substring(${of("string")}, ${random.below(3)}, ${random.below(4)})`,
          () => `type_name(${of("any")})`,
        ])();
      case "boolean":
        return random.pick([
          () => `startswith(${of("string")}, ${of("string")})`,
          () => `is_string(${of("any")})`,
          () => `(${untyped(of("any"))} == ${of("any")})`,
          () => `(${untyped(of("any"))} in ${of("array")})`,
          () => `object.subset(${of("object")}, ${of("object")})`,
        ])();
      case "array":
        return random.pick([
          () => `[${of("any")}, ${of("any")}]`,
          () => comprehension("sort([", any, "])"),
          () => `array.concat(${of("array")}, ${of("array")})`,
          () => `sort(${of("set")})`,
          () => `split(${of("string")}, ${literal(random, "string")})`,
          () => `numbers.range(${random.below(4)}, ${random.below(6)})`,
          () => `array.slice(${of("array")}, 0, ${random.below(3)})`,
        ])();
      case "set":
        return random.pick([
          () => `{${of("any")}, ${of("any")}}`,
          () => comprehension("{", any, "}"),
          () => `(${of("set")} | ${of("set")})`,
          () => `(${of("set")} & ${of("set")})`,
          () => `(${of("set")} - ${of("set")})`,
          () => `object.keys(${of("object")})`,
        ])();
      case "object":
        return random.pick([
          () => `{${literal(random, "string")}: ${of("any")}}`,
          () => `{${random.below(3)}: ${of("any")}, [${of("number")}]: 1}`,
          () => {
            const [generator, inner] = this.#some(scope);
            // Key and value are one, so that no key has two values.
            return `{x: x | ${generator}; x := ${any(inner)}; ${this.#condition(inner, depth - 1)}}`;
          },
          () => `object.union(${of("object")}, ${of("object")})`,
          () => `object.filter(${of("object")}, ${of("array")})`,
          () => `object.remove(${of("object")}, ${of("array")})`,
          () => `json.filter(${of("object")}, [${random.pick(['"a"', '"a/b"', '"x/y/z"'])}])`,
        ])();
      case "any":
        return random.pick([
          () => of(random.pick(["number", "string", "boolean", "array", "set", "object"])),
          () => `${random.pick(["input.any", "data.d.map", "input.o", "input.xs"])}[${of("any")}]`,
          () => `object.get(${of("object")}, ${of("any")}, ${of("any")})`,
        ])();
    }
  }
}

/** The expression, so that the compiler does not know its type. */
const untyped = (expression: string): string => `object.get({0: ${expression}}, 0, 0)`;

function literal(random: Random, kind: Kind): string {
  switch (kind) {
    case "number":
      return String(random.below(12) - 3);
    case "string":
      return JSON.stringify(word(random));
    case "boolean":
      return String(random.chance(50));
    case "array":
      return random.pick(["[]", "[1, 2, 3]", '["a", "b"]', "[[1], null]"]);
    case "set":
      return random.pick(["set()", "{1, 2}", '{"a", "alice"}', "{[1], {2}}"]);
    case "object":
      return random.pick(["{}", '{"a": 1}', '{"a": {"b": [1]}, "x": null}', '{1: "one", "1": 2}']);
    case "any":
      return literal(random, random.pick(KINDS.slice(0, 6)));
  }
}
