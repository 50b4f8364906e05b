// Every builtin inside OPA's module that can fail, in a rule that denies, with an input that makes it fail: an error must
// not become an allow. The sentences are those of `opa eval --strict-builtin-errors`.
import assert from "node:assert/strict";
import { before, it } from "node:test";
import { findBuiltin, nativeRequest } from "../../../../src/policy/builtins/index.ts";
import { FALLIBLE_NATIVES } from "../../../../src/policy/builtins/native-guard.ts";
import { compileRegoBatch } from "../../../../src/policy/compiler/index.ts";
import { loadPolicy, type Policy, PolicyError } from "../../../../src/policy/index.ts";

/** Call over `input.x` → a value that makes it fail, and OPA's sentence. */
const number = "operand 1 must be number but got string";
const string = "operand 1 must be string but got number";
const set = "operand 1 must be set but got string";
const list = "operand 1 must be one of {set, array} but got string";
const integer = "operand 1 must be integer but got string";
const object = "operand 1 must be object but got string";
const array = "operand 1 must be array but got string";
const rows: readonly (readonly [call: string, x: unknown, words: string])[] = [
  ["plus(input.x, 1)", "a", number],
  ["minus(input.x, 1)", "a", "operand 1 must be one of {number, set} but got string"],
  ["mul(input.x, 1)", "a", number],
  ["div(1, input.x)", 0, "divide by zero"],
  ["div(0, input.x)", 0, "divide by zero"],
  ["rem(1, input.x)", 0, "modulo by zero"],
  ["rem(input.x, 2)", 1.5, "modulo on floating-point number"],
  ["abs(input.x)", "a", number],
  ["ceil(input.x)", "a", number],
  ["floor(input.x)", "a", number],
  ["round(input.x)", "a", number],
  ["bits.and(input.x, 1)", "a", integer],
  ["bits.lsh(1, input.x)", -1, "operand 2 must be an unsigned integer number but got a negative integer"],
  ["bits.negate(input.x)", 1.5, "operand 1 must be integer number but got floating-point number"],
  ["bits.or(input.x, 1)", "a", integer],
  ["bits.rsh(input.x, 1)", "a", integer],
  ["bits.xor(input.x, 1)", "a", integer],
  ["and(input.x, {1})", "a", set],
  ["or(input.x, {1})", "a", set],
  ["set_diff(input.x, {1})", "a", set],
  ["intersection({input.x})", "a", set],
  ["union({input.x})", "a", set],
  ["all(input.x)", "a", "operand 1 must be one of {array, set} but got string"],
  ["any(input.x)", "a", "operand 1 must be one of {array, set} but got string"],
  ["count(input.x)", 7, "operand 1 must be one of {array, object, set, string} but got number"],
  ["max(input.x)", "a", list],
  ["min(input.x)", "a", list],
  ["product(input.x)", ["a"], "operand 1 must be array of numbers but got array containing string"],
  ["sort(input.x)", "a", list],
  ["sum(input.x)", ["a"], "operand 1 must be array of numbers but got array containing string"],
  ["array.concat(input.x, [])", "a", array],
  ["array.flatten(input.x)", "a", array],
  ["array.reverse(input.x)", "a", array],
  ["array.slice([], 0, input.x)", 1.5, "operand 3 must be integer number but got floating-point number"],
  ["base64.decode(input.x)", "a", "illegal base64 data at input byte 0"],
  ["base64.encode(input.x)", 7, string],
  ["base64url.decode(input.x)", "a", "illegal base64url string: a"],
  ["base64url.encode(input.x)", 7, string],
  ['concat("", input.x)', [7], "operand 2 must be array of strings but got array containing number"],
  ['contains(input.x, "a")', 7, string],
  ['endswith(input.x, "a")', 7, string],
  ["format_int(7, input.x)", 3, "operand 2 must be one of {2, 8, 10, 16}"],
  ['glob.match(input.x, [], "a")', 7, string],
  ['glob.match(input.x, [], "a")', "{", "glob: syntax error at 1: unclosed `{`"],
  ['glob.match("[a", [], input.x)', "a", "glob: syntax error at 2: unexpected end of input"],
  ["graph.reachable(input.x, [])", "a", object],
  ['indexof("a", input.x)', "", "empty search character"],
  ['indexof(input.x, "a")', 7, string],
  [
    "json.filter({}, [input.x])",
    7,
    "operand 2 must be one of {set, array} containing string paths or array of path segments but got number",
  ],
  ["json.remove(input.x, [])", "a", object],
  ["json.unmarshal(input.x)", "10.0.0.1", "invalid character '.' looking for beginning of value"],
  ["lower(input.x)", 7, string],
  ['net.cidr_contains(input.x, "10.0.0.1")', "10.0.0.0/33", "invalid CIDR address: 10.0.0.0/33"],
  ['net.cidr_intersects("10.0.0.0/8", input.x)', "a", "invalid CIDR address: a"],
  ['net.cidr_overlap(input.x, "10.0.0.1")', "a", "invalid CIDR address: a"],
  ["numbers.range(input.x, 2)", "a", integer],
  ["object.filter(input.x, [])", "a", object],
  ['object.get(input.x, "a", 1)', "a", object],
  ["object.keys(input.x)", "a", object],
  ["object.remove(input.x, [])", "a", object],
  ["object.union(input.x, {})", "a", object],
  ["object.union_n([input.x])", "a", "operand 1 must be array of objects but got array containing string"],
  ['re_match(input.x, "a")', "(", "error parsing regexp: missing closing ): `(`"],
  ['regex.find_all_string_submatch_n(input.x, "a", 1)', "(", "error parsing regexp: missing closing ): `(`"],
  ['regex.match(input.x, "a")', "(", "error parsing regexp: missing closing ): `(`"],
  ['replace("a", input.x, "")', 7, "operand 2 must be string but got number"],
  ['replace(input.x, "a", "")', 7, string],
  ['split(input.x, "a")', 7, string],
  ['startswith(input.x, "a")', 7, string],
  ['strings.replace_n({"a": input.x}, "a")', 7, "operand 1 non-string value found in pattern object"],
  ["strings.reverse(input.x)", 7, string],
  ['substring("a", input.x, 1)', -1, "negative offset"],
  ["to_number(input.x)", "x", 'strconv.ParseFloat: parsing "x": invalid syntax'],
  ["to_number(input.x)", {}, "operand 1 must be one of {null, boolean, number, string} but got object"],
  ['trim(input.x, "a")', 7, string],
  ['trim_left(input.x, "a")', 7, string],
  ['trim_prefix(input.x, "a")', 7, string],
  ['trim_right(input.x, "a")', 7, string],
  ["trim_space(input.x)", 7, string],
  ['trim_suffix(input.x, "a")', 7, string],
  ["upper(input.x)", 7, string],
];
const nameOf = (call: string): string => call.slice(0, call.indexOf("("));

