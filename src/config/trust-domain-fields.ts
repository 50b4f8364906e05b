// Fields of each trust domain: where its keys come from and which credentials are young enough. The `*` of a key is the trust
// domain's name. See `fields.ts`; `trust-domains.ts` makes one structure of them.

import { duration, type Field, namedValue, oneOf, text } from "./field.ts";
import { bundleLocation, spiffeId, trustDomainNames } from "./identity-kinds.ts";

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;

const PER_NAME = { live: true, repeatable: true, names: trustDomainNames, fallback: undefined } as const;

/** The default of `max_staleness`, in milliseconds. */
export const DEFAULT_MAX_STALENESS_MS: number = DAY_MS;

/** Parser and documentation of each; defaults are those of `toTrustDomains`. */
export const TRUST_DOMAIN_FIELDS = {
  trustDomainBundles: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.bundle",
    flag: "trust-domain-bundle",
    placeholder: "TD=PATH",
    parse: namedValue(trustDomainNames, bundleLocation),
    kind: "path, `workload_api` or `https://` URL",
    doc: "where the trust domain's keys come from: a SPIFFE bundle or PEM file (watched), the Workload API, or a federation endpoint; required for each trust domain",
  },
  trustDomainProfiles: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.bundle_profile",
    parse: namedValue(trustDomainNames, oneOf("https_web", "https_spiffe")),
    kind: "`https_web` or `https_spiffe`",
    doc: "who vouches for the bundle's URL: the Web's authorities or a SPIFFE ID; required for a URL",
  },
  trustDomainEndpointIds: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.bundle_endpoint_spiffe_id",
    parse: namedValue(trustDomainNames, spiffeId),
    kind: "SPIFFE ID",
    doc: "whom the URL's server must prove to be, with `https_spiffe`",
  },
  trustDomainBootstraps: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.bundle_bootstrap",
    parse: namedValue(trustDomainNames, text),
    kind: "path",
    doc: "first bundle of the endpoint's trust domain, with `https_spiffe`; needed where the endpoint is in the trust domain that it serves",
  },
  trustDomainAuthorities: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.bundle_ca",
    parse: namedValue(trustDomainNames, text),
    kind: "path",
    doc: "PEM authorities of the URL's server, with `https_web`; not set: the system's",
  },
  trustDomainStaleness: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.max_staleness",
    parse: namedValue(trustDomainNames, duration(0, YEAR_MS)),
    kind: "duration (24h)",
    doc: "how long the last good bundle holds when its source is silent; then the trust domain denies with `bundle_stale`; at least 3m for a URL and 30s for a file. 0 is for ever",
  },
  trustDomainMaxLifetimes: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.max_lifetime",
    parse: namedValue(trustDomainNames, duration(60_000, 10 * YEAR_MS)),
    kind: "duration",
    doc: "longest lifetime of an X.509-SVID; longer ones are refused with `credential_long_lived`. Not set: no limit, but beyond 24h counted",
  },
  trustDomainMinRemaining: {
    ...PER_NAME,
    key: "svidgate.identity.trust_domains.*.min_remaining",
    parse: namedValue(trustDomainNames, duration(0, YEAR_MS)),
    kind: "duration (0s)",
    doc: "how long a credential must still be valid; one that ends sooner is refused with `credential_expiring`",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
