import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isErrorStatus, MAX_MESSAGE_OCTETS, toPercentEncoded } from "../../../../src/server/http2/grpc-status.ts";

describe("a status", () => {
  it("ends a call without a message when it is an error that gRPC knows", () => {
    for (let code = 1; code <= 16; code++) assert.equal(isErrorStatus(code), true, `${code}`);
    for (const code of [0, -0, -1, 17, 99, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.equal(isErrorStatus(code), false, `${code}`);
    }
  });
});

describe("a status message", () => {
  const rows: readonly (readonly [text: string, encoded: string])[] = [
    ["", ""],
    ["internal error", "internal error"],
    ["50%", "50%25"],
    ["%41", "%2541"],
    ["caf\u00e9", "caf%C3%A9"],
    ["\u{1f512}", "%F0%9F%94%92"],
    ["a\nb\tc\0", "a%0Ab%09c%00"],
    ["\x7f", "%7F"],
    ["a\ud800b", "a%EF%BF%BDb"],
    ["\udc00\ud800", "%EF%BF%BD%EF%BF%BD"],
    ["\ud83d\udd12\udd12", "%F0%9F%94%92%EF%BF%BD"],
    [" both ends ", "%20both ends%20"],
    ["  ", "%20%20"],
    [" ", "%20"],
    ["!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"],
  ];
  for (const [text, encoded] of rows) {
    it(`${JSON.stringify(text)} is written ${encoded}`, () => assert.equal(toPercentEncoded(text), encoded));
  }

  it("is ASCII without control characters for every text, and decodes to what it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const encoded = toPercentEncoded(text);
        assert.match(encoded, /^(?:[!-~](?:[ -~]*[!-~])?)?$/);
        assert.equal(decodeURIComponent(encoded), Buffer.from(text, "utf8").toString("utf8"));
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it("is cut off at a whole character when it is long", () => {
    for (const char of ["a", "\u00e9", "\u20ac", "\u{1f512}"]) {
      for (let lead = 0; lead < 4; lead++) {
        const text = "x".repeat(lead) + char.repeat(2000);
        const decoded = decodeURIComponent(toPercentEncoded(text));
        assert.ok(text.startsWith(decoded));
        const octets = Buffer.byteLength(decoded);
        assert.ok(octets <= MAX_MESSAGE_OCTETS && octets > MAX_MESSAGE_OCTETS - 4, `${octets}`);
      }
    }
  });
});
