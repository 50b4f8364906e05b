// Peer certificates that were verified before, recognised by their exact text: what a certificate says never changes, so only its
// dates, and the bundle that its path rests on, are looked at again on every request.
// PERF: the end of the text is the signature, which differs in every certificate: a map keyed by 70 characters of it, and one
// comparison of the whole text, take 0.7 µs, SHA-256 of the text 1.6 µs (Node 20). 10,000 certificates take 22 MB of heap here, 37 with their texts for input and event.
// SECURITY: only what verified is kept here, so that certificates that prove nothing push nobody out. Those have a small memory of
// their own, for a second, so that one that is sent again and again does not cost a verification each time.

import { hash } from "node:crypto";
import { kept } from "../base/kept.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { loadX509 } from "../base/x509.ts";
import { type Certificate, decodeEnvoyCertificate, readCertificate, rereadCertificate } from "./certificate.ts";
import { createCertificateMemory } from "./certificate-memory.ts";
import type { X509SvidCode } from "./codes.ts";
import { createRefusedCertificates } from "./refused-certificates.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { DEFAULT_CLOCK_SKEW_MS, validityCode } from "./svid-leaf.ts";
import type { TrustBundleSource } from "./trust-bundles.ts";
import { toVerifiedCertificate, type VerifiedCertificate } from "./verified-certificate.ts";
import { verifyX509SvidLeaf, verifyX509SvidPath, type X509SvidOptions } from "./x509-svid.ts";

export type { VerifiedCertificate } from "./verified-certificate.ts";

export interface KnownCertificatesOptions {
  readonly bundles: TrustBundleSource;
  readonly clockSkewMs?: number;
  /** How many certificates are remembered; 10,000 unless given. */
  readonly maxEntries?: number;
}

/** Verifies certificates as Envoy sends them, and remembers. */
export interface KnownCertificates {
  /** `chain`: DER of untrusted certificates that may help to find a path. The same frozen object until something changes. */
  verify(
    sourceCertificate: string,
    chain: readonly Uint8Array[] | undefined,
    nowUnixMs: number,
  ): Result<VerifiedCertificate, X509SvidCode>;
  /** SHA-256 of the certificate's DER, lower-case hex, verified or not; undefined for what cannot be decoded. */
  fingerprintOf(sourceCertificate: string): string | undefined;
  stats(): KnownCertificatesStats;
}