const source = (i: number, call: string): string => `
deny_${i} if { y := ${call}; y != "nothing" }
allow_${i} if not deny_${i}
`;
let strict: Policy;
let lenient: Policy;
before(async () => {
  const text = `package p\nimport future.keywords\n${rows.map(([call], i) => source(i, call)).join("")}`;
  const request = {
    files: [{ path: "p.rego", text }],
    entrypoints: rows.map((_, i) => `p/allow_${i}`),
    regoVersion: "v0" as const, // which has the deprecated builtins too
    builtins: [],
  };
  const [a, b] = await compileRegoBatch([
    { ...request, ...nativeRequest(true) },
    { ...request, ...nativeRequest(false) },
  ]);
  assert.ok(a?.ok && b?.ok, JSON.stringify([a, b].map((one) => one?.ok === false && one.errors)));
  strict = loadPolicy(a.value.wasm, { findBuiltin, strictBuiltinErrors: true });
  lenient = loadPolicy(b.value.wasm, { findBuiltin, strictBuiltinErrors: false });
});

for (const [i, [call, x, words]] of rows.entries()) {
  it(`an error in a rule that denies is no allow: ${call} of ${JSON.stringify(x)}`, () => {
    const input = JSON.stringify({ x });
    const entrypoint = `p/allow_${i}`;
    assert.throws(
      () => strict.evaluate(input, { entrypoint }),
      (error) => {
        assert.ok(error instanceof PolicyError);
        assert.deepEqual([error.code, error.message], ["policy_builtin_error", `${nameOf(call)}: ${words}`]);
        return true;
      },
    );
    if (call === "div(0, input.x)") return; // OPA's module has no way on from 0/0
    assert.equal(lenient.evaluate(input, { entrypoint }), '[{"result":true}]', "as OPA has it without strict errors");
  });
  it(`a missing operand is no error: ${call}`, () => {
    assert.equal(strict.evaluate("{}", { entrypoint: `p/allow_${i}` }), '[{"result":true}]');
  });
}

it("the table has every builtin of the module that can fail", () => {
  const tried = new Set(rows.map(([call]) => nameOf(call)));
  // What the compiler makes of `$"…"`, which gives it nothing but an array.
  assert.deepEqual(
    FALLIBLE_NATIVES.filter((name) => !tried.has(name)),
    ["internal.template_string"],
  );
});

it("the least and the greatest of nothing are undefined in either mode", () => {
  for (const name of ["max", "min"]) {
    const entrypoint = `p/allow_${rows.findIndex(([call]) => call === `${name}(input.x)`)}`;
    assert.equal(strict.evaluate('{"x": []}', { entrypoint }), '[{"result":true}]');
  }
});
