// Trust bundles from the SPIFFE Workload API: certificates come on one stream and keys for tokens on another, and here the two
// become one bundle for each trust domain.
// SPEC: Workload API §4.3, §4.4: each message is the whole state of its half; a trust domain that is not in it is not trusted any
// more, and a value without authorities revokes. A trust domain with one half alone is a bundle without the other's authorities.
// SECURITY: what cannot be read changes nothing, one trust domain at a time, so that no other can keep ours from rotating.

import type { Certificate } from "../certificate.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import { type JwtAuthority, parseTrustBundle } from "../trust-bundle.ts";
import type { BundleSink } from "../trust-bundles.ts";
import { toKnownAuthorities, toX509Authorities } from "../x509-authorities.ts";
import { describeBundleFault, describeLastGood } from "./bundle-problem.ts";
import { parseJwtBundles, parseX509Bundles, splitCertificates } from "./workload-messages.ts";

/** Which of the two streams. */
export type BundleHalf = "x509" | "jwt";

/** Puts the two halves together and tells `sink` what came of it. */
export interface WorkloadBundles {
  /** Takes a message; the sentence says what of it was not taken. */
  take(half: BundleHalf, message: Uint8Array): string | undefined;
  /** The stream is not open: what it told stays, and ages. */
  lose(half: BundleHalf): void;
  /** What the stream told counts no longer. */
  withdraw(half: BundleHalf): void;
}

/** What a value holds; of the other half's kind it holds nothing. */
interface Authorities {
  readonly x509: readonly Certificate[];
  readonly jwt: ReadonlyMap<string, JwtAuthority>;
  readonly ignored: readonly string[];
}

interface Held {
  /** As it came, to see whether it has changed. */
  readonly value: Uint8Array;
  readonly authorities: Authorities;
  /** Whether the stream is open and this is the newest that it told. */
  isCurrent: boolean;
}

interface TrustDomain {
  readonly halves: Map<BundleHalf, Held>;
  isLive: boolean;
}

const NONE: Authorities = { x509: [], jwt: new Map(), ignored: [] };

const isCurrent = ({ halves }: TrustDomain): boolean => [...halves.values()].every((half) => half.isCurrent);

/** Nothing is held until the first message. */
export function createWorkloadBundles(sink: BundleSink): WorkloadBundles {
  const trustDomains = new Map<string, TrustDomain>();

  const tellLive = (name: string, trustDomain: TrustDomain): void => {
    const isLive = isCurrent(trustDomain);
    if (isLive === trustDomain.isLive) return;
    trustDomain.isLive = isLive;
    sink.live(name, isLive);
  };

  const publish = (name: string, { halves }: TrustDomain): void => {
    const x509 = halves.get("x509")?.authorities ?? NONE;
    const jwt = halves.get("jwt")?.authorities ?? NONE;
    sink.replace({
      trustDomain: name,
      x509Authorities: x509.x509,
      jwtAuthorities: jwt.jwt,
      sequence: undefined,
      refreshHintSeconds: undefined,
      ignored: [...x509.ignored, ...jwt.ignored],
    });
  };

  const drop = (name: string, half: BundleHalf): void => {
    const trustDomain = trustDomains.get(name);
    if (trustDomain?.halves.delete(half) !== true) return;
    if (trustDomain.halves.size > 0) {
      publish(name, trustDomain);
      tellLive(name, trustDomain);
    } else {
      trustDomains.delete(name);
      if (trustDomain.isLive) sink.live(name, false);
      sink.withdraw(name);
    }
  };

  /** Why the value was not taken; undefined when it was. */
  const takeValue = (name: string, half: BundleHalf, part: Uint8Array): string | undefined => {
    const known = trustDomains.get(name);
    const held = known?.halves.get(half);
    if (known !== undefined && held !== undefined && Buffer.compare(held.value, part) === 0) {
      held.isCurrent = true;
      // Only the two halves together are a confirmation: one alone would hide how old the other is.
      if (isCurrent(known)) sink.confirm(name);
      tellLive(name, known);
      return undefined;
    }
    // What is kept of it must not hold the whole message in memory, which may have 16 MiB.
    const value = new Uint8Array(part);
    const read = half === "x509" ? readCertificates(value, held?.authorities ?? NONE) : readKeys(name, value);
    if (typeof read === "string") {
      if (known !== undefined && held !== undefined) {
        held.isCurrent = false;
        tellLive(name, known);
      }
      const problem = `\`${name}\`: ${read}: ${describeLastGood(held !== undefined)}`;
      sink.failed(name, problem);
      return problem;
    }
    const trustDomain = known ?? { halves: new Map<BundleHalf, Held>(), isLive: false };
    trustDomains.set(name, trustDomain);
    trustDomain.halves.set(half, { value, authorities: read, isCurrent: true });
    publish(name, trustDomain);
    tellLive(name, trustDomain);
    return undefined;
  };

  return {
    take: (half, message) => {
      const parsed = half === "x509" ? parseX509Bundles(message) : parseJwtBundles(message);
      if (!parsed.ok) {
        const problem = `the message was discarded: ${parsed.detail ?? parsed.code}`;
        sink.failed(undefined, problem);
        return problem;
      }
      const problems: string[] = [];
      const present = new Set<string>();
      for (const [key, value] of parsed.value) {
        const id = parseSpiffeId(key);
        if (!id.ok || id.value.path !== "") {
          problems.push(`the key \`${key.slice(0, 100)}\` is no trust domain`);
          continue;
        }
        present.add(id.value.trustDomain);
        const problem = takeValue(id.value.trustDomain, half, value);
        if (problem !== undefined) problems.push(problem);
      }
      for (const name of [...trustDomains.keys()]) if (!present.has(name)) drop(name, half);
      return problems.length === 0 ? undefined : problems.slice(0, 5).join("; ");
    },
    lose: (half) => {
      for (const [name, trustDomain] of trustDomains) {
        const held = trustDomain.halves.get(half);
        if (held !== undefined) held.isCurrent = false;
        tellLive(name, trustDomain);
      }
    },
    withdraw: (half) => {
      for (const name of [...trustDomains.keys()]) drop(name, half);
    },
  };
}

/** No bytes at all are no authorities, as the whole state; bytes without a usable authority are a fault, not a revocation. */
function readCertificates(value: Uint8Array, { x509 }: Authorities): Authorities | string {
  const split = splitCertificates(value);
  if (!split.ok) return split.detail ?? "the certificates are not DER, one after the other";
  const { authorities, ignored } = toX509Authorities(split.value, toKnownAuthorities(x509));
  if (split.value.length > 0 && authorities.length === 0) return `no certificate that may sign: ${ignored[0] ?? ""}`;
  return { ...NONE, x509: authorities, ignored };
}

/** SPEC: Workload API §6.2.2: a JWK Set of keys for JWT-SVIDs; SPIRE leaves `use` out. */
function readKeys(trustDomain: string, value: Uint8Array): Authorities | string {
  const parsed = parseTrustBundle(value, { trustDomain, format: "jwks", keysWithoutUse: "jwt-svid" });
  if (!parsed.ok) return `the keys for tokens: ${describeBundleFault(parsed)}`;
  return { ...NONE, jwt: parsed.value.jwtAuthorities, ignored: parsed.value.ignored };
}
