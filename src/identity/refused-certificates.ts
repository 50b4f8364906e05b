// Certificates that proved nothing a moment ago, so that a client that sends one again and again costs a hash each time and not a
// verification. SECURITY: a second only, and only while the bundle is the same; it can turn a yes into a no for that long at most,
// and never a no into a yes. What is not valid yet is not kept: its time may come within the second.

import { hash } from "node:crypto";
import type { X509SvidCode } from "./codes.ts";
import type { TrustBundleSource } from "./trust-bundles.ts";

/** A refusal. */
export interface Refusal {
  readonly ok: false;
  readonly code: X509SvidCode;
  readonly detail?: string;
}

/** The memory of refusals. */
export interface RefusedCertificates {
  /** `chainHash` stands for the candidates that came along. */
  find(text: string, chainHash: string, nowUnixMs: number): Refusal | undefined;
  /** Keeps the refusal, and gives it back; `trustDomain` is the one whose bundle was asked, if one was. */
  add(text: string, chainHash: string, refusal: Refusal, trustDomain: string | undefined, nowUnixMs: number): Refusal;
}

interface Kept {
  readonly refusal: Refusal;
  readonly trustDomain: string | undefined;
  readonly generation: number | undefined;
  readonly atUnixMs: number;
}

const KEEP_MS = 1_000;
const MAX_ENTRIES = 1_024;

/** Keeps at most 1024 of them, the newest. */
export function createRefusedCertificates(bundles: TrustBundleSource): RefusedCertificates {
  const kept = new Map<string, Kept>();
  const keyOf = (text: string, chainHash: string): string => `${hash("sha256", text, "base64")},${chainHash}`;
  const generationOf = (trustDomain: string | undefined): number | undefined =>
    trustDomain === undefined ? undefined : bundles.find(trustDomain)?.generation;
  return {
    find: (text, chainHash, nowUnixMs) => {
      if (kept.size === 0) return undefined;
      const key = keyOf(text, chainHash);
      const found = kept.get(key);
      if (found === undefined) return undefined;
      const { refusal, trustDomain, generation, atUnixMs } = found;
      if (Math.abs(nowUnixMs - atUnixMs) < KEEP_MS && generationOf(trustDomain) === generation) return refusal;
      kept.delete(key);
      return undefined;
    },
    add: (text, chainHash, refusal, trustDomain, nowUnixMs) => {
      if (refusal.code === "not_yet_valid") return refusal;
      for (const oldest of kept.keys()) {
        if (kept.size < MAX_ENTRIES) break;
        kept.delete(oldest);
      }
      kept.set(keyOf(text, chainHash), {
        refusal,
        trustDomain,
        generation: generationOf(trustDomain),
        atUnixMs: nowUnixMs,
      });
      return refusal;
    },
  };
}
