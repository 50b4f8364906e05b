// A credential that was never seen before, good or bad, beside what the signature alone costs in node:crypto, in the same run.

import { sign, verify } from "node:crypto";
import { readCheckRequest } from "../src/authz/check-request.ts";
import { createSigningKey, type SigningKey } from "../test/support/jwt-svid.ts";
import { toBenchRequest } from "./check-request.ts";
import {
  type BenchAuthorities,
  callerId,
  envoyText,
  forwardedClientCert,
  startBenchIdentity,
} from "./identity-world.ts";
import { type Case, measureInTurn, spread, table } from "./measure.ts";

/** Milliseconds, in the table. */
const inMs = (us: readonly number[]): readonly number[] => us.map((each) => each / 1000);

/** The table's text. */
export async function benchFirstSeen(authorities: BenchAuthorities, passes: number, times: number): Promise<string> {
  const { svid, token, intermediate, stranger } = authorities;
  const identity = await startBenchIdentity(authorities.trustFlags);
  const viewOf = (credentials: Parameters<typeof toBenchRequest>[0], n: number) => {
    const view = readCheckRequest(toBenchRequest({ principal: callerId(n), ...credentials }));
    if (!view.ok) throw new Error(view.code);
    return view.value;
  };
  type View = ReturnType<typeof viewOf>;
  let made = 0;
  /** A case whose requests are made before the clock starts; `verified` is what has to come out. */
  const resolving = (name: string, make: (n: number) => View, verified: boolean): Case => {
    const prepare = (): View[] => Array.from({ length: times }, () => make(made++));
    let views = prepare();
    return {
      name,
      times,
      run: async () => {
        for (const view of views) {
          // A token's signature is checked by another thread: only one at a time, so that its CPU is counted alone.
          const resolved = identity.resolve(view, Date.now());
          const { identity: outcome } = resolved instanceof Promise ? await resolved : resolved;
          if ((outcome.verifiedBy === "pdp") !== verified) throw new Error(`${name}: ${outcome.error ?? "verified"}`);
        }
      },
      after: async () => {
        views = prepare();
      },
    };
  };
  const below = (n: number): View => {
    const leaf = svid(n, intermediate);
    const header = forwardedClientCert(leaf, n, [intermediate]);
    return viewOf({ certificate: envoyText(leaf), forwardedClientCert: header }, n);
  };
  const refused = envoyText(svid(0, stranger));
  const cases: readonly Case[] = [
    baseline("ES256"),
    baseline("RS256"),
    resolving("X.509-SVID below a root", (n) => viewOf({ certificate: envoyText(svid(n)) }, n), true),
    resolving("X.509-SVID below an intermediate of x-forwarded-client-cert", below, true),
    resolving("JWT-SVID, ES256", (n) => viewOf({ authorization: `Bearer ${token(n)}` }, n), true),
    resolving("JWT-SVID, RS256", (n) => viewOf({ authorization: `Bearer ${token(n, "RS256")}` }, n), true),
    resolving(
      "refused: a stranger's certificate, another each time",
      (n) => {
        return viewOf({ certificate: envoyText(svid(n, stranger)) }, n);
      },
      false,
    ),
    resolving("refused: a stranger's certificate, again and again", () => viewOf({ certificate: refused }, 0), false),
  ];
  const figures = await measureInTurn(cases, passes);
  identity.close();
  return table(
    ["first seen", "CPU, ms", "wall, ms"],
    [...figures].map(([name, { cpuUs, wallUs }]) => [name, spread(inMs(cpuUs), 3), spread(inMs(wallUs), 3)]),
  );
}

/** One signature over what a small certificate or token has to sign. */
function baseline(algorithm: "ES256" | "RS256"): Case {
  const { privateKey, publicKey: key }: SigningKey = createSigningKey(algorithm);
  const bytes = Buffer.alloc(400, "a");
  const dsaEncoding = "ieee-p1363" as const;
  const signature = sign("sha256", bytes, { key: privateKey, dsaEncoding });
  return {
    name: `node:crypto, one signature, ${algorithm}`,
    times: 500,
    run: (count) => {
      for (let at = 0; at < count; at++) {
        if (!verify("sha256", bytes, { key, dsaEncoding }, signature)) throw new Error("a good signature is refused");
      }
    },
  };
}
