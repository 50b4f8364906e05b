// A trust domain or two with real authorities and keys, the real store and caches over them, and requests from their workloads.

import { parseCertificate } from "../../src/identity/certificate.ts";
import { createKnownCertificates } from "../../src/identity/known-certificates.ts";
import { createKnownTokens } from "../../src/identity/known-tokens.ts";
import { createXfccReader } from "../../src/identity/peer-xfcc.ts";
import { createResolver } from "../../src/identity/resolve.ts";
import type {
  RequestCredentials,
  Resolution,
  ResolverParts,
  TokenTrust,
  Trust,
} from "../../src/identity/resolver-parts.ts";
import { createTrustBundles, type TrustBundles } from "../../src/identity/trust-bundles.ts";
import { createSigningKey, type SigningKey, signToken } from "./jwt-svid.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import {
  type CertificateProfile,
  issueAuthority,
  issueCertificate,
  type SignedCertificate,
  toEnvoyText,
} from "./signed-certificate.ts";

export const AUDIENCE = "spiffe://td1.test/svidgate";
const HOUR_MS = 3_600_000;

/** One trust domain's authorities. */
export interface TestTrustDomain {
  readonly name: string;
  readonly root: SignedCertificate;
  readonly tokenKey: SigningKey;
}

export interface TrustWorld {
  readonly clock: ManualClock;
  readonly bundles: TrustBundles;
  readonly td1: TestTrustDomain;
  readonly td2: TestTrustDomain;
  /** An hour-long SVID of a path of the trust domain, issued ten minutes ago. */
  svid(
    domain: TestTrustDomain,
    path: string,
    changes?: CertificateProfile,
    issuer?: SignedCertificate,
  ): SignedCertificate;
  /** A five-minute token of a path, issued a minute ago. */
  token(domain: TestTrustDomain, path: string, changes?: Readonly<Record<string, unknown>>): string;
  /** Puts the trust domain's own authorities in force. */
  trust(domain: TestTrustDomain): void;
  /** Puts an empty bundle in force. */
  revokeAll(domain: TestTrustDomain): void;
  /** Resolves a request by these parts; `trust` and `tokens` change what they are by default. */
  resolve(request: Partial<RequestCredentials>, options?: WorldOptions): Resolution | Promise<Resolution>;
  /** The parts that `resolve` uses. */
  parts(options?: WorldOptions): ResolverParts;
}

export interface WorldOptions extends Partial<Omit<ResolverParts, "trust">> {
  readonly trust?: Partial<Trust>;
  readonly tokens?: Partial<TokenTrust>;
  readonly withXfcc?: boolean;
}

/** What a request says that carries nothing. */
export const NOTHING: RequestCredentials = {
  sourceCertificate: "",
  sourcePrincipal: "",
  destinationPrincipal: "",
  header: () => undefined,
  filterMetadata: () => undefined,
};

/** Headers of a request, as the view gives them. */
export const withHeaders = (headers: Readonly<Record<string, string>>): Pick<RequestCredentials, "header"> => ({
  header: (name) => headers[name],
});

/** A request over a connection whose peer showed this certificate. */
export const over = ({ der }: SignedCertificate): Pick<RequestCredentials, "sourceCertificate"> => ({
  sourceCertificate: toEnvoyText(der),
});

/** Two trust domains, both trusted. The clock stands still. */
export function createTrustWorld(maxStalenessMs = 24 * HOUR_MS): TrustWorld {
  const clock = createManualClock();
  const now = clock.unixMs();
  const domain = (name: string): TestTrustDomain => ({
    name,
    root: issueAuthority(undefined, {
      subject: `root of ${name}`,
      uris: [`spiffe://${name}`],
      notBeforeUnixMs: now - HOUR_MS,
      notAfterUnixMs: now + 1000 * HOUR_MS,
    }),
    tokenKey: createSigningKey("ES256", `key-of-${name}`),
  });
  const td1 = domain("td1.test");
  const td2 = domain("td2.test");
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([td1, td2].map(({ name }) => [name, { origin: "file" as const, maxStalenessMs }])),
  });
  const sink = bundles.sink("file");
  const rest = { sequence: 7n, refreshHintSeconds: undefined, ignored: [] };
  const trust = ({ name, root, tokenKey }: TestTrustDomain): void => {
    const authority = parseCertificate(root.der);
    if (!authority.ok) throw new Error(authority.detail);
    const { keyId, publicKey } = tokenKey;
    const jwtAuthorities = new Map([[keyId, { keyId, key: publicKey, use: "jwt-svid" as const }]]);
    sink.replace({ trustDomain: name, x509Authorities: [authority.value], jwtAuthorities, ...rest });
  };
  trust(td1);
  trust(td2);
  const certificates = createKnownCertificates({ bundles });
  const known = createKnownTokens({
    bundles,
    audiences: [AUDIENCE],
    keepsAllClaimsOf: (trustDomain) => trustDomain === td1.name,
  });
  const parts = ({ trust: changes, tokens, withXfcc, ...options }: WorldOptions = {}): ResolverParts => ({
    trust: {
      bundles,
      certificates,
      tokens: { known, places: {}, bindToPeer: false, strip: false, ...tokens },
      xfcc: withXfcc === true ? createXfccReader(certificates.fingerprintOf) : undefined,
      gateways: new Set(),
      rulesOf: () => undefined,
      ...changes,
    },
    trustEnvoyPrincipal: false,
    onInvalid: "deny",
    attributes: undefined,
    denyList: () => undefined,
    ownTrustDomain: () => td1.name,
    ...options,
  });
  return {
    clock,
    bundles,
    td1,
    td2,
    svid: ({ name, root }, path, changes, issuer = root) =>
      issueCertificate(issuer, {
        uris: [`spiffe://${name}${path}`],
        dnsNames: ["api.payments.svc"],
        notBeforeUnixMs: now - 600_000,
        notAfterUnixMs: now - 600_000 + HOUR_MS,
        ...changes,
      }),
    token: ({ name, tokenKey }, path, changes) => {
      const seconds = Math.floor(now / 1000) - 60;
      const claims = { sub: `spiffe://${name}${path}`, aud: AUDIENCE, iat: seconds, exp: seconds + 300, ...changes };
      return signToken({ alg: "ES256", kid: tokenKey.keyId, typ: "JWT" }, claims, tokenKey);
    },
    trust,
    revokeAll: ({ name }) =>
      void sink.replace({ trustDomain: name, x509Authorities: [], jwtAuthorities: new Map(), ...rest }),
    resolve: (request, options) => createResolver(parts(options))({ ...NOTHING, ...request }, clock.unixMs()),
    parts,
  };
}
