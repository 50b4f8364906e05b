// Tokens checked by a policy: the first time that one is seen, and again; and the builtin by itself.

import { type KeyObject, sign } from "node:crypto";
import { systemClock } from "../src/base/clock.ts";
import { createBuiltinContext, createDecisionMemory } from "../src/policy/builtin-bridge.ts";
import { findBuiltin } from "../src/policy/builtins/index.ts";
import { ecKeyPair, rsaKeyPair } from "../test/support/key-pair.ts";
import { type Case, measureInTurn, spread, table } from "./measure.ts";
import type { Policies } from "./policy-world.ts";

type Algorithm = "RS256" | "ES256";

const ISSUER = "https://issuer.example.org";
/** First sights in one pass; each needs a token of its own. */
const FIRST = 100;
const AGAIN = 2_000;

/** The table's text. */
export async function benchTokens(policies: Policies, passes: number): Promise<string> {
  const cases = [...(await casesOf("RS256", policies)), ...(await casesOf("ES256", policies))];
  const figures = await measureInTurn(cases, passes);
  return table(
    ["a token", "CPU, µs"],
    [...figures].map(([name, { cpuUs }]) => [name, spread(cpuUs, 1)]),
  );
}

async function casesOf(algorithm: Algorithm, policies: Policies): Promise<readonly Case[]> {
  const { privateKey, publicKey } = algorithm === "RS256" ? rsaKeyPair(2048) : ecKeyPair("P-256");
  const keys = JSON.stringify({ keys: [publicKey.export({ format: "jwk" })] });
  let serial = 0;
  const issue = (): string => token(algorithm, privateKey, serial++);
  const evaluate = await policies.tokens(algorithm, keys, ISSUER);
  const accept = (one: string): void => {
    if (evaluate(`{"token":"${one}"}`) !== '[{"result":true}]') throw new Error(`${algorithm}: a token was refused`);
  };
  const verify = verifier(algorithm, keys);
  return [
    ...sights(`io.jwt.verify_${algorithm.toLowerCase()} alone`, issue, verify),
    ...sights(`${algorithm}, whole evaluation with io.jwt.decode_verify`, issue, accept),
  ];
}

function sights(name: string, issue: () => string, check: (token: string) => void): readonly Case[] {
  let fresh: readonly string[] = [];
  const prepare = async (): Promise<void> => {
    fresh = Array.from({ length: FIRST }, issue);
  };
  const known = issue();
  return [
    {
      name: `${name}, first sight`,
      times: FIRST,
      run: async () => {
        // The first pass of all has no pass before it that has prepared anything.
        if (fresh.length === 0) await prepare();
        for (const one of fresh) check(one);
      },
      after: prepare,
    },
    {
      name: `${name}, again`,
      times: AGAIN,
      run: (times) => {
        for (let at = 0; at < times; at++) check(known);
      },
    },
  ];
}

function verifier(algorithm: Algorithm, keys: string): (token: string) => void {
  const verify = findBuiltin(`io.jwt.verify_${algorithm.toLowerCase()}`);
  if (verify === undefined) throw new Error(`no builtin for ${algorithm}`);
  return (one) => {
    const context = createBuiltinContext(createDecisionMemory(systemClock), () => undefined);
    if (verify([one, keys], context) !== true) throw new Error(`${algorithm}: a token was refused`);
  };
}

function token(algorithm: Algorithm, key: KeyObject, serial: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss: ISSUER, sub: "web", iat: 1_700_000_000, jti: `bench-${serial}` };
  const signed = `${part({ alg: algorithm, typ: "JWT" })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}
