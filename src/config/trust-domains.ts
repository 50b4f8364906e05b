// The fields of all trust domains → one structure for each: where its keys come from and its rules, or what is missing.
// SPEC: SPIFFE Federation §5.1: URL, profile and trust domain are explicit, none is inferred from another; an `https_spiffe`
// endpoint in the trust domain that it serves needs a first bundle by another way.

import type { Config } from "./fields.ts";
import type { BundleLocation } from "./identity-kinds.ts";
import { DEFAULT_MAX_STALENESS_MS } from "./trust-domain-fields.ts";

/** Where a trust domain's keys come from. */
export type BundleSettings =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "workload_api" }
  | {
      readonly kind: "https_web";
      readonly url: string;
      /** Path of PEM authorities; the system's when absent. */
      readonly ca?: string;
    }
  | {
      readonly kind: "https_spiffe";
      readonly url: string;
      readonly endpointSpiffeId: string;
      /** Path of a first bundle of the endpoint's trust domain. */
      readonly bootstrap?: string;
    };

/** Which credentials of a trust domain are accepted, and for how long its bundle holds. */
export interface TrustDomainRules {
  /** Infinity where the last good bundle holds for ever. */
  readonly maxStalenessMs: number;
  /** Longest lifetime of an X.509-SVID; no limit when undefined. */
  readonly maxLifetimeMs: number | undefined;
  readonly minRemainingMs: number;
}

/** One trust domain of the configuration. */
export interface TrustDomainSettings extends TrustDomainRules {
  readonly bundle: BundleSettings;
}

/** The rules of a trust domain that the Workload API gives without an entry of its own. */
export const DEFAULT_TRUST_DOMAIN_RULES: TrustDomainRules = Object.freeze({
  maxStalenessMs: DEFAULT_MAX_STALENESS_MS,
  maxLifetimeMs: undefined,
  minRemainingMs: 0,
});

/**
 * Shortest `max_staleness`, in milliseconds, with which a source that is well never makes a bundle stale: a URL is asked each minute
 * at most and may fail twice, a file is confirmed each ten seconds.
 */
const MIN_STALENESS_MS = { url: 180_000, file: 30_000, workload_api: 0 } as const;
const SECTION = "svidgate.identity.trust_domains";

/** Every trust domain by its name; what is wrong is added to `problems`, one sentence each. */
export function toTrustDomains(config: Config, problems: string[]): ReadonlyMap<string, TrustDomainSettings> {
  const fields = {
    bundle: new Map(config.trustDomainBundles),
    profile: new Map(config.trustDomainProfiles),
    endpointId: new Map(config.trustDomainEndpointIds),
    bootstrap: new Map(config.trustDomainBootstraps),
    ca: new Map(config.trustDomainAuthorities),
    staleness: new Map(config.trustDomainStaleness),
    maxLifetime: new Map(config.trustDomainMaxLifetimes),
    minRemaining: new Map(config.trustDomainMinRemaining),
  };
  const names = new Set(Object.values(fields).flatMap((field) => [...field.keys()]));
  const trustDomains = new Map<string, TrustDomainSettings>();
  for (const name of names) {
    const maxLifetimeMs = fields.maxLifetime.get(name);
    const minRemainingMs = fields.minRemaining.get(name) ?? DEFAULT_TRUST_DOMAIN_RULES.minRemainingMs;
    const maxStalenessMs = fields.staleness.get(name) ?? DEFAULT_TRUST_DOMAIN_RULES.maxStalenessMs;
    if (maxLifetimeMs !== undefined && minRemainingMs >= maxLifetimeMs) {
      problems.push(
        `${SECTION}.${name}.min_remaining: not below \`max_lifetime\`, which refuses every credential: make it shorter`,
      );
    }
    const { kind } = fields.bundle.get(name) ?? { kind: "workload_api" };
    if (maxStalenessMs !== 0 && maxStalenessMs < MIN_STALENESS_MS[kind]) {
      problems.push(
        `${SECTION}.${name}.max_staleness: too short, ${kind === "url" ? "a URL" : "a file"} is not looked at often enough: say at least \`${MIN_STALENESS_MS[kind] / 1_000}s\``,
      );
    }
    const bundle = toBundle(
      {
        name,
        location: fields.bundle.get(name),
        profile: fields.profile.get(name),
        endpointId: fields.endpointId.get(name),
        bootstrap: fields.bootstrap.get(name),
        ca: fields.ca.get(name),
      },
      fields.bundle,
      problems,
    );
    if (bundle === undefined) continue;
    trustDomains.set(
      name,
      Object.freeze({
        bundle: Object.freeze(bundle),
        maxStalenessMs: maxStalenessMs === 0 ? Number.POSITIVE_INFINITY : maxStalenessMs,
        maxLifetimeMs,
        minRemainingMs,
      }),
    );
  }
  return trustDomains;
}

interface BundleWords {
  readonly name: string;
  readonly location: BundleLocation | undefined;
  readonly profile: "https_web" | "https_spiffe" | undefined;
  readonly endpointId: string | undefined;
  readonly bootstrap: string | undefined;
  readonly ca: string | undefined;
}

function toBundle(
  words: BundleWords,
  known: ReadonlyMap<string, BundleLocation>,
  problems: string[],
): BundleSettings | undefined {
  const { name, location, profile, endpointId, bootstrap, ca } = words;
  const problem = (key: string, sentence: string): undefined => {
    problems.push(`${SECTION}.${name}.${key}: ${sentence}`);
  };
  if (location === undefined) {
    return problem("bundle", "missing: name a file, an https:// URL, or `workload_api`");
  }
  const isUrl = location.kind === "url";
  if (isUrl && profile === undefined) {
    return problem("bundle_profile", "missing: a URL needs one, say `https_web` or `https_spiffe`");
  }
  const of = isUrl ? `\`${profile}\`` : location.kind === "file" ? "a file" : "`workload_api`";
  const without = (key: string): undefined => problem(key, `has no effect with ${of}: take it out`);
  if (!isUrl && profile !== undefined) without("bundle_profile");
  if (endpointId !== undefined && profile !== "https_spiffe") without("bundle_endpoint_spiffe_id");
  if (bootstrap !== undefined && profile !== "https_spiffe") without("bundle_bootstrap");
  if (ca !== undefined && profile !== "https_web") without("bundle_ca");
  if (!isUrl) return location;
  if (profile === "https_web") return { kind: "https_web", url: location.url, ...(ca !== undefined && { ca }) };
  if (endpointId === undefined) {
    return problem("bundle_endpoint_spiffe_id", "missing: with `https_spiffe`, name the SPIFFE ID of the URL's server");
  }
  const [, , endpointDomain = ""] = endpointId.split("/");
  if (bootstrap === undefined && endpointDomain === name) {
    return problem(
      "bundle_bootstrap",
      `missing: the endpoint is in \`${name}\` itself, so name a file with its first bundle`,
    );
  }
  if (bootstrap === undefined && !known.has(endpointDomain)) {
    return problem(
      "bundle_bootstrap",
      `missing: nothing gives the keys of the endpoint's trust domain: name a file, or set \`${SECTION}.${endpointDomain}.bundle\``,
    );
  }
  return {
    kind: "https_spiffe",
    url: location.url,
    endpointSpiffeId: endpointId,
    ...(bootstrap !== undefined && { bootstrap }),
  };
}
