// What recorded calls cannot show of `io.jwt.*`: caches that never decide by a part, time that is never cached, and keys
// that serve their own algorithm only.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import { BuiltinError, findBuiltin } from "../../../../src/policy/builtins/index.ts";
import { fromBytes, RegoNumber, RegoObject, toJson, type Value } from "../../../../src/policy/value.ts";
import { builtinContextAt } from "../../../support/builtin-context.ts";

const NOW_SECONDS = 1_700_000_000;
const first = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const second = generateKeyPairSync("rsa", { modulusLength: 2_048 });

const call = (name: string, args: readonly Value[], nowSeconds = NOW_SECONDS): Value | undefined =>
  findBuiltin(name)?.(args, builtinContextAt(BigInt(nowSeconds) * 1_000_000_000n));

const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }) as string;
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function signed(payload: object, key = first.privateKey, header: object = { alg: "RS256" }): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}

const constraints = (members: Readonly<Record<string, Value>>): RegoObject => RegoObject.of(Object.entries(members));

const isVerified = (token: string, key: string, nowSeconds?: number): boolean =>
  toJson(call("io.jwt.decode_verify", [token, constraints({ cert: key })], nowSeconds) ?? null).startsWith("[true");

describe("verified tokens are remembered by all that they are", () => {
  it("an altered payload under a signature that verified before is not verified", () => {
    const token = signed({ role: "user" });
    const [header, , signature] = token.split(".");
    assert.equal(isVerified(token, pem(first.publicKey)), true);
    assert.equal(isVerified(`${header}.${encode({ role: "admin" })}.${signature}`, pem(first.publicKey)), false);
    assert.equal(isVerified(token, pem(first.publicKey)), true);
  });

  it("an altered header under a signature that verified before is not verified", () => {
    const token = signed({ role: "user" });
    const [, payload, signature] = token.split(".");
    assert.equal(isVerified(token, pem(first.publicKey)), true);
    assert.equal(
      isVerified(`${encode({ alg: "RS256", kid: "x" })}.${payload}.${signature}`, pem(first.publicKey)),
      false,
    );
  });

  it("a token that one key verified is not verified by another, in either order", () => {
    const token = signed({ n: 1 });
    assert.equal(isVerified(token, pem(second.publicKey)), false);
    assert.equal(isVerified(token, pem(first.publicKey)), true);
    assert.equal(isVerified(token, pem(second.publicKey)), false);
  });

  it("one algorithm's outcome says nothing about another's", () => {
    const token = signed({ n: 2 });
    assert.equal(call("io.jwt.verify_rs256", [token, pem(first.publicKey)]), true);
    assert.equal(call("io.jwt.verify_rs512", [token, pem(first.publicKey)]), false);
    assert.equal(call("io.jwt.verify_ps256", [token, pem(first.publicKey)]), false);
    assert.equal(call("io.jwt.verify_rs256", [token, pem(first.publicKey)]), true);
  });

  it("the same bytes moved between key text and token are another question", () => {
    const token = signed({ n: 3 });
    assert.equal(call("io.jwt.verify_rs256", [token, pem(first.publicKey)]), true);
    assert.throws(() => call("io.jwt.verify_rs256", [`\n${token}`, pem(first.publicKey).trimEnd()]), BuiltinError);
  });
});

describe("time is checked on every call", () => {
  const token = signed({ nbf: NOW_SECONDS, exp: NOW_SECONDS + 10 });
  const ROWS = [
    [NOW_SECONDS - 1, false],
    [NOW_SECONDS, true],
    [NOW_SECONDS + 9, true],
    [NOW_SECONDS + 10, false],
    [NOW_SECONDS + 5, true],
    [NOW_SECONDS + 1_000_000, false],
  ] as const;
  for (const [nowSeconds, expected] of ROWS) {
    it(`${nowSeconds - NOW_SECONDS} s after nbf: ${expected}`, () => {
      assert.equal(isVerified(token, pem(first.publicKey), nowSeconds), expected);
    });
  }
});

