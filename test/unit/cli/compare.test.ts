import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import fc from "fast-check";
import type { CheckHandler } from "../../../src/authz/check-handler.ts";
import { encodeCheckRequest } from "../../../src/authz/check-request-json.ts";
import { type Decision, decided, refuse } from "../../../src/authz/decision.ts";
import { createResponseWriter } from "../../../src/authz/response.ts";
import { message, messageField, presentStringField, uint32Field } from "../../../src/base/protobuf-fields.ts";
import { type Answer, readAnswer, toErrorAnswer } from "../../../src/cli/compare-answer.ts";
import { compareAnswers, toCompareText } from "../../../src/cli/compare-report.ts";
import { runCli } from "../../../src/cli/index.ts";
import { toVerdict } from "../../../src/policy/verdict.ts";
import { makeFolder, openTestServer } from "../../support/open-check-server.ts";

function answerTo(decision: unknown, id = "0".repeat(36)): Answer {
  const verdict = toVerdict(JSON.stringify([{ result: decision }]), {});
  assert.ok(verdict.ok);
  return answerOf(decided(verdict.value), id);
}

function answerOf(decision: Decision, id = "0".repeat(36)): Answer {
  const reply = createResponseWriter({ onError: "deny", dryRun: false }).write(decision, id);
  assert.ok(reply.kind === "message");
  const answer = readAnswer(reply.bytes);
  assert.ok(answer !== undefined);
  return answer;
}

const ALLOW = {
  allowed: true,
  headers: { "x-b": "2", "x-a": ["1", "1"] },
  request_headers_to_remove: ["y", "x"],
  response_headers_to_add: { "set-cookie": ["c", "d"] },
  query_parameters_to_set: { q: "1" },
  query_parameters_to_remove: ["r"],
  dynamic_metadata: { n: 1.5, o: { b: [true, null, "t"], a: {} } },
};

it("reads everything that an answer tells Envoy", () => {
  assert.deepEqual(answerTo(ALLOW), {
    outcome: "allow",
    facts: {
      headers: ["x-a: 1", "x-a: 1", "x-b: 2"],
      headers_to_remove: ["x", "y"],
      response_headers: ["set-cookie: c", "set-cookie: d"],
      query_to_set: ["q=1"],
      query_to_remove: ["r"],
      dynamic_metadata: ["n: 1.5", 'o: {"a":{},"b":[true,null,"t"]}'],
    },
  });
  assert.deepEqual(answerTo({ allowed: false, http_status: 401, body: "no", headers: { a: "b" } }).facts, {
    http_status: "401",
    headers: ["a: b"],
    body: "no",
    dynamic_metadata: [],
  });
});

it("takes a plain denial for what Envoy makes of it", () => {
  const [plain, spelt] = [answerTo(false), answerTo({ allowed: false, http_status: 403 })];
  assert.equal(compareAnswers("x", plain, spelt), undefined);
  assert.equal(compareAnswers("x", answerTo(true), answerTo({ allowed: true })), undefined);
});

it("takes no notice of decision ids, our reason and the order of headers", () => {
  const other = { ...ALLOW, headers: { "x-a": ["1", "1"], "x-b": "2" }, request_headers_to_remove: ["x", "y"] };
  assert.equal(compareAnswers("x", answerTo(ALLOW), answerTo(other, "1".repeat(36))), undefined);
});

it("counts headers: one that stands twice differs from one that stands once", () => {
  const once = answerTo({ allowed: true, headers: { a: ["1"] } });
  const twice = answerTo({ allowed: true, headers: { a: ["1", "1"] } });
  assert.deepEqual(compareAnswers("x", once, twice)?.changes, [{ fact: "headers", there: [], here: ["a: 1"] }]);
  assert.deepEqual(compareAnswers("x", twice, once)?.changes, [{ fact: "headers", there: ["a: 1"], here: [] }]);
});

const ERROR = toErrorAnswer(2);
const DENIED = answerTo(false);
const ALLOWED = answerTo(true);
for (const [there, here, kind] of [
  [ALLOWED, DENIED, "allowed_there_only"],
  [ALLOWED, ERROR, "allowed_there_only"],
  [DENIED, ALLOWED, "allowed_here_only"],
  [ERROR, ALLOWED, "allowed_here_only"],
  [ERROR, DENIED, "answer"],
  [DENIED, ERROR, "answer"],
  [toErrorAnswer(4), ERROR, "answer"],
  [answerOf(refuse("internal", "x")), DENIED, "answer"],
] as const) {
  it(`sorts ${there.outcome} there, ${here.outcome} here under ${kind}`, () => {
    assert.equal(compareAnswers("x", there, here)?.kind, kind);
    assert.equal(compareAnswers("x", there, there), undefined);
  });
}

it("takes an error_response for an error, and header actions for a difference", () => {
  const status = messageField(1, uint32Field(1, 13));
  const answer = readAnswer(message(status, messageField(5, messageField(1, uint32Field(1, 503)))));
  assert.deepEqual([answer?.outcome, answer?.facts["http_status"]], ["error", "503"]);
  const header = messageField(1, presentStringField(1, "a"), presentStringField(2, "b"));
  const ok = (...more: readonly Uint8Array[]): Answer => {
    const read = readAnswer(message(messageField(1), messageField(3, messageField(2, header, ...more))));
    assert.ok(read !== undefined);
    return read;
  };
  assert.equal(compareAnswers("x", ok(), ok(uint32Field(3, 1)))?.changes[0]?.fact, "headers");
});