export interface KnownCertificatesStats {
  readonly entries: number;
  /** Answered without parsing or a signature. */
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

interface Entry {
  /** As Envoy sent it. */
  readonly text: string;
  readonly spiffeId: SpiffeId;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** What the path was found with. */
  chainHash: string;
  generation: number;
  /** When every certificate of the path is valid. */
  path: { readonly notBeforeUnixMs: number; readonly notAfterUnixMs: number };
  answer: Result<VerifiedCertificate, X509SvidCode>;
  /** Asked for since it was last looked at for eviction. */
  used: boolean;
}

const DEFAULT_MAX_ENTRIES = 10_000;
/** Room for an average certificate; with larger ones fewer are kept. */
const TEXT_CHARS_PER_ENTRY = 4096;
/** How many used entries an insertion passes over before it takes the oldest all the same. */
const SECOND_CHANCES = 16;
/** The line `-----END CERTIFICATE-----` with its escapes, and before it the part of the text that tells certificates apart. */
const KEY_FROM = -110;
const KEY_TO = -40;

/** Loads what parsing needs at once, so that no request waits for it. */
export function createKnownCertificates(options: KnownCertificatesOptions): KnownCertificates {
  const { bundles, clockSkewMs = DEFAULT_CLOCK_SKEW_MS, maxEntries = DEFAULT_MAX_ENTRIES } = options;
  loadX509();
  const entries = new Map<string, Entry>();
  const refused = createRefusedCertificates(bundles);
  const intermediates = createCertificateMemory();
  const counts = { hits: 0, misses: 0, evictions: 0 };
  let textChars = 0;

  function verify(
    text: string,
    chain: readonly Uint8Array[] | undefined,
    nowUnixMs: number,
  ): Result<VerifiedCertificate, X509SvidCode> {
    const chainHash = chain === undefined || chain.length === 0 ? "" : hashChain(chain);
    const entry = find(text);
    if (entry !== undefined) {
      const answer = recall(entry, chainHash, nowUnixMs);
      if (answer !== undefined) {
        counts.hits++;
        return answer;
      }
    }
    const again = refused.find(text, chainHash, nowUnixMs);
    if (again !== undefined) {
      counts.hits++;
      return again;
    }
    counts.misses++;
    const svidOptions = { bundles, nowUnixMs, clockSkewMs, intermediates: chain ?? [], read: intermediates.read };
    return entry === undefined ? first(text, chainHash, svidOptions) : renew(entry, chainHash, svidOptions);
  }

  function find(text: string): Entry | undefined {
    const found = entries.get(text.slice(KEY_FROM, KEY_TO));
    return found?.text === text ? found : undefined;
  }

  function fingerprintOf(text: string): string | undefined {
    const answer = find(text)?.answer;
    if (answer?.ok === true) return answer.value.fingerprintSha256;
    const der = decodeEnvoyCertificate(text);
    return der.ok ? hash("sha256", der.value) : undefined;
  }

  /** The answer that still holds, or that time alone has ended; undefined when the path has to be looked for. */
  function recall(entry: Entry, chainHash: string, nowUnixMs: number): Entry["answer"] | undefined {
    const late = validityCode(entry, nowUnixMs, clockSkewMs);
    if (late !== undefined) return fail(late);
    if (bundles.find(entry.spiffeId.trustDomain)?.generation !== entry.generation) return undefined;
    if (entry.chainHash !== chainHash || validityCode(entry.path, nowUnixMs, clockSkewMs) !== undefined)
      return undefined;
    entry.used = true;
    return entry.answer;
  }

  /** A certificate that is not known. */
  function first(text: string, chainHash: string, svidOptions: X509SvidOptions): Entry["answer"] {
    const der = decodeEnvoyCertificate(text);
    if (!der.ok) return der;
    const leaf = readCertificate(der.value);
    if (!leaf.ok) return refused.add(text, chainHash, leaf, undefined, svidOptions.nowUnixMs);
    const id = verifyX509SvidLeaf(leaf.value, svidOptions);
    if (!id.ok) return refused.add(text, chainHash, id, undefined, svidOptions.nowUnixMs);
    const path = verifyPath(leaf.value, id.value, svidOptions);
    if (!path.ok) return refused.add(text, chainHash, path, id.value.trustDomain, svidOptions.nowUnixMs);
    // A copy: the text may be a slice that keeps a whole request in memory.
    const own = Buffer.from(text, "latin1").toString("latin1");
    const { notBeforeUnixMs, notAfterUnixMs } = path.value.verified;
    insert({
      text: own,
      spiffeId: id.value,
      notBeforeUnixMs,
      notAfterUnixMs,
      chainHash,
      used: false,
      ...path.value.held,
    });
    return path.value.held.answer;
  }

  /** A known certificate whose path has to be found again: the bundle or the candidates changed, or a part of the path ended. */
  function renew(entry: Entry, chainHash: string, svidOptions: X509SvidOptions): Entry["answer"] {
    const der = decodeEnvoyCertificate(entry.text);
    if (!der.ok) return der;
    const leaf = rereadCertificate(der.value);
    if (!leaf.ok) return leaf;
    const path = verifyPath(leaf.value, entry.spiffeId, svidOptions);
    if (!path.ok) {
      return refused.add(entry.text, chainHash, path, entry.spiffeId.trustDomain, svidOptions.nowUnixMs);
    }
    Object.assign(entry, path.value.held, { chainHash, used: true });
    return entry.answer;
  }

  function verifyPath(leaf: Certificate, spiffeId: SpiffeId, svidOptions: X509SvidOptions) {
    const svid = verifyX509SvidPath(leaf, spiffeId, svidOptions);
    if (!svid.ok) return svid;
    const generation = bundles.find(spiffeId.trustDomain)?.generation ?? 0;
    const dates = svid.value.chain.map(({ fields }) => fields);
    const path = {
      notBeforeUnixMs: Math.max(...dates.map(({ notBeforeUnixMs }) => notBeforeUnixMs)),
      notAfterUnixMs: Math.min(...dates.map(({ notAfterUnixMs }) => notAfterUnixMs)),
    };
    const verified = toVerifiedCertificate(svid.value, generation);
    return ok({ verified, held: { generation, path, answer: Object.freeze(ok(verified)) } });
  }

  function insert(entry: Entry): void {
    const key = entry.text.slice(KEY_FROM, KEY_TO);
    drop(key, entries.get(key));
    entries.set(key, entry);
    textChars += entry.text.length;
    while (entries.size > maxEntries || (textChars > maxEntries * TEXT_CHARS_PER_ENTRY && entries.size > 1)) evict();
  }

  function evict(): void {
    let chances = SECOND_CHANCES;
    for (const [key, entry] of entries) {
      if (entry.used && chances-- > 0) {
        entry.used = false;
        entries.delete(key);
        entries.set(key, entry);
        continue;
      }
      drop(key, entry);
      counts.evictions++;
      return;
    }
  }

  function drop(key: string, entry: Entry | undefined): void {
    if (entry !== undefined && entries.delete(key)) textChars -= entry.text.length;
  }

  return { verify, fingerprintOf, stats: () => ({ entries: entries.size, ...counts }) };
}

/** Each certificate's own hash, so that no two lists read alike. PERF: the reader of the header keeps the list, and so its hash. */
const hashChain = kept((chain: readonly Uint8Array[]): string =>
  chain.map((der) => hash("sha256", der, "base64")).join(),
);
