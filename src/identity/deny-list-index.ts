// Finds the entry that denies a credential: a hash table for each kind of entry, since this is asked on every request.

import { DENY_KINDS, type DenyEntry, type DenyKind } from "./deny-list-entry.ts";
import { createIssuerSerialKey } from "./issuer-serial.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** A verified credential, as far as entries can name it. */
export interface DenySubject {
  readonly spiffeId: SpiffeId;
  /** Lower-case hex, of every certificate that should count: the leaf, or its whole chain. */
  readonly fingerprintsSha256?: readonly string[];
  /** As texts that any tool writes; compared in the form that all writings have in common. */
  readonly issuersAndSerials?: readonly { readonly issuer: string; readonly serial: string }[];
  /** `jti` of a token. */
  readonly tokenId?: string;
  /** `notBefore` of a certificate, `iat` of a token; -Infinity when it is not known, which every `not_before` matches. */
  readonly issuedUnixMs: number;
}

/** Entries of one key are tried one after the other. */
export const MAX_ENTRIES_PER_KEY = 16;

/** Entries by what they name. */
export class DenyIndex {
  readonly #tables: Readonly<Record<DenyKind, Map<string, DenyEntry[]>>> = Object.fromEntries(
    DENY_KINDS.map((kind) => [kind, new Map<string, DenyEntry[]>()]),
  ) as Record<DenyKind, Map<string, DenyEntry[]>>;

  readonly #issuerSerialKey = createIssuerSerialKey();

  /** False when 16 entries have the key already. */
  add(entry: DenyEntry): boolean {
    const table = this.#tables[entry.kind];
    const held = table.get(entry.key);
    if (held === undefined) table.set(entry.key, [entry]);
    else if (held.length < MAX_ENTRIES_PER_KEY) held.push(entry);
    else return false;
    return true;
  }

  /** The first entry in the order of the kinds that is in force and names the subject. */
  find(subject: DenySubject, nowUnixMs: number): DenyEntry | undefined {
    const { spiffe_id, trust_domain, fingerprint_sha256, issuer_serial, jti } = this.#tables;
    const { spiffeId, fingerprintsSha256 = [], issuersAndSerials = [], tokenId, issuedUnixMs } = subject;
    const inForce = (entries: readonly DenyEntry[] | undefined): DenyEntry | undefined =>
      entries?.find((entry) => nowUnixMs < entry.expiresUnixMs && issuedUnixMs < entry.issuedBeforeUnixMs);
    let found = inForce(spiffe_id.get(spiffeId.id)) ?? this.#findPrefix(spiffeId, inForce);
    found ??= inForce(trust_domain.get(spiffeId.trustDomain));
    for (const fingerprint of fingerprint_sha256.size === 0 ? [] : fingerprintsSha256) {
      found ??= inForce(fingerprint_sha256.get(fingerprint));
    }
    for (const { issuer, serial } of issuer_serial.size === 0 ? [] : issuersAndSerials) {
      found ??= inForce(issuer_serial.get(this.#issuerSerialKey(issuer, serial)));
    }
    return found ?? (tokenId === undefined ? undefined : inForce(jti.get(tokenId)));
  }

  /** Whole segments only: every `/` of the path ends one possible prefix, and what has no segment behind it is none. */
  #findPrefix(
    { id, path }: SpiffeId,
    inForce: (entries: readonly DenyEntry[] | undefined) => DenyEntry | undefined,
  ): DenyEntry | undefined {
    const { prefix } = this.#tables;
    if (prefix.size === 0 || path === "") return undefined;
    for (let at = id.length - path.length; at >= 0; at = id.indexOf("/", at + 1)) {
      const found = inForce(prefix.get(id.slice(0, at)));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
