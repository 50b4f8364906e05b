// What credentials are explained against, and the rules that all kinds of verified credentials share: those of the trust domain,
// and the deny list.

import { type CredentialDates, checkCredential, DEFAULT_RULES, type TrustDomainRules } from "../credential-rules.ts";
import type { DenyList, DenySubject } from "../deny-list.ts";
import type { SpiffeId } from "../spiffe-id.ts";
import type { TrustBundles } from "../trust-bundles.ts";
import type { Rule } from "./checks.ts";

/** The server's side of the matter; whatever is missing is not checked. */
export interface ExplainOptions {
  readonly nowUnixMs: number;
  /** Undefined when no trust bundle is configured. */
  readonly bundles: Pick<TrustBundles, "find" | "state"> | undefined;
  readonly clockSkewMs: number;
  rulesOf(trustDomain: string): TrustDomainRules | undefined;
  readonly denyList: DenyList | undefined;
}

export const NO_BUNDLES = "no trust bundle is configured";
export const NO_DENY_LIST = "no deny list is configured";

export type SharedStage = "rules" | "deny";

/** Of a verified credential; `withLifetime` for certificates, whose lifetime the trust domain limits. */
export const sharedRules = (withLifetime: boolean): readonly Rule<SharedStage>[] => [
  {
    stage: "rules",
    check: "spiffe_id_reserved",
    code: "spiffe_id_reserved",
    rule: "the ID is not below /spire, which SPIRE keeps for itself",
  },
  {
    stage: "rules",
    check: "bundle_stale",
    code: "bundle_stale",
    rule: "the trust bundle was confirmed within max_staleness",
  },
  ...(withLifetime
    ? ([
        {
          stage: "rules",
          check: "credential_long_lived",
          code: "credential_long_lived",
          rule: "it lives no longer than max_lifetime of its trust domain",
        },
      ] as const)
    : []),
  {
    stage: "rules",
    check: "credential_expiring",
    code: "credential_expiring",
    rule: "it has min_remaining of its trust domain left",
  },
];

export const DENY_RULE: Rule<SharedStage> = {
  stage: "deny",
  check: "revoked",
  code: "revoked",
  rule: "the deny list has neither it nor its workload",
};

/** The shared rule that a verified credential breaks. */
export function findSharedFault(
  id: SpiffeId,
  dates: CredentialDates,
  subject: DenySubject,
  options: ExplainOptions,
): { readonly stage: SharedStage; readonly check: string; readonly detail: string | undefined } | undefined {
  const { nowUnixMs, bundles, denyList } = options;
  const bundleState = bundles?.state(id.trustDomain, nowUnixMs) ?? "absent";
  const rules = options.rulesOf(id.trustDomain) ?? DEFAULT_RULES;
  const checked = checkCredential({ id, dates, rules, bundleState, nowUnixMs });
  if (!checked.ok) return { stage: "rules", check: checked.code, detail: checked.detail };
  const denied = denyList?.find(subject, nowUnixMs);
  return denied === undefined ? undefined : { stage: "deny", check: "revoked", detail: denied.reason };
}
