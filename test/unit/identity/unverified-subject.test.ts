import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { looksLikeJwtSvid } from "../../../src/identity/unverified-subject.ts";
import { encodePart } from "../../support/jwt-svid.ts";

const HEADER = encodePart({ alg: "ES256" });
/** A token around a payload's text. */
const around = (payload: string): string => `${HEADER}.${encodePart(payload)}.AAAA`;

const OURS: readonly (readonly [what: string, text: string])[] = [
  ["a `sub` that is a SPIFFE ID", around('{"sub":"spiffe://td/a"}')],
  ["a `sub` that only begins like one", around('{"sub":"spiffe://"}')],
  ["behind other members", around('{"aud":["a","b"],"x":{"sub":"y"},"n":[{"sub":1}],"sub":"spiffe://td/a"}')],
  ["the first of two", around('{"sub":"spiffe://td/a","sub":"user"}')],
  ["the last of two", around('{"sub":"user","sub":"spiffe://td/a"}')],
  ["an escaped name", around('{"\\u0073\\u0075b":"spiffe://td/a"}')],
  ["an escaped value", around('{"sub":"\\u0073piffe:\\/\\/td\\/a"}')],
  ["a name in another case", around('{"SUB":"spiffe://td/a"}')],
  ["a value in another case", around('{"sub":"SPIFFE://td/a"}')],
  ["white space about", around(`{ "sub" ${" ".repeat(500)}:\n\t" spiffe://td/a"}`)],
  ["a list", around('{"sub":["user","spiffe://td/a"]}')],
  ["a trailing comma", around('{"sub":"spiffe://td/a",}')],
  ["text after it", around('{"sub":"spiffe://td/a"}garbage')],
  ["cut off", around('{"sub":"spiffe://td/a')],
  ["NaN before it", around('{"n":NaN,"sub":"spiffe://td/a"}')],
  ["a byte order mark", around('\ufeff{"sub":"spiffe://td/a"}')],
  ["an object in a list", around('[{"sub":"spiffe://td/a"}]')],
  ["depth beyond any parser's", around(`{"x":${"[".repeat(20_000)},"sub":"spiffe://td/a"`)],
  ["padding", `${HEADER}.${Buffer.from('{"sub":"spiffe://td/a"}').toString("base64")}==.AAAA`],
  ["the other alphabet", `${HEADER}.${Buffer.from('{"x":"???>>>","sub":"spiffe://td/a"}').toString("base64")}.AAAA`],
  ["no signature", `${HEADER}.${encodePart('{"sub":"spiffe://td/a"}')}.`],
  ["no third part", `${HEADER}.${encodePart('{"sub":"spiffe://td/a"}')}`],
  ["a fourth part", `${around('{"sub":"spiffe://td/a"}')}.AAAA`],
  ["an empty header", `.${encodePart('{"sub":"spiffe://td/a"}')}.AAAA`],
  ["quotes around it", `"${around('{"sub":"spiffe://td/a"}')}"`],
  ["more than can be looked at", `${HEADER}.${"A".repeat(64 * 1024)}.AAAA`],
];
const NOT_OURS: readonly (readonly [what: string, text: string])[] = [
  ["nothing", ""],
  ["an opaque token", "0123456789abcdef"],
  ["a long opaque token", "a".repeat(100_000)],
  ["dots alone", ".."],
  ["another subject", around('{"sub":"user"}')],
  ["no subject", around('{"aud":"spiffe://td/a","iss":"spiffe://td/b"}')],
  ["a subject that holds one inside", around('{"sub":"user spiffe://td/a"}')],
  ["another's `sub` inside", around('{"sub":"user","act":{"sub":"spiffe://td/a"}}')],
  ["`sub` as a value", around('{"scope":"sub","client":"spiffe://td/a"}')],
  ["a name that ends so", around('{"xsub":"spiffe://td/a"}')],
  ["a payload in a text", around('{"x":"{\\"sub\\":\\"spiffe://td/a\\"}"}')],
  ["a JWE", `${HEADER}.AAAA.BBBB.CCCC.DDDD`],
  ["a payload in the header's place", `${encodePart('{"sub":"spiffe://td/a"}')}.${HEADER}.AAAA`],
  ["JSON serialisation", JSON.stringify({ payload: encodePart('{"sub":"spiffe://td/a"}'), signature: "AAAA" })],
];

describe("looksLikeJwtSvid", () => {
  for (const [what, text] of OURS) it(`says yes to ${what}`, () => assert.equal(looksLikeJwtSvid(text), true));
  for (const [what, text] of NOT_OURS) it(`says no to ${what}`, () => assert.equal(looksLikeJwtSvid(text), false));

  it("takes time in proportion to the text", () => {
    const pieces = ['"sub":', "\\", '"', "{", " ", '"\\', '"sub" ', '"sub":"'];
    const texts = pieces.map((piece) => around(`{"spiffe":${piece.repeat(45_000 / piece.length)}`));
    const started = process.cpuUsage();
    for (const text of texts) assert.equal(looksLikeJwtSvid(text), false);
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < 1_000_000, `${user + system} µs`);
  });
});
