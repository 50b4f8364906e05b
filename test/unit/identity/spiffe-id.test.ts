import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { packageRoot } from "../../../src/base/package-root.ts";
import { isWorkloadId, parseSpiffeId } from "../../../src/identity/spiffe-id.ts";

interface Row {
  readonly input: string;
  readonly valid: boolean;
  readonly workload: boolean;
  readonly error: string | null;
  readonly note: string;
}

const VECTORS = JSON.parse(readFileSync(join(packageRoot(), "test/vectors/spiffe-id.json"), "utf8")) as Row[];
/** The grammar in one expression, written apart from the parser. */
const GRAMMAR = /^spiffe:\/\/(?=[\s\S]{1,2039}$)[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$(?![\s\S])/;

const codeOf = (text: string): string | null => {
  const parsed = parseSpiffeId(text);
  return parsed.ok ? null : parsed.code;
};

describe("parseSpiffeId", () => {
  it("agrees with every recorded row", () => {
    assert.ok(VECTORS.length >= 44);
    for (const { input, valid, workload, error, note } of VECTORS) {
      const parsed = parseSpiffeId(input);
      assert.equal(parsed.ok, valid, `${input}: ${note}`);
      assert.equal(parsed.ok ? null : parsed.code, error, `${input}: ${note}`);
      assert.equal(parsed.ok && isWorkloadId(parsed.value), workload, `${input}: ${note}`);
      assert.equal(GRAMMAR.test(input), valid, `the grammar on ${input}`);
    }
  });

  it("gives the parts as they were written", () => {
    const parsed = parseSpiffeId("spiffe://example.org/ns/Web/sa/a.b-c_d");
    assert.deepEqual(parsed.ok && parsed.value, {
      id: "spiffe://example.org/ns/Web/sa/a.b-c_d",
      trustDomain: "example.org",
      path: "/ns/Web/sa/a.b-c_d",
    });
  });

  const rows: readonly (readonly [text: string, code: string | null])[] = [
    ["spiffe:", "scheme"],
    ["spiffe:/example.org/a", "scheme"],
    ["//example.org/a", "scheme"],
    ["wimse://example.org/a", "scheme"],
    ["Spiffe://example.org/a", "scheme"],
    [" spiffe://example.org/a", "scheme"],
    ["spiffe://", "td_missing"],
    ["spiffe:///a", "td_missing"],
    ["spiffe://Example.org/a", "td_char"],
    ["spiffe://exämple.org/a", "td_char"],
    ["spiffe://user:pw@example.org/a", "td_char"],
    ["spiffe://example.org:8443/a", "td_char"],
    ["spiffe://[::1]/a", "td_char"],
    ["spiffe://example.org\\a", "td_char"],
    ["spiffe://exa\tmple.org/a", "td_char"],
    ["spiffe://example.org?x", "td_char"],
    ["spiffe://example.org\n", "td_char"],
    ["spiffe://example.org/", "trailing_slash"],
    ["spiffe://example.org/a/", "trailing_slash"],
    ["spiffe://example.org//", "empty_segment"],
    ["spiffe://example.org/a//b", "empty_segment"],
    ["spiffe://example.org/../admin", "dot_segment"],
    ["spiffe://example.org/a/.", "dot_segment"],
    ["spiffe://example.org/a%2Fb", "path_char"],
    ["spiffe://example.org/a?", "path_char"],
    ["spiffe://example.org/a#f", "path_char"],
    ["spiffe://example.org/a\n", "path_char"],
    ["spiffe://example.org/a\u0000/../admin", "path_char"],
    ["spiffe://example.org/a\u200b", "path_char"],
    ["spiffe://example.org/...", null],
    ["spiffe://example.org./x", null],
  ];
  for (const [text, code] of rows) {
    it(`says ${code ?? "yes"} to ${JSON.stringify(text)}`, () => {
      assert.equal(codeOf(text), code);
      assert.equal(GRAMMAR.test(text), code === null);
    });
  }

  it("takes a trust domain of 255 bytes and an ID of 2048, and not one more", () => {
    assert.equal(codeOf(`spiffe://${"a".repeat(255)}/x`), null);
    assert.equal(codeOf(`spiffe://${"a".repeat(256)}/x`), "td_too_long");
    const id = (bytes: number): string => `spiffe://td/${"a".repeat(bytes - "spiffe://td/".length)}`;
    assert.equal(codeOf(id(2048)), null);
    assert.equal(codeOf(id(2049)), "too_long");
    assert.equal(codeOf(`spiffe://td${"/a".repeat(1018)}`), null);
  });

  it("takes exactly the characters of the grammar at every place, of all 256", () => {
    const places: readonly (readonly [name: string, put: (char: string) => string, allowed: RegExp | string])[] = [
      ["scheme", (char) => `spiff${char}://example.org/a`, "e"],
      ["colon", (char) => `spiffe${char}//example.org/a`, ":"],
      ["trust domain, first", (char) => `spiffe://${char}xample.org/a`, /[a-z0-9._-]/],
      ["trust domain, middle", (char) => `spiffe://exa${char}ple.org/a`, /[a-z0-9._/-]/],
      ["trust domain, last", (char) => `spiffe://example.or${char}/a`, /[a-z0-9._-]/],
      ["path, first", (char) => `spiffe://example.org/${char}b`, /[A-Za-z0-9._-]/],
      ["path, middle", (char) => `spiffe://example.org/a${char}b`, /[A-Za-z0-9._/-]/],
      ["path, last", (char) => `spiffe://example.org/ab${char}`, /[A-Za-z0-9._-]/],
    ];
    for (const [name, put, allowed] of places) {
      for (let byte = 0; byte < 256; byte++) {
        const char = String.fromCharCode(byte);
        const want = typeof allowed === "string" ? char === allowed : allowed.test(char);
        assert.equal(parseSpiffeId(put(char)).ok, want, `${name}: byte ${byte}`);
        assert.equal(GRAMMAR.test(put(char)), want, `the grammar, ${name}: byte ${byte}`);
      }
    }
  });

  it("agrees with the grammar when any one place holds any of the 256 characters, in its stead or beside it", () => {
    const good = "spiffe://td.example/ns/a-b/sa/C_1";
    for (let at = 0; at <= good.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const char = String.fromCharCode(byte);
        for (const behind of [good.slice(at), good.slice(at + 1)]) {
          const text = good.slice(0, at) + char + behind;
          assert.equal(
            parseSpiffeId(text).ok,
            GRAMMAR.test(text),
            `place ${at}, byte ${byte}: ${JSON.stringify(text)}`,
          );
          if (at < "spiffe://".length)
            assert.equal(parseSpiffeId(text).ok, text === good, `scheme: ${JSON.stringify(text)}`);
        }
      }
    }
  });
});
