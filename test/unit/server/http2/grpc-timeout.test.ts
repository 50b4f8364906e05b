import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseGrpcTimeoutMs } from "../../../../src/server/http2/grpc-timeout.ts";

describe("grpc-timeout", () => {
  const good: readonly (readonly [text: string, ms: number])[] = [
    ["1H", 3_600_000],
    ["1M", 60_000],
    ["1S", 1000],
    ["1m", 1],
    ["1u", 0.001],
    ["1n", 0.000_001],
    ["200m", 200],
    ["0m", 0],
    ["00000000S", 0],
    ["00000007m", 7],
    ["99999999H", 99_999_999 * 3_600_000],
    ["99999999M", 99_999_999 * 60_000],
    ["99999999S", 99_999_999_000],
    ["99999999m", 99_999_999],
    ["99999999u", 99_999.999],
    ["99999999n", 99.999_999],
  ];
  for (const [text, ms] of good) {
    it(`${text} is ${ms} ms`, () => {
      const parsed = parseGrpcTimeoutMs(text);
      assert.ok(parsed.ok);
      assert.ok(Math.abs(parsed.value - ms) <= ms * 1e-12, `${parsed.value}`);
    });
  }

  const bad = [
    ...["", "m", "1", "10", "soon", "100000000m", "123456789n", "1 m", " 1m", "1m ", "1m\n", "-1m", "+1m", "1.5S"],
    ...[
      "0x1m",
      "1e2m",
      "1h",
      "1s",
      "1N",
      "1U",
      "1ms",
      "1mm",
      "m1",
      "1,1m",
      "1m,1m",
      "\u0661m",
      "\xb2m",
      "NaNm",
      "Infinitym",
    ],
  ];
  for (const text of bad) {
    it(`${JSON.stringify(text)} cannot be read`, () => {
      assert.deepEqual(parseGrpcTimeoutMs(text), { ok: false, code: "timeout_unreadable" });
    });
  }

  it("has six units and no other octet in their place", () => {
    for (let octet = 0; octet < 256; octet++) {
      const unit = String.fromCharCode(octet);
      assert.equal(parseGrpcTimeoutMs(`1${unit}`).ok, "HMSmun".includes(unit), JSON.stringify(unit));
    }
  });
});
