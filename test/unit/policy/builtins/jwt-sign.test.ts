// What recorded calls cannot show of `io.jwt.encode_sign`: signatures that are made with random numbers, and what signing and
// verifying take of an evaluation's budget. The recorded ones are in vectors.test.ts.

import assert from "node:assert/strict";
import { constants, type KeyObject, verify } from "node:crypto";
import { describe, it } from "node:test";
import { createBuiltinContext, createDecisionMemory } from "../../../../src/policy/builtin-bridge.ts";
import { BuiltinError, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { PolicyError } from "../../../../src/policy/policy-error.ts";
import { parseValue, RegoObject, type Value } from "../../../../src/policy/value.ts";
import { ecKeyPair, ed25519KeyPair, rsaKeyPair } from "../../../support/key-pair.ts";
import { createManualClock } from "../../../support/manual-clock.ts";

const rsa = rsaKeyPair(2_048);
const curves = Object.fromEntries(
  ["P-256", "P-384", "P-521"].map((namedCurve) => [namedCurve, ecKeyPair(namedCurve)]),
) as Readonly<Record<string, { publicKey: KeyObject; privateKey: KeyObject }>>;

const jwkOf = (key: KeyObject, members: object = {}): Value =>
  parseValue(JSON.stringify({ ...key.export({ format: "jwk" }), ...members }));
const pemOf = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }) as string;

/** A context that counts the steps which are spent, and gives no more than `budget` of them. */
function counting(budget = Number.POSITIVE_INFINITY) {
  const spent = { steps: 0 };
  const context = createBuiltinContext(createDecisionMemory(createManualClock()), (steps) => {
    spent.steps += steps;
    if (spent.steps > budget) throw new PolicyError("policy_budget", "budget: used up");
  });
  return { spent, context };
}

function call(name: string, args: readonly Value[], context = counting().context): Value | undefined {
  return findBuiltin(name)?.(args, context);
}

const header = (alg: string): RegoObject => RegoObject.of([["alg", alg]]);
const claims = RegoObject.of([["sub", "alice"]]);

function encodeSign(alg: string, key: Value, context = counting().context): string {
  const token = call("io.jwt.encode_sign", [header(alg), claims, key], context);
  assert.equal(typeof token, "string");
  return token as string;
}

describe("signatures with random numbers", () => {
  for (const [alg, curve, bytes] of [
    ["ES256", "P-256", 64],
    ["ES384", "P-384", 96],
    ["ES512", "P-521", 132],
    ["ES256", "P-521", 132],
    ["ES512", "P-256", 64],
  ] as const)
    it(`${alg} with ${curve}: r and s side by side, as wide as the curve`, () => {
      const pair = curves[curve] as { publicKey: KeyObject; privateKey: KeyObject };
      const token = encodeSign(alg, jwkOf(pair.privateKey));
      assert.equal(Buffer.from(token.split(".")[2] ?? "", "base64url").length, bytes);
      const name = `io.jwt.verify_${alg.toLowerCase()}`;
      assert.equal(call(name, [token, pemOf(pair.publicKey)]), true);
      assert.equal(call(name, [`${token.slice(0, -4)}AAAA`, pemOf(pair.publicKey)]), false);
    });

  for (const [alg, hash, saltLength] of [
    ["PS256", "sha256", 32],
    ["PS384", "sha384", 48],
    ["PS512", "sha512", 64],
  ] as const)
    it(`${alg}: a salt as long as the digest`, () => {
      const token = encodeSign(alg, jwkOf(rsa.privateKey));
      const at = token.lastIndexOf(".");
      const signature = Buffer.from(token.slice(at + 1), "base64url");
      const key = { key: rsa.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      assert.equal(verify(hash, Buffer.from(token.slice(0, at)), key, signature), true);
    });

  it("stay the same within a decision, and only there", () => {
    const key = jwkOf(curves["P-256"]?.privateKey as KeyObject);
    const { context } = counting();
    const token = encodeSign("ES256", key, context);
    assert.equal(encodeSign("ES256", key, context), token);
    assert.notEqual(encodeSign("ES384", key, context), token);
    assert.notEqual(encodeSign("ES256", key), token);
  });
});

describe("keys that sign nothing", () => {
  const oct = RegoObject.of([
    ["kty", "oct"],
    ["k", "AAAA"],
  ]);
  const ed = ed25519KeyPair();
  for (const [what, alg, key] of [
    ["a public RSA key", "RS256", jwkOf(rsa.publicKey)],
    ["a public EC key", "ES256", jwkOf(curves["P-256"]?.publicKey as KeyObject)],
    ["an RSA key for HMAC", "HS256", jwkOf(rsa.privateKey)],
    // OPA takes the 32 or 64 bytes of such a key for a secret; the public ones are no secret.
    ["an Ed25519 key for HMAC", "HS256", jwkOf(ed.privateKey)],
    ["a public Ed25519 key for HMAC", "HS256", jwkOf(ed.publicKey)],
    ["a secret for RSA", "RS256", oct],
    ["another key's private exponent", "RS256", jwkOf(rsa.privateKey, { d: "AQAB" })],
    ["a modulus that is not the primes' product", "RS256", jwkOf(rsa.privateKey, { p: "AQAB" })],
    ["a modulus of 16,400 bits", "RS256", jwkOf(rsa.privateKey, { n: "_".repeat(2_734) })],
    ["a prime of a megabit", "RS256", jwkOf(rsa.privateKey, { p: "_".repeat(175_000) })],
  ] as const)
    it(`is an error: ${what}`, () =>
      assert.throws(() => call("io.jwt.encode_sign", [header(alg), claims, key]), BuiltinError));
});

describe("steps of the budget", () => {
  const stepsOf = (run: (context: ReturnType<typeof counting>["context"]) => void): number => {
    const { spent, context } = counting();
    run(context);
    return spent.steps;
  };

  it("a signature is paid for when it is verified, and not when the outcome is remembered", () => {
    const pair = rsaKeyPair(2_048);
    const token = encodeSign("RS256", jwkOf(pair.privateKey));
    const key = pemOf(pair.publicKey);
    const first = stepsOf((context) => call("io.jwt.verify_rs256", [token, key], context));
    assert.ok(first >= 60_000, `${first}`);
    const again = stepsOf((context) => call("io.jwt.verify_rs256", [token, key], context));
    assert.ok(again <= first - 60_000, `${again}`);
  });

  it("a longer key costs more to verify and much more to sign", () => {
    const [short, long] = [2_048, 4_096].map((modulusLength) => {
      const pair = rsaKeyPair(modulusLength);
      return stepsOf((context) => encodeSign("RS256", jwkOf(pair.privateKey), context));
    }) as [number, number];
    assert.ok(long > short * 6, `${short}, ${long}`);
  });

  it("a set of a thousand keys is tried only as far as the budget goes", () => {
    const keys = Array.from({ length: 50 }, () => ecKeyPair("P-256").publicKey);
    const set = JSON.stringify({
      keys: Array.from({ length: 1_000 }, (_, at) => keys[at % 50]?.export({ format: "jwk" })),
    });
    const token = encodeSign("ES256", jwkOf(curves["P-256"]?.privateKey as KeyObject));
    const { context } = counting(20_000_000);
    assert.throws(
      () => call("io.jwt.verify_es256", [token, set], context),
      (error) => error instanceof PolicyError && error.code === "policy_budget",
    );
  });
});
