// Every builtin of the host that can fail, in a rule that denies, with an input that makes it fail: an error must not become
// an allow. Beside native-guard.test.ts, which tries those inside OPA's module. A builtin that is in neither table fails the
// test, so a new one cannot be forgotten.

import assert from "node:assert/strict";
import { before, it } from "node:test";
import { builtinNames, findBuiltin, nativeRequest } from "../../../../src/policy/builtins/index.ts";
import { type CompileRequest, compileRegoBatch } from "../../../../src/policy/compiler/index.ts";
import { loadPolicy, type Policy, PolicyError } from "../../../../src/policy/index.ts";
import { createNetworkBuiltins } from "../../../../src/policy/network-builtins.ts";

const AWS = '{"aws_access_key": "a", "aws_secret_access_key": "b", "aws_service": "s3", "aws_region": "r"}';
const TOKEN = '"e30.e30.AA"';

/** Call over `input.x` → a value that makes it fail. */
const rows: readonly (readonly [call: string, x: unknown])[] = [
  ["base64url.encode_no_pad(input.x)", 7],
  ["cast_array(input.x)", 7],
  ["cast_boolean(input.x)", 7],
  ["cast_null(input.x)", 7],
  ["cast_object(input.x)", 7],
  ["cast_set(input.x)", 7],
  ["cast_string(input.x)", 7],
  ['crypto.hmac.equal(input.x, "a")', 7],
  ['crypto.hmac.md5("a", input.x)', 7],
  ['crypto.hmac.sha1("a", input.x)', 7],
  ['crypto.hmac.sha256("a", input.x)', 7],
  ['crypto.hmac.sha512("a", input.x)', 7],
  ["crypto.md5(input.x)", 7],
  ["crypto.parse_private_keys(input.x)", 7],
  ["crypto.sha1(input.x)", 7],
  ["crypto.sha256(input.x)", 7],
  ["crypto.x509.parse_and_verify_certificates(input.x)", 7],
  ["crypto.x509.parse_and_verify_certificates_with_options(input.x, {})", 7],
  ["crypto.x509.parse_certificate_request(input.x)", "x"],
  ["crypto.x509.parse_certificates(input.x)", "x"],
  ['crypto.x509.parse_keypair(input.x, "")', ""],
  ["crypto.x509.parse_rsa_private_key(input.x)", ""],
  ["glob.quote_meta(input.x)", 7],
  ["graph.reachable_paths(input.x, [])", 7],
  ['graphql.parse(input.x, "type Query { a: Int }")', "{"],
  ["graphql.parse_query(input.x)", "{"],
  ["graphql.parse_schema(input.x)", "{"],
  ["hex.decode(input.x)", "1"],
  ["hex.encode(input.x)", 7],
  ['indexof_n("a", input.x)', ""],
  ["io.jwt.decode(input.x)", "a.b"],
  ['io.jwt.decode_verify(input.x, {"secret": "s"})', 7],
  ["io.jwt.encode_sign(input.x, {}, {})", {}],
  ['io.jwt.encode_sign_raw(input.x, "{}", "{}")', "{"],
  ...["eddsa", "es256", "es384", "es512", "ps256", "ps384", "ps512", "rs256", "rs384", "rs512"].map(
    (scheme) => [`io.jwt.verify_${scheme}(${TOKEN}, input.x)`, "no key"] as const,
  ),
  ...["hs256", "hs384", "hs512"].map((scheme) => [`io.jwt.verify_${scheme}(input.x, "s")`, "a.b"] as const),
  ["json.marshal_with_options([1], input.x)", []],
  ["json.match_schema(input.x, {})", "1 2"],
  ["json.patch([1], input.x)", [{ op: "remove", path: "/7" }]],
  ['net.cidr_contains_matches(input.x, "10.0.0.1")', "10.0.0.0/33"],
  ["net.cidr_expand(input.x)", "10.0.0.0/33"],
  ["net.cidr_merge(input.x)", ["10.0.0.0/33"]],
  ["numbers.range_step(1, 10, input.x)", 0],
  ["object.subset(input.x, {1})", 7],
  [`providers.aws.sign_req({"method": "get", "url": "http://example.com"}, ${AWS}, input.x)`, "now"],
  ['rand.intn("a", input.x)', 1.5],
  ['regex.find_n(input.x, "a", 1)', "("],
  ['regex.globs_match(input.x, "a")', "["],
  ['regex.replace("a", input.x, "b")', "("],
  ['regex.split(input.x, "a")', "("],
  ['regex.template_match(input.x, "a", "<", ">")', "<"],
  ['rego.parse_module("a.rego", input.x)', "package"],
  ['semver.compare(input.x, "1.0.0")', "v"],
  ["sprintf(input.x, [1])", 7],
  ['strings.any_prefix_match(input.x, "a")', [7]],
  ['strings.any_suffix_match("a", input.x)', [7]],
  ['strings.count(input.x, "a")', 7],
  ["strings.render_template(input.x, {})", "{{"],
  ['strings.split_n(input.x, "a", 1)', 7],
  ["time.add_date(input.x, 1, 1, 1)", "now"],
  ["time.clock(input.x)", 1e19],
  ["time.date(input.x)", [0, "nowhere"]],
  ["time.diff(0, input.x)", "now"],
  ["time.format(input.x)", 1.5],
  ["time.parse_duration_ns(input.x)", "1 hour"],
  ['time.parse_ns("2006", input.x)', "no year"],
  ["time.parse_rfc3339_ns(input.x)", "today"],
  ["time.weekday(input.x)", 1.5],
  ["trace(input.x)", 7],
  ["units.parse(input.x)", "K"],
  ["units.parse_bytes(input.x)", "1 mile"],
  ["uri.parse(input.x)", ":"],
  ["urlquery.decode(input.x)", "%"],
  ["urlquery.decode_object(input.x)", "a=%"],
  ["urlquery.encode(input.x)", 7],
  ["urlquery.encode_object(input.x)", { a: 7 }],
  ["yaml.marshal(input.x)", "\u007f"],
  ["yaml.unmarshal(input.x)", "a: b: c"],
  ["http.send(input.x)", { method: "get", url: "http://elsewhere.test/" }],
  ["net.lookup_ip_addr(input.x)", "elsewhere.test"],
];

