import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BenchReport, toBenchJson, toBenchText } from "../../../../src/policy/bench/report.ts";

const REPORT: BenchReport = {
  entrypoint: "envoy/authz/allow",
  result: "true",
  engine: "native",
  strictErrors: "all",
  evaluations: 1000,
  us: { p50: 8.1234, p90: 9, p99: 12.5, max: 2345.678, mean: 8.5 },
  perSecond: 117_647.05,
  phases: {
    writeUs: 0.12,
    parseUs: 4.7,
    evaluateUs: 2.2,
    builtinsUs: 1.5,
    readUs: 0.1,
    builtins: [
      { name: "io.jwt.decode", calls: 1, us: 1.1 },
      { name: "sprintf", calls: 2.5, us: 0.4 },
    ],
  },
  inputBytes: 1250,
  dataBytes: 20_480,
  steps: { taken: 50_000, budget: 20_000_000 },
  memoryBytes: 12_582_912,
  evaluationBytes: 8192,
  asked: [],
};

describe("the report as text", () => {
  it("has a line for each figure, builtins below their phase", () => {
    assert.equal(
      toBenchText(REPORT),
      [
        "entrypoint:            envoy/authz/allow",
        "result:                true",
        "strict mode:           on",
        "evaluations:           1000, 117647/s on one core",
        "one evaluation:        p50 8.12 µs, p90 9.00 µs, p99 12.50 µs, max 2.35 ms",
        "  write input:         0.12 µs",
        "  parse input:         4.70 µs",
        "  evaluate:            2.20 µs",
        "  builtins:            1.50 µs",
        "    io.jwt.decode:     1.10 µs, 1 call",
        "    sprintf:           0.40 µs, 2.50 calls",
        "  read result:         0.10 µs",
        "budget:                50000 of 20000000 steps (0.25%)",
        "input:                 1250 bytes",
        "data:                  20 KiB",
        "memory:                12.0 MiB, of which an evaluation takes 8192 bytes",
        "",
      ].join("\n"),
    );
  });

  const { result: _, steps: __, phases: ___, ...bare } = REPORT;
  const lines: readonly (readonly [string, BenchReport, RegExp])[] = [
    ["an undefined result", bare, /^result: +undefined$/m],
    ["no budget", bare, /^budget: +off$/m],
    ["strict mode that is off", { ...REPORT, strictErrors: "off" }, /^strict mode: +off$/m],
    [
      "strict mode of a compiled module, which has one half of it",
      { ...REPORT, strictErrors: "host" },
      /^strict mode: +on for the host's builtins, off for those of the module: it came compiled without guards$/m,
    ],
    [
      "what was asked outside",
      { ...REPORT, asked: [{ about: "http.send to https://example.org", ms: 12.34 }] },
      /^asked once: +http\.send to https:\/\/example\.org, answered after 12\.3 ms$/m,
    ],
    ["a note", { ...REPORT, note: "patterns" }, /^note: +patterns$/m],
    ["text of others without its controls", { ...REPORT, result: '"\u001b[2J\u202e"' }, /\\u001b\[2J\\u202e/],
  ];
  it("cuts a long result, which JSON has whole", () => {
    const result = JSON.stringify("x".repeat(5_000));
    const report = { ...REPORT, result };
    assert.match(toBenchText(report), /result: +"x{199}… \(5002 characters\)\n/);
    assert.ok(toBenchJson(report).includes(result));
  });
  for (const [name, report, expected] of lines) it(`has ${name}`, () => assert.match(toBenchText(report), expected));

  it("leaves phases out where there are none", () => {
    assert.doesNotMatch(toBenchText(bare), /parse input|builtins/);
  });
});

describe("the report as JSON", () => {
  it("is one line with names that carry their units, to thousandths", () => {
    const text = toBenchJson(REPORT);
    assert.match(text, /^[^\n]*\n$/);
    assert.deepEqual(JSON.parse(text), {
      entrypoint: "envoy/authz/allow",
      engine: "native",
      strict_builtin_errors: "all",
      evaluations: 1000,
      evaluations_per_second: 117_647,
      evaluation_us: { p50: 8.123, p90: 9, p99: 12.5, max: 2345.678, mean: 8.5 },
      phases_us: { write_input: 0.12, parse_input: 4.7, evaluate: 2.2, builtins: 1.5, read_result: 0.1 },
      builtins: [
        { name: "io.jwt.decode", calls: 1, us: 1.1 },
        { name: "sprintf", calls: 2.5, us: 0.4 },
      ],
      steps: 50_000,
      budget_steps: 20_000_000,
      input_bytes: 1250,
      data_bytes: 20_480,
      memory_bytes: 12_582_912,
      evaluation_memory_bytes: 8192,
      asked: [],
      result: true,
    });
  });

  it("keeps every digit of the result, and has none when it is undefined", () => {
    assert.match(
      toBenchJson({ ...REPORT, result: "[12345678901234567890]" }),
      /"result":\[12345678901234567890\]\}\n$/,
    );
    const { result: _, ...undefinedResult } = REPORT;
    assert.equal("result" in JSON.parse(toBenchJson(undefinedResult)), false);
  });
});