describe("keys serve their own algorithm only", () => {
  const publicKey = pem(first.publicKey);
  const text = `${encode({ alg: "HS256" })}.${encode({ role: "admin" })}`;
  const forged = `${text}.${createHmac("sha256", publicKey).update(text).digest("base64url")}`;

  it("a public key is never an HMAC secret", () => {
    assert.equal(isVerified(forged, publicKey), false);
    assert.equal(call("io.jwt.verify_rs256", [forged, publicKey]), false);
  });

  it("a secret never verifies an asymmetric algorithm", () => {
    const result = call("io.jwt.decode_verify", [signed({}), constraints({ secret: publicKey })]);
    assert.equal(toJson(result ?? null), "[false,{},{}]");
  });

  it("a secret of raw bytes is those bytes, and no other secret verifies what it signed", () => {
    const secret = fromBytes(Buffer.from("fffe80c3", "hex"));
    const text = `${encode({ alg: "HS256" })}.${encode({})}`;
    const mac = createHmac("sha256", Buffer.from("fffe80c3", "hex")).update(text).digest("base64url");
    const verdicts = (key: string) => [
      toJson(call("io.jwt.decode_verify", [`${text}.${mac}`, constraints({ secret: key })]) ?? null).slice(0, 6),
      call("io.jwt.verify_hs256", [`${text}.${mac}`, key]),
    ];
    assert.deepEqual(verdicts(secret), ["[true,", true]);
    for (const other of ["\ufffd\ufffd\ufffd\ufffd", "\udcff\udcff\udcff\udcff", "\udcff\udcfe\udc80\udcc4"])
      assert.deepEqual(verdicts(other), ["[false", false]);
  });

  it("tokens that differ in raw bytes only are different tokens to the memory of outcomes", () => {
    const token = signed({ n: 5 });
    const [header, , signature] = token.split(".");
    const results = ["\udcff", "\udcfe", "\ufffd"].map((payload) =>
      call("io.jwt.verify_rs256", [`${header}.${payload}.${signature}`, pem(first.publicKey)]),
    );
    assert.deepEqual(results, [false, false, false]);
    const raw = `${header}.\udcff`;
    const made = sign("sha256", Buffer.concat([Buffer.from(`${header}.`), Buffer.from([0xff])]), first.privateKey);
    const verify = (text: string) => call("io.jwt.verify_rs256", [text, pem(first.publicKey)]);
    assert.equal(verify(`${raw}.${made.toString("base64url")}`), true);
    assert.equal(verify(`${header}.\udcfe.${made.toString("base64url")}`), false);
    assert.equal(verify(`${header}.\ufffd.${made.toString("base64url")}`), false);
  });

  it("`none` verifies with nothing, whatever its case", () => {
    for (const alg of ["none", "None", "NONE", "nOnE"]) {
      assert.equal(isVerified(`${encode({ alg })}.${encode({})}.`, publicKey), false, alg);
    }
  });
});

it("every bit of a signature counts", () => {
  const token = signed({ n: 4 });
  const [header, payload, signature = ""] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  for (const at of [0, 1, 127, 128, 254, 255]) {
    const altered = Buffer.from(bytes);
    altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
    assert.equal(
      isVerified(`${header}.${payload}.${altered.toString("base64url")}`, pem(first.publicKey)),
      false,
      `${at}`,
    );
  }
});

it("claims beyond 2^53 come back as written", () => {
  const text = `${encode({ alg: "RS256" })}.${Buffer.from('{"id":12345678901234567890,"f":1.0}').toString("base64url")}`;
  const token = `${text}.${sign("sha256", Buffer.from(text), first.privateKey).toString("base64url")}`;
  const result = call("io.jwt.decode_verify", [token, constraints({ cert: pem(first.publicKey) })]);
  assert.equal(toJson(result ?? null), '[true,{"alg":"RS256"},{"f":1.0,"id":12345678901234567890}]');
});

it("the time constraint stands instead of the evaluation's time", () => {
  const token = signed({ exp: 10 });
  const time = RegoNumber.of(9_999_999_999n);
  const result = call("io.jwt.decode_verify", [token, constraints({ cert: pem(first.publicKey), time })]);
  assert.equal(toJson(result ?? null), '[true,{"alg":"RS256"},{"exp":10}]');
});
