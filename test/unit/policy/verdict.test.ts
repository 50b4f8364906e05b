import assert from "node:assert/strict";
import { it } from "node:test";
import { RegoObject } from "../../../src/policy/value.ts";
import { toVerdict, type Verdict } from "../../../src/policy/verdict.ts";
import { ENVOY_STATUS_CODES } from "../../../src/policy/verdict-status.ts";

const verdictOf = (decision: string): Verdict => {
  const verdict = toVerdict(`[{"result":${decision}}]`);
  assert.ok(verdict.ok, JSON.stringify(verdict));
  return verdict.value;
};

const refusalOf = (decision: string): string | undefined => {
  const verdict = toVerdict(`[{"result":${decision}}]`);
  assert.deepEqual({ ok: verdict.ok, code: verdict.ok ? "" : verdict.code }, { ok: false, code: "policy_result_type" });
  return verdict.ok ? "" : verdict.detail;
};

it("takes the two booleans as plain verdicts", () => {
  assert.deepEqual(verdictOf("true"), { allow: true, plain: true });
  assert.deepEqual(verdictOf("false"), { allow: false, plain: true });
  assert.deepEqual(toVerdict('[ {"result" : true} ]'), { ok: true, value: { allow: true, plain: true } });
});

it("calls an empty result set undefined", () => {
  assert.deepEqual(toVerdict("[]"), { ok: false, code: "policy_undefined", detail: "undefined decision" });
});

for (const [decision, type] of [
  ['"true"', "string"],
  ["1", "json.Number"],
  ["null", "<nil>"],
  ["[true]", "[]interface {}"],
] as const) {
  it(`allows nothing that is merely truthy: ${decision}`, () => {
    assert.equal(
      refusalOf(decision),
      `failed to get response status: illegal value for policy evaluation result: ${type}`,
    );
  });
}

for (const resultSet of ['[{"result":true},{"result":true}]', '[{"other":true}]', "[true]", "true", "{}"]) {
  it(`refuses a result set of another shape: ${resultSet}`, () => {
    const verdict = toVerdict(resultSet);
    assert.equal(verdict.ok ? "allowed" : verdict.code, "policy_result_type");
  });
}

it("refuses a result that nests deeper than any value: an engine that has not looked must not make it a fault", () => {
  const verdict = toVerdict(
    `[{"result":{"allowed":true,"dynamic_metadata":${"[".repeat(2_001)}${"]".repeat(2_001)}}}]`,
  );
  assert.deepEqual(verdict, { ok: false, code: "policy_result_type", detail: "nested deeper than 2000" });
});

const ASSERTION = "type assertion error, expected";
const refused = [
  ["{}", 'failed to get response status: unable to determine evaluation result due to missing "allowed" key'],
  [
    '{"allowed":"true"}',
    `failed to get response status: ${ASSERTION} allowed to be of type 'boolean' but got 'string'`,
  ],
  [
    '{"allowed":1}',
    `failed to get response status: ${ASSERTION} allowed to be of type 'boolean' but got 'json.Number'`,
  ],
  ['{"allowed":null}', `failed to get response status: ${ASSERTION} allowed to be of type 'boolean' but got '<nil>'`],
  [
    '{"allowed":true,"headers":null}',
    `failed to get response headers: ${ASSERTION} headers to be of type 'object' but got '<nil>'`,
  ],
  [
    '{"allowed":true,"headers":"x"}',
    `failed to get response headers: ${ASSERTION} headers to be of type 'object' but got 'string'`,
  ],
  [
    '{"allowed":true,"headers":["x"]}',
    `failed to get response headers: ${ASSERTION} headers to be of type 'object' but got 'string'`,
  ],
  ['{"allowed":true,"headers":{"x":1}}', "failed to get response headers: type assertion error for header 'x'"],
  ['{"allowed":true,"headers":{"x":null}}', "failed to get response headers: type assertion error for header 'x'"],
  [
    '{"allowed":true,"headers":{"x":["a",1]}}',
    "failed to get response headers: invalid value type json.Number for header 'x'",
  ],
  [
    '{"allowed":true,"dynamic_metadata":[1]}',
    `failed to get dynamic metadata: ${ASSERTION} dynamic_metadata to be of type 'object' but got '[]interface {}'`,
  ],
  [
    '{"allowed":true,"dynamic_metadata":{"n":1e400}}',
    'failed to get dynamic metadata: invalid number format "1e400", expected a float64',
  ],
  [
    '{"allowed":true,"dynamic_metadata":{"l":[{"n":1e400}]}}',
    'failed to get dynamic metadata: invalid number format "1e400", expected a float64',
  ],
  [
    '{"allowed":true,"request_headers_to_remove":"x"}',
    `failed to get request headers to remove: ${ASSERTION} request_headers_to_remove to be of type '[]string' but got 'string'`,
  ],
  [
    '{"allowed":true,"request_headers_to_remove":[1]}',
    `failed to get request headers to remove: ${ASSERTION} request_headers_to_remove value to be of type 'string' but got 'json.Number'`,
  ],
  [
    '{"allowed":true,"response_headers_to_add":7}',
    `failed to get response headers to send to client: ${ASSERTION} headers to be of type 'object' but got 'json.Number'`,
  ],
  [
    '{"allowed":true,"query_parameters_to_remove":{}}',
    `failed to get request query parameters to remove: ${ASSERTION} query_parameters_to_remove to be of type '[]string' but got 'map[string]interface {}'`,
  ],
  [
    '{"allowed":true,"query_parameters_to_set":[{"a":"1"}]}',
    `failed to get request query parameters to set: ${ASSERTION} query_parameters_to_set to be a map but got '[]interface {}'`,
  ],
  [
    '{"allowed":true,"query_parameters_to_set":{"a":1}}',
    `failed to get request query parameters to set: ${ASSERTION} value to be string or array but got 'json.Number'`,
  ],
  [
    '{"allowed":true,"query_parameters_to_set":{"a":[1]}}',
    "failed to get request query parameters to set: type assertion error: expected array element to be string but got 'json.Number'",
  ],
  [
    '{"allowed":false,"body":1}',
    `failed to get response body: ${ASSERTION} body to be of type 'string' but got 'json.Number'`,
  ],
  [
    '{"allowed":false,"body":null}',
    `failed to get response body: ${ASSERTION} body to be of type 'string' but got '<nil>'`,
  ],
  [
    '{"allowed":false,"http_status":"401"}',
    `failed to get response http status: ${ASSERTION} http_status to be of type 'number' but got 'string'`,
  ],
  [
    '{"allowed":false,"http_status":403.0}',
    'failed to get response http status: error converting JSON number to int: strconv.ParseInt: parsing "403.0": invalid syntax',
  ],
  [
    '{"allowed":false,"http_status":4.03e2}',
    'failed to get response http status: error converting JSON number to int: strconv.ParseInt: parsing "4.03e2": invalid syntax',
  ],
  [
    '{"allowed":false,"http_status":99999999999999999999}',
    'failed to get response http status: error converting JSON number to int: strconv.ParseInt: parsing "99999999999999999999": value out of range',
  ],
  ['{"allowed":false,"http_status":451}', "failed to get response http status: invalid HTTP status code 451"],
  ['{"allowed":false,"http_status":0}', "failed to get response http status: invalid HTTP status code 0"],
  ['{"allowed":false,"http_status":-403}', "failed to get response http status: invalid HTTP status code -403"],
] as const;
for (const [decision, sentence] of refused) {
  it(`refuses ${decision}`, () => assert.equal(refusalOf(decision), sentence));
}

