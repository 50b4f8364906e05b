// What is asked of a credential whose signature holds: that its ID is a workload's, that its trust domain's bundle is not stale,
// and that it lives neither too long nor too short. SPEC: these are configuration, not the SPIFFE standards.

import { fail, ok, type Result } from "../base/result.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import type { BundleState } from "./trust-bundles.ts";

/** What a trust domain asks of its credentials. */
export interface TrustDomainRules {
  /** A certificate that lives longer than this is a long-lived secret and proves nothing; undefined for no limit. */
  readonly maxLifetimeMs: number | undefined;
  /** A credential with less than this left, in itself or in its path, is refused: what it opens may outlive it. */
  readonly minRemainingMs: number;
}

/** The rules of a trust domain that has none of its own. */
export const DEFAULT_RULES: TrustDomainRules = { maxLifetimeMs: undefined, minRemainingMs: 0 };

export type CredentialRuleCode =
  | "spiffe_id_reserved"
  | "bundle_stale"
  | "credential_long_lived"
  | "credential_expiring";

/** The dates that the rules count with. */
export interface CredentialDates {
  /** Undefined for no limit of the lifetime: a token has a limit of its own. */
  readonly notBeforeUnixMs: number | undefined;
  /** Of the credential itself: `max_lifetime` counts to it. */
  readonly notAfterUnixMs: number;
  /** The earliest end of the credential and of what it rests on, where that is known: `min_remaining` counts to it. */
  readonly chainNotAfterUnixMs?: number;
}

/** A credential, and what it is held against. */
export interface CredentialCheck {
  readonly id: SpiffeId;
  readonly dates: CredentialDates;
  readonly rules: TrustDomainRules;
  readonly bundleState: BundleState;
  readonly nowUnixMs: number;
}

/** SPEC: SPIRE keeps `/spire/…` for its servers and agents, which call no workload. */
export const isReserved = ({ path }: SpiffeId): boolean => path === "/spire" || path.startsWith("/spire/");

/** Holds a credential against the rules. */
export function checkCredential({
  id,
  dates,
  rules,
  bundleState,
  nowUnixMs,
}: CredentialCheck): Result<undefined, CredentialRuleCode> {
  if (isReserved(id)) return fail("spiffe_id_reserved", "an ID of SPIRE itself, not of a workload");
  if (bundleState !== "fresh") return fail("bundle_stale", `the trust bundle of ${id.trustDomain} is too old`);
  const { notBeforeUnixMs, notAfterUnixMs, chainNotAfterUnixMs = notAfterUnixMs } = dates;
  const { maxLifetimeMs, minRemainingMs } = rules;
  const lifetimeMs = notBeforeUnixMs === undefined ? 0 : notAfterUnixMs - notBeforeUnixMs;
  if (maxLifetimeMs !== undefined && !(lifetimeMs <= maxLifetimeMs)) {
    return fail("credential_long_lived", `lives longer than max_lifetime of ${id.trustDomain} allows`);
  }
  // Without the rule, a token's end has the grace that its own rules gave it.
  if (minRemainingMs > 0 && !(chainNotAfterUnixMs - nowUnixMs >= minRemainingMs)) {
    return fail("credential_expiring", `ends sooner than min_remaining of ${id.trustDomain} allows`);
  }
  return ok(undefined);
}
