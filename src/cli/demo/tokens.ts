// An issuer of JWT-SVIDs for the demo, as a SPIFFE server is one: a key that lives as long as the run, and short tokens.
// SPEC: JWT-SVID §2–§3: header alg, kid and typ alone; sub, aud, exp. It verifies nothing: src/identity does.

import { generateKeyPairSync, type JsonWebKey, sign } from "node:crypto";

/** An issuer. */
export interface TokenIssuer {
  /** Its public key with `kid`, without `use`. */
  readonly publicJwk: Readonly<JsonWebKey>;
  /** A token for `subject` and one audience that is valid from now on for `lifetimeMs`. */
  issue(subject: string, audience: string, nowUnixMs: number, lifetimeMs: number): string;
}

const KEY_ID = "demo";

/** Makes a fresh P-256 key. */
export function createTokenIssuer(): TokenIssuer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  return {
    publicJwk: { ...publicKey.export({ format: "jwk" }), kid: KEY_ID },
    issue: (subject, audience, nowUnixMs, lifetimeMs) => {
      const issued = Math.floor(nowUnixMs / 1000);
      const text = [
        encode({ alg: "ES256", kid: KEY_ID, typ: "JWT" }),
        encode({ sub: subject, aud: [audience], iat: issued, exp: issued + Math.floor(lifetimeMs / 1000) }),
      ].join(".");
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
  };
}