it("ignores keys of the branch that is not taken, and unknown keys", () => {
  assert.equal(verdictOf('{"allowed":false,"request_headers_to_remove":5,"query_parameters_to_set":1}').allow, false);
  assert.equal(verdictOf('{"allowed":true,"http_status":"bad","body":7,"reason":1,"append":true}').allow, true);
});

it("reads every key of an allow", () => {
  const verdict = verdictOf(
    '{"allowed":true,"headers":{"x":"1","y":["2","3"]},"request_headers_to_remove":["r"],"response_headers_to_add":[{"z":"4"},{"z":"5"}],"query_parameters_to_remove":["q"],"query_parameters_to_set":{"a":["1","2"],"b":"3"},"dynamic_metadata":{"k":1}}',
  );
  assert.ok(!verdict.plain && verdict.allow);
  const header = (key: string, value: string) => ({ key, value });
  assert.deepEqual(verdict.headers, [header("x", "1"), header("y", "2"), header("y", "3")]);
  assert.deepEqual(verdict.headersToRemove, ["r"]);
  assert.deepEqual(verdict.responseHeadersToAdd, [header("z", "4"), header("z", "5")]);
  assert.deepEqual(verdict.queryParametersToRemove, ["q"]);
  assert.deepEqual(verdict.queryParametersToSet, [header("a", "1"), header("a", "2"), header("b", "3")]);
  assert.ok(verdict.dynamicMetadata instanceof RegoObject);
});

it("reads every key of a denial, 403 unless told otherwise", () => {
  const verdict = verdictOf('{"allowed":false,"headers":{"www-authenticate":"Bearer"},"body":"no","http_status":401}');
  assert.ok(!verdict.plain && !verdict.allow);
  assert.deepEqual([verdict.httpStatus, verdict.body, verdict.headers.length], [401, "no", 1]);
  const bare = verdictOf('{"allowed":false}');
  assert.ok(!bare.plain && !bare.allow);
  assert.deepEqual([bare.httpStatus, bare.body, bare.headers], [403, "", []]);
});

it("accepts exactly the status codes that Envoy knows, of 0 to 999", () => {
  for (let status = 0; status < 1000; status++) {
    const verdict = toVerdict(`[{"result":{"allowed":false,"http_status":${status}}}]`);
    assert.equal(verdict.ok, ENVOY_STATUS_CODES.has(status), String(status));
  }
  assert.equal(ENVOY_STATUS_CODES.size, 56);
});

for (const [name, character] of [
  ["CR", "\\r"],
  ["LF", "\\n"],
  ["NUL", "\\u0000"],
] as const) {
  for (const decision of [
    `{"allowed":true,"headers":{"x":"a${character}b"}}`,
    `{"allowed":true,"headers":{"x${character}":"a"}}`,
    `{"allowed":true,"response_headers_to_add":{"x":["a","${character}"]}}`,
    `{"allowed":false,"headers":{"x":"${character}"}}`,
  ]) {
    it(`refuses ${name} in a header, which could start another one: ${decision}`, () => {
      assert.match(refusalOf(decision) ?? "", /control character/);
      assert.equal(toVerdict(`[{"result":${decision}}]`, { allowHeaderControlCharacters: true }).ok, true);
    });
  }
}