it("reads any bytes or refuses them, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const answer = readAnswer(bytes);
      assert.ok(answer === undefined || ["allow", "deny", "error"].includes(answer.outcome));
    }),
    { seed: 7, numRuns: 2000 },
  );
  const whole = createResponseWriter({ onError: "deny", dryRun: false }).write(
    decided({ allow: true, plain: true } as never),
    "0".repeat(36),
  );
  assert.ok(whole.kind === "message");
  for (let length = 1; length < whole.bytes.length; length++) readAnswer(whole.bytes.subarray(0, length));
});

it("escapes what would move the cursor of a terminal", () => {
  const odd = answerTo({ allowed: false, body: "\u001b[2J\u202e" });
  const difference = compareAnswers("\u001b", odd, DENIED);
  assert.ok(difference !== undefined);
  const text = toCompareText(1, [difference]);
  assert.match(text, /^[\x20-\x7e\n]*$/);
  assert.ok(text.includes("`\\u001b[2J\\u202e`"));
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...words: readonly string[]): Promise<Ran> {
  let out = "";
  let err = "";
  const ports = {
    env: {},
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    onSignal: () => undefined,
  };
  const code = await runCli(["compare", ...words], ports);
  return { code, out, err };
}

/** A server that allows the paths that `allows` says. */
const server = async (t: TestContext, allows: (text: string) => boolean): Promise<string> => {
  const writer = createResponseWriter({ onError: "deny", dryRun: false });
  const handler: CheckHandler = (bytes) =>
    writer.write(
      decided({ allow: allows(Buffer.from(bytes).toString("latin1")), plain: true } as never),
      "0".repeat(36),
    );
  return (await openTestServer(t, handler)).address;
};

const toBytes = (path: string): Uint8Array => {
  const encoded = encodeCheckRequest({ attributes: { request: { http: { path } } } });
  assert.ok(encoded.ok);
  return encoded.value;
};

it("asks both sides every request of every kind of file, and ends with 1 when something differs", async (t) => {
  const folder = makeFolder(t);
  const there = await server(t, (text) => text.includes("/a") || text.includes("/both"));
  const here = await server(t, (text) => text.includes("/b"));
  writeFileSync(join(folder, "one.json"), JSON.stringify({ attributes: { request: { http: { path: "/both" } } } }));
  writeFileSync(join(folder, "two.bin"), toBytes("/a"));
  const rows = Array.from({ length: 100 }, (_, index) => ({
    name: `row ${index}`,
    request: Buffer.from(toBytes(index === 50 ? "/b" : index === 60 ? "/a" : "/none")).toString("base64"),
  }));
  writeFileSync(join(folder, "rows.jsonl"), `${rows.map((row) => JSON.stringify(row)).join("\n")}\n\n`);
  const files = ["one.json", "two.bin", "rows.jsonl"].map((name) => join(folder, name));
  const { code, out } = await run("--against", there, "--target", here, "--format", "json", ...files);
  const report = JSON.parse(out) as { requests: number; same: number; differences: { name: string; kind: string }[] };
  assert.equal(code, 1);
  assert.deepEqual([report.requests, report.same], [102, 99]);
  assert.deepEqual(
    report.differences.map(({ name, kind }) => `${kind} ${name.replace(`${folder}/`, "")}`),
    ["allowed_there_only two.bin", "allowed_there_only row 60", "allowed_here_only row 50"],
  );
  const same = await run("--against", there, "--target", there, ...files);
  assert.deepEqual([same.code, same.out], [0, "102 requests: 102 answered the same, 0 not\n"]);
});

it("compares a server with a policy in this process", async (t) => {
  const folder = makeFolder(t);
  const there = await server(t, () => true);
  const request = join(folder, "request.bin");
  writeFileSync(request, toBytes("/no"));
  const policy = join(folder, "policy.rego");
  writeFileSync(policy, 'package envoy.authz\ndefault allow := false\nallow if input.parsed_path == ["ok"]');
  const { code, out } = await run("--against", there, "--policy", policy, request);
  assert.equal(code, 1);
  assert.ok(out.startsWith(`allowed there, not here (1):\n  ${request}: there allow, here deny\n`), out);
});

it("ends with 2 and all problems when there is nobody or nothing to ask", async (t) => {
  const folder = makeFolder(t);
  const request = join(folder, "request.bin");
  writeFileSync(request, toBytes("/"));
  const bad = join(folder, "bad.jsonl");
  writeFileSync(bad, '{"request": "?"}\n{\n[]\n');
  writeFileSync(join(folder, "empty.jsonl"), "\n");
  const there = await server(t, () => true);
  const odd = (await openTestServer(t, () => ({ kind: "message", bytes: Buffer.from([0xff]) }))).address;
  for (const [words, sentences] of [
    [[], [/--against: name the server/, /name the requests/]],
    [
      ["--against", there, "--format", "xml", "none.json"],
      [/--format: `xml` is not valid/, /none\.json: cannot be read: ENOENT/],
    ],
    [
      ["--against", there, bad],
      [/bad\.jsonl:1: `request` must be/, /bad\.jsonl:2: not JSON/, /bad\.jsonl:3: `request` must be/],
    ],
    [["--against", there, join(folder, "empty.jsonl")], [/the files hold no request/]],
    [
      ["--against", "127.0.0.1:1", "--target", there, request],
      [/127\.0\.0\.1:1: cannot be asked: .*check the address/],
    ],
    [["--against", there, "--target", odd, request], [/its answer is no CheckResponse/]],
    [["--against", there, "--target", there, "--policy", "p", request], [/--target: give either/]],
    [["--against", there, "--policy", join(folder, "none.rego"), request], [/none\.rego/]],
  ] as const) {
    const { code, out, err } = await run(...words);
    assert.deepEqual([code, out], [2, ""], words.join(" "));
    for (const sentence of sentences) assert.match(err, sentence);
  }
});
