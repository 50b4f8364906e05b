// A trust domain with real keys for the benchmark of identity, and svidgate's own parts over it, put together as `serve` does.

import { createHash, createPublicKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startIdentity } from "../src/app-identity.ts";
import { createAppMetrics } from "../src/app-metrics.ts";
import { createDecider, loadRules, type Rules } from "../src/app-rules.ts";
import { type Audit, createAudit } from "../src/audit/audit.ts";
import type { CheckHandler } from "../src/authz/check-handler.ts";
import { systemClock } from "../src/base/clock.ts";
import { packageRoot, packageVersion } from "../src/base/package-root.ts";
import { systemTimers } from "../src/base/timers.ts";
import { createUuidV7 } from "../src/base/uuid-v7.ts";
import { loadConfig } from "../src/config/load.ts";
import { resolveSettings, type Settings } from "../src/config/settings.ts";
import { createLog } from "../src/telemetry/log.ts";
import { bundleText, jwtEntry, x509Entry } from "../test/support/bundle-documents.ts";
import { createSigningKey, signToken } from "../test/support/jwt-svid.ts";
import {
  issueAuthority,
  issueCertificate,
  type SignedCertificate,
  sharedKeys,
  toEnvoyText,
  toPem,
} from "../test/support/signed-certificate.ts";
import { DESTINATION } from "./check-request.ts";

const HOUR_MS = 3_600_000;
const AUDIENCE = DESTINATION;
export const TRUST_DOMAIN = "example.org";

/** The policy of every decision here. */
export const POLICY: string = join(packageRoot(), "bench", "identity.rego");

/** The SPIFFE ID of the n-th caller. */
export const callerId = (n: number): string => `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web-${n}`;

/** Issuers. */
export interface BenchAuthorities {
  readonly root: SignedCertificate;
  readonly intermediate: SignedCertificate;
  /** Of the same name as `root`, with keys of its own: nobody trusts it. */
  readonly stranger: SignedCertificate;
  /** The n-th caller's certificate, one hour long. Its key is another's too: making one takes longer than everything else. */
  svid(n: number, issuer?: SignedCertificate): SignedCertificate;
  token(n: number, algorithm?: "ES256" | "RS256"): string;
  /** Words of the command line that trust them. */
  readonly trustFlags: readonly string[];
}

/** Makes keys, and the bundle's file in `folder`. */
export function createBenchAuthorities(folder: string): BenchAuthorities {
  const now = Date.now();
  const long = { notBeforeUnixMs: now - HOUR_MS, notAfterUnixMs: now + 1000 * HOUR_MS };
  const names = { subject: "example root", uris: [`spiffe://${TRUST_DOMAIN}`] };
  const root = issueAuthority(undefined, { ...long, ...names });
  const stranger = issueAuthority(undefined, { ...long, ...names });
  const intermediate = issueAuthority(root, { ...long, subject: "example intermediate" });
  const signers = { ES256: createSigningKey("ES256"), RS256: createSigningKey("RS256") };
  const bundle = join(folder, "bundle.json");
  const keys = Object.values(signers).map(({ keyId, publicKey }) => jwtEntry(keyId, publicKey));
  writeFileSync(bundle, bundleText([x509Entry(root.pem), ...keys], { spiffe_sequence: 7 }));
  let serial = 0;
  return {
    root,
    intermediate,
    stranger,
    svid: (n, issuer = root) =>
      issueCertificate(issuer, {
        keys: sharedKeys("P-256"),
        uris: [callerId(n)],
        dnsNames: ["web.shop.svc"],
        // What SPIRE issues: sixteen octets, different in each.
        serial: createHash("md5").update(String(serial++)).digest().fill(0x51, 0, 1),
        notBeforeUnixMs: now - 10_000,
        notAfterUnixMs: now + HOUR_MS,
      }),
    token: (n, algorithm = "ES256") => {
      const seconds = Math.floor(now / 1000);
      const claims = {
        sub: callerId(n),
        aud: [AUDIENCE],
        iat: seconds,
        exp: seconds + 3000,
        jti: `0d9f4e1c-${n}-${serial++}`,
      };
      return signToken({ alg: algorithm, kid: signers[algorithm].keyId, typ: "JWT" }, claims, signers[algorithm]);
    },
    trustFlags: [
      "--trust-domain-bundle",
      `${TRUST_DOMAIN}=${bundle}`,
      "--jwt-audience",
      AUDIENCE,
      "--set",
      "svidgate.identity.xfcc.enabled=true",
    ],
  };
}