/** Those that have a value, or none without that being an error, for any operands; as in OPA. */
const NEVER_FAIL: Readonly<Record<string, string>> = {
  "graphql.is_valid": "what is no text, or no GraphQL, is false",
  "graphql.parse_and_verify": "what is wrong with it is part of the value",
  "graphql.schema_is_valid": "as graphql.is_valid",
  "json.verify_schema": "what is wrong with the schema is part of the value",
  "net.cidr_is_valid": "what is no text is false",
  "opa.runtime": "takes no operands",
  "semver.is_valid": "what is no text is false",
  "time.now_ns": "takes no operands",
  "uri.is_valid": "what is no text is false",
  "uuid.parse": "what is no UUID has no value",
  "uuid.rfc4122": "takes any key",
  "yaml.is_valid": "what is no text is false",
};

const network = createNetworkBuiltins({
  httpSend: { allowedHosts: ["allowed.test"] },
  netLookup: { allowedHosts: ["allowed.test"] },
});
const find = (name: string) => network.find(name) ?? findBuiltin(name);

const source = (i: number, call: string): string => `
deny_${i} if { y := ${call}; y != "nothing" }
allow_${i} if not deny_${i}
`;
let strict: Policy;
let lenient: Policy;
before(async () => {
  const text = `package p\nimport future.keywords\n${rows.map(([call], i) => source(i, call)).join("")}`;
  const request = (isStrict: boolean): CompileRequest => ({
    files: [{ path: "p.rego", text }],
    entrypoints: rows.map((_, i) => `p/allow_${i}`),
    regoVersion: "v0", // which has the deprecated builtins too
    builtins: [...builtinNames, ...network.names],
    ...nativeRequest(isStrict),
  });
  const [a, b] = await compileRegoBatch([request(true), request(false)]);
  assert.ok(a?.ok && b?.ok, JSON.stringify([a, b].map((one) => one?.ok === false && one.errors)));
  strict = loadPolicy(a.value.wasm, { findBuiltin: find, strictBuiltinErrors: true });
  lenient = loadPolicy(b.value.wasm, { findBuiltin: find, strictBuiltinErrors: false });
});

const nameOf = (call: string): string => call.slice(0, call.indexOf("("));

for (const [i, [call, x]] of rows.entries()) {
  it(`an error in a rule that denies is no allow: ${call} of ${JSON.stringify(x)}`, () => {
    const input = JSON.stringify({ x });
    const entrypoint = `p/allow_${i}`;
    assert.throws(
      () => strict.evaluate(input, { entrypoint }),
      (error) => {
        assert.ok(error instanceof PolicyError);
        assert.equal(error.code, "policy_builtin_error", error.message);
        assert.ok(error.message.startsWith(`${nameOf(call)}: `), error.message);
        return true;
      },
    );
    assert.equal(lenient.evaluate(input, { entrypoint }), '[{"result":true}]', "as OPA has it without strict errors");
  });
  it(`a missing operand is no error: ${call}`, () => {
    assert.equal(strict.evaluate("{}", { entrypoint: `p/allow_${i}` }), '[{"result":true}]');
  });
}

it("every builtin of the host is tried, or known never to fail", () => {
  const tried = new Set(rows.map(([call]) => nameOf(call)));
  const names = [...builtinNames, ...network.names].sort();
  assert.deepEqual(
    names.filter((name) => !tried.has(name) && !(name in NEVER_FAIL)),
    [],
  );
  assert.deepEqual(
    Object.keys(NEVER_FAIL).filter((name) => tried.has(name) || !names.includes(name)),
    [],
  );
});
