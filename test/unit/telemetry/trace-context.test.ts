import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseB3, parseTraceparent, resolveTraceContext } from "../../../src/telemetry/trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const good = `00-${traceId}-${spanId}-01`;
const context = { traceId, spanId, sampled: true };

describe("traceparent", () => {
  const accepted = [
    ["sampled", good, true],
    ["not sampled", `00-${traceId}-${spanId}-00`, false],
    ["other flags beside sampled", `00-${traceId}-${spanId}-ff`, true],
    ["a later version", `cc-${traceId}-${spanId}-01`, true],
    ["a later version with more fields", `cc-${traceId}-${spanId}-01-what-the-future-brings`, true],
  ] as const;
  for (const [name, text, sampled] of accepted) {
    it(`accepts: ${name}`, () =>
      assert.deepEqual(parseTraceparent(text), { ok: true, value: { ...context, sampled } }));
  }
  const rejected = [
    ["empty", ""],
    ["upper-case hex", good.toUpperCase()],
    ["version ff", `ff-${traceId}-${spanId}-01`],
    ["more fields in version 00", `${good}-01`],
    ["a later version with a tail that is no field", `cc-${traceId}-${spanId}-01.what`],
    ["trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["trace id too short", `00-${traceId.slice(1)}-${spanId}-01`],
    ["trace id too long", `00-${traceId}0-${spanId}-01`],
    ["space around", ` ${good}`],
    ["line feed after", `${good}\n`],
    ["two joined by a comma", `${good},${good}`],
    ["too long", `cc-${traceId}-${spanId}-01-${"a".repeat(1_000)}`],
  ] as const;
  for (const [name, text] of rejected) {
    it(`rejects: ${name}`, () =>
      assert.deepEqual(parseTraceparent(text), { ok: false, code: "traceparent_malformed" }));
  }
  it("accepts exactly lower-case hex in the trace id, of all 256 characters", () => {
    for (let byte = 0; byte < 256; byte++) {
      const char = String.fromCharCode(byte);
      const text = `00-${char}${traceId.slice(1)}-${spanId}-01`;
      assert.equal(parseTraceparent(text).ok, /[0-9a-f]/.test(char), `0x${byte.toString(16)}`);
    }
  });
});

describe("b3", () => {
  const accepted = [
    ["sampled", `${traceId}-${spanId}-1`, context],
    ["debug counts as sampled", `${traceId}-${spanId}-d`, context],
    ["not sampled", `${traceId}-${spanId}-0`, { ...context, sampled: false }],
    ["undecided", `${traceId}-${spanId}`, { ...context, sampled: false }],
    ["with a parent span", `${traceId}-${spanId}-1-05e3ac9a4f6e3b90`, context],
    ["64-bit trace id", `${spanId}-${spanId}-1`, { ...context, traceId: `${"0".repeat(16)}${spanId}` }],
  ] as const;
  for (const [name, text, value] of accepted) {
    it(`accepts: ${name}`, () => assert.deepEqual(parseB3(text), { ok: true, value }));
  }
  for (const text of [
    "",
    "0",
    "1",
    "d",
    `${traceId}`,
    `${traceId}-${spanId}-2`,
    `${"0".repeat(32)}-${spanId}-1`,
    `${traceId}-${spanId}-1-`,
  ]) {
    it(`rejects: \`${text}\``, () => assert.deepEqual(parseB3(text), { ok: false, code: "b3_malformed" }));
  }
});

describe("choice of the request's trace", () => {
  const other = "a".repeat(32);
  const single = `${other}-${spanId}-1`;
  const multi = { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-sampled": "1" };
  const rows: readonly (readonly [string, Readonly<Record<string, string>>, unknown])[] = [
    ["nothing", {}, undefined],
    ["traceparent before b3", { traceparent: good, b3: single }, context],
    ["b3 when traceparent is malformed", { traceparent: "x", b3: single }, { ...context, traceId: other }],
    ["separate b3 headers", multi, context],
    ["separate b3 headers, old words", { ...multi, "x-b3-sampled": "true" }, context],
    ["separate b3 headers, old words for no", { ...multi, "x-b3-sampled": "false" }, { ...context, sampled: false }],
    ["separate b3 headers, debug", { ...multi, "x-b3-sampled": "0", "x-b3-flags": "1" }, context],
    [
      "separate b3 headers, undecided",
      { "x-b3-traceid": traceId, "x-b3-spanid": spanId },
      { ...context, sampled: false },
    ],
    ["a separate trace id without a span", { "x-b3-traceid": traceId }, undefined],
    ["a separate span id that brings its own fields", { ...multi, "x-b3-spanid": `${spanId}-1-` }, undefined],
  ];
  for (const [name, headers, want] of rows) {
    it(name, () =>
      assert.deepEqual(
        resolveTraceContext((header) => headers[header]),
        want,
      ),
    );
  }
});

it("never throws and never makes up an id, for any headers", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
      const headers: Readonly<Record<string, string>> = { traceparent: a, b3: b, "x-b3-traceid": c, "x-b3-spanid": a };
      const trace = resolveTraceContext((header) => headers[header]);
      if (trace !== undefined) assert.match(`${trace.traceId}-${trace.spanId}`, /^[0-9a-f]{32}-[0-9a-f]{16}$/);
    }),
    { seed: 1, numRuns: 500 },
  );
});
