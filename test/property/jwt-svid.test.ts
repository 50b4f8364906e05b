// What holds for every text: nothing throws, and no token but the one that was signed is accepted.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseJwtSvid, verifyJwtSvid } from "../../src/identity/jwt-svid.ts";
import { createKnownTokens } from "../../src/identity/known-tokens.ts";
import { findRequestToken } from "../../src/identity/request-token.ts";
import { looksLikeJwtSvid } from "../../src/identity/unverified-subject.ts";
import { createHandBundles, createSigningKey, encodePart, signToken } from "../support/jwt-svid.ts";
import { Random } from "../support/random.ts";

const NOW = Date.UTC(2026, 0, 1);
const SETTINGS = { seed: 20260101, numRuns: 2_000 };
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const ES256 = createSigningKey("ES256", "k1");
const RS256 = createSigningKey("RS256", "k2");
const bundles = createHandBundles();
bundles.set("td1.test", [ES256, RS256]);
const options = { audiences: ["a"], bundles, nowUnixMs: NOW };

const CLAIMS = { sub: "spiffe://td1.test/a", aud: "a", exp: NOW / 1000 + 300, iat: NOW / 1000 };
const TOKENS = [ES256, RS256].map((key) => signToken({ alg: key.algorithm, kid: key.keyId }, CLAIMS, key));

const accepts = async (token: string): Promise<boolean> => (await verifyJwtSvid(token, options)).ok;

describe("no mutation of a valid token is accepted:", () => {
  for (const [index, token] of TOKENS.entries()) {
    const name = index === 0 ? "ES256" : "RS256";

    it(`${name}, any one character replaced by another of the alphabet, or by what is none`, async () => {
      assert.equal(await accepts(token), true);
      for (let at = 0; at < token.length; at++) {
        const place = ALPHABET.indexOf(token[at] ?? "");
        // The neighbour differs in the last bit, which no decoder may ignore; the far one in the first.
        const others = [ALPHABET[place ^ 1], ALPHABET[place ^ 32], ".", "=", "\u00e9"];
        for (const other of others) {
          const mutated = token.slice(0, at) + other + token.slice(at + 1);
          if (mutated !== token) assert.equal(await accepts(mutated), false, `${other} at ${at}`);
        }
      }
    });

    it(`${name}, any character of the alphabet at the end of a part`, async () => {
      const ends = [token.indexOf(".") - 1, token.lastIndexOf(".") - 1, token.length - 1];
      for (const end of ends) {
        for (const other of ALPHABET) {
          const mutated = token.slice(0, end) + other + token.slice(end + 1);
          if (mutated !== token) assert.equal(await accepts(mutated), false, `${other} at ${end}`);
        }
      }
    });

    it(`${name}, anything inserted, removed or cut off`, async () => {
      for (let at = 0; at <= token.length; at++) {
        const [head, tail] = [token.slice(0, at), token.slice(at)];
        for (const more of ["A", "=", ".", " ", "\n", "\0"]) {
          assert.equal(await accepts(`${head}${more}${tail}`), false, `${JSON.stringify(more)} at ${at}`);
        }
        if (tail !== "") {
          assert.equal(await accepts(`${head}${tail.slice(1)}`), false, `without the character at ${at}`);
          assert.equal(await accepts(head), false, `the first ${at}`);
        }
      }
    });

    it(`${name}, bytes changed at random`, async () => {
      const random = new Random(20260101);
      for (let run = 0; run < 1_000; run++) {
        const mutated = random.mutate(Buffer.from(token), 1 + random.below(3)).toString("latin1");
        if (mutated !== token) assert.equal(await accepts(mutated), false, JSON.stringify(mutated));
      }
    });
  }
});

describe("nothing throws, and nothing is accepted", () => {
  const parts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map(encodePart),
    fc.dictionary(fc.constantFrom("alg", "kid", "typ", "sub", "aud", "exp", "x"), fc.jsonValue()).map(encodePart),
    fc.constantFrom("", encodePart({ alg: "ES256", kid: "k1" }), encodePart(CLAIMS)),
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(parts, { maxLength: 5 }).map((list) => list.join(".")),
  );

  it("on random texts", async () => {
    const known = createKnownTokens(options);
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        assert.equal(await accepts(text), false);
        assert.equal((await known.verify(text, NOW)).ok, false);
        parseJwtSvid(text);
      }),
      SETTINGS,
    );
    assert.equal(known.stats().entries, 0);
  });

  it("on random headers, and a token that is found looks like one of ours", () => {
    const words = fc.constantFrom("Bearer", "bearer ", " ", ",", "\t", "Basic", ...TOKENS, "x.y.z", "=");
    const values = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(words, { maxLength: 6 }).map((list) => list.join("")),
    );
    fc.assert(
      fc.property(values, (value) => {
        const found = findRequestToken({ header: () => value, filterMetadata: () => undefined }, {});
        if (found.kind !== "token") return;
        assert.ok(looksLikeJwtSvid(found.token));
        assert.match(value, /^bearer +[^\s,]+$/i);
        assert.ok(value.endsWith(found.token));
      }),
      { ...SETTINGS, numRuns: 5_000 },
    );
  });

  it("and whatever verifies as ours also looks like ours", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 4 }), (more) => {
        const token = `${encodePart({ alg: "ES256", kid: "k1" })}.${encodePart({ ...more, ...CLAIMS })}.AA`;
        if (parseJwtSvid(token).ok) assert.ok(looksLikeJwtSvid(token));
      }),
      SETTINGS,
    );
  });
});