/** As Envoy sends a certificate. */
export const envoyText = ({ der }: SignedCertificate): string => toEnvoyText(der);

/** x-forwarded-client-cert as the Envoy in front of us writes it, with the chain that the peer showed. */
export const forwardedClientCert = (leaf: SignedCertificate, n: number, chain: readonly SignedCertificate[]): string =>
  `By=${DESTINATION};Hash=${createHash("sha256").update(leaf.der).digest("hex")};URI=${callerId(n)};Chain="${encodeURIComponent(
    [leaf, ...chain].map(({ der }) => toPem(der)).join(""),
  )}"`;

/** The keys of `sharedKeys`, for the baseline. */
export const publicKeyOf = ({ keys }: SignedCertificate): ReturnType<typeof createPublicKey> =>
  createPublicKey({ key: keys.publicKeyDer, format: "der", type: "spki" });

/** Settings of words as `serve` takes them: `--flag value` and `--set key=value`. */
export function toSettings(words: readonly string[]): Settings {
  const flags = new Map<string, string[]>([["policy", [POLICY]]]);
  const set: string[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const [name = "", value = ""] = words.slice(at, at + 2);
    if (name === "--set") set.push(value);
    else flags.set(name.slice(2), [...(flags.get(name.slice(2)) ?? []), value]);
  }
  const loaded = loadConfig({ flags, set, env: {} });
  const resolved = loaded.ok ? resolveSettings(loaded.config, loaded.given, loaded.notes) : loaded;
  if (!resolved.ok) throw new Error(resolved.problems.join("\n"));
  return resolved.settings;
}

const clock = systemClock;
const log = createLog({ level: "error", write: (line) => void process.stderr.write(line), clock });
const ports = { clock, timers: systemTimers, log };

/** Identity alone. */
export async function startBenchIdentity(words: readonly string[]) {
  const started = await startIdentity(toSettings(words), ports);
  if (!started.ok) throw new Error(started.problems.join("\n"));
  return started.identity;
}

/** What decides: policy, identity, metrics, and the audit trail into a sink that takes everything at once. */
export interface BenchDecider {
  readonly rules: Rules;
  readonly decide: CheckHandler;
  readonly audit: Audit;
}

/** As `serve` builds it, without the listener. */
export async function startBenchDecider(words: readonly string[]): Promise<BenchDecider> {
  const settings = toSettings(words);
  const loaded = await loadRules(settings, ports);
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  const { rules } = loaded;
  const audit = createAudit({
    sink: { write: async (bytes) => bytes.length, reopen: () => undefined, close: async () => undefined },
    clock,
    pdpId: "5d4f3ad6-9d6b-4bd1-818c-6ae42c56c1ad",
    pdpVersion: packageVersion(),
    path: settings.auditPath,
    onLost: (cause) => {
      throw new Error(`an audit event is lost: ${cause}`);
    },
    onSinkError: (error) => {
      throw error;
    },
  });
  const metrics = createAppMetrics({ rules, audit }, clock, log);
  const newDecisionId = createUuidV7(clock);
  const decide = createDecider(rules, {
    clock,
    log,
    audit,
    metrics,
    tracing: undefined,
    decisionLog: undefined,
    newDecisionId,
  });
  return { rules, decide, audit };
}
