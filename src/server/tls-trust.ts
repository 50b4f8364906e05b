// What TLS clients are held against, made of what workloads are held against: the same bundles, the same deny list, the same rules
// of their trust domain. `min_remaining` is left out: a connection's dates count at every check, so nothing outlives them.

import { certificateSubject } from "../identity/credential-facts.ts";
import { checkCredential, DEFAULT_RULES, type TrustDomainRules } from "../identity/credential-rules.ts";
import type { DenyList } from "../identity/deny-list.ts";
import type { TrustBundles } from "../identity/trust-bundles.ts";
import type { ClientTrust } from "./tls-client.ts";

/** Asked each time, so that a reload may replace what they give. */
export interface ClientTrustSources {
  /** Undefined while none is configured: then no client is let in by bundles. */
  bundles(): Pick<TrustBundles, "find" | "state"> | undefined;
  denyList(): DenyList | undefined;
  rulesOf(trustDomain: string): TrustDomainRules | undefined;
  clockSkewMs(): number;
}

/** Follows its sources. */
export function createClientTrust(sources: ClientTrustSources): ClientTrust {
  return {
    bundles: { find: (trustDomain) => sources.bundles()?.find(trustDomain) },
    get clockSkewMs() {
      return sources.clockSkewMs();
    },
    object: (certificate, nowUnixMs) => {
      const { spiffeId } = certificate;
      const asked = sources.rulesOf(spiffeId.trustDomain) ?? DEFAULT_RULES;
      const rules = asked.minRemainingMs === 0 ? asked : { ...asked, minRemainingMs: 0 };
      const bundleState = sources.bundles()?.state(spiffeId.trustDomain, nowUnixMs) ?? "absent";
      const checked = checkCredential({ id: spiffeId, dates: certificate, rules, bundleState, nowUnixMs });
      if (!checked.ok) return checked;
      const denied = sources.denyList()?.find(certificateSubject(certificate), nowUnixMs);
      return denied === undefined ? undefined : { code: "revoked", detail: denied.reason };
    },
  };
}
