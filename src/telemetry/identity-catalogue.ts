// The metrics of identity: which credentials said who called, how old the trust bundles are, what the caches hold. Part of the
// catalogue in catalogue.ts; identity-metrics.ts reads the values.

import type { MetricEntry } from "./catalogue.ts";

/** What can say who calls. */
export const IDENTITY_SOURCES = ["certificate", "token", "principal", "none"] as const;
export type IdentitySource = (typeof IDENTITY_SOURCES)[number];

/** Who verified it. */
export const VERIFIERS = ["pdp", "envoy", "none"] as const;
export type Verifier = (typeof VERIFIERS)[number];

/** Where trust bundles come from. */
export const BUNDLE_ORIGINS = ["file", "workload_api", "https_web", "https_spiffe"] as const;
export type BundleOrigin = (typeof BUNDLE_ORIGINS)[number];

/** What a source said of a bundle. */
export const BUNDLE_EVENTS = ["changed", "confirmed", "withdrawn", "failed"] as const;
export type BundleEvent = (typeof BUNDLE_EVENTS)[number];

/** The streams of the SPIFFE Workload API. */
export const WORKLOAD_API_STREAMS = ["x509_bundles", "jwt_bundles", "x509_svid"] as const;
export type WorkloadApiStream = (typeof WORKLOAD_API_STREAMS)[number];

/** The caches of verified credentials. */
export const CREDENTIAL_CACHES = ["certificate", "token"] as const;

const TRUST_DOMAIN = { from: "the trust domains that are configured, or that the Workload API gives" };
const CACHE = { cache: CREDENTIAL_CACHES } as const;

/** The rows, by metric name. */
export const IDENTITY_CATALOGUE = {
  svidgate_identities_total: {
    type: "counter",
    help: "Checks by the credential that said who calls and by who verified it; verified_by none with a source other than none was refused or only claimed.",
    labels: { source: IDENTITY_SOURCES, verified_by: VERIFIERS },
  },
  svidgate_identity_duration_seconds: {
    type: "histogram",
    help: "Time until it was known who calls; the wait for a first-seen token's signature is in it.",
    labels: {},
    bucketsSeconds: [2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 200e-3],
  },
  svidgate_long_lived_credentials_total: {
    type: "counter",
    help: "Checks whose verified certificate lives longer than 24 hours: a long-lived secret; max_lifetime refuses them.",
    labels: {},
  },
  svidgate_trust_bundle_age_seconds: {
    type: "gauge",
    help: "Time since the source of a trust domain's bundle last said that it is the newest; absent without a bundle.",
    labels: { trust_domain: TRUST_DOMAIN },
  },
  svidgate_trust_bundle_stale: {
    type: "gauge",
    help: "1 for a trust domain whose bundle is older than max_staleness, or that has none: its credentials are refused.",
    labels: { trust_domain: TRUST_DOMAIN },
  },
  svidgate_trust_bundle_authorities: {
    type: "gauge",
    help: "Authorities in a trust domain's bundle; 0 of both kinds means that everything of it is revoked.",
    labels: { trust_domain: TRUST_DOMAIN, use: ["x509-svid", "jwt-svid"] },
  },
  svidgate_trust_bundle_updates_total: {
    type: "counter",
    help: "What sources said of trust bundles.",
    labels: { source: BUNDLE_ORIGINS, event: BUNDLE_EVENTS },
  },
  svidgate_workload_api_connected: {
    type: "gauge",
    help: "1 while a stream of the SPIFFE Workload API is open; a server without JWT-SVIDs leaves jwt_bundles at 0; absent where none is configured.",
    labels: { stream: WORKLOAD_API_STREAMS },
  },
  svidgate_credential_cache_entries: {
    type: "gauge",
    help: "Verified credentials that are remembered.",
    labels: CACHE,
  },
  svidgate_credential_cache_hits_total: {
    type: "counter",
    help: "Credentials that were recognised; their dates were checked again.",
    labels: CACHE,
  },
  svidgate_credential_cache_misses_total: {
    type: "counter",
    help: "Credentials that had to be verified in full.",
    labels: CACHE,
  },
  svidgate_tokens_in_flight: { type: "gauge", help: "Token signatures that are being checked now.", labels: {} },
  svidgate_deny_list_entries: {
    type: "gauge",
    help: "Entries of the deny list in force; absent where none is configured.",
    labels: {},
  },
  svidgate_deny_list_current: {
    type: "gauge",
    help: "1 while the deny list in force is what its file says, 0 while the file is broken or gone; absent where none is configured.",
    labels: {},
  },
  svidgate_attribute_files_current: {
    type: "gauge",
    help: "1 while every data document of attributes in force is what its file says, 0 while a file is broken, gone or without its signature; absent without such files.",
    labels: {},
  },
  svidgate_deny_list_apply_duration_seconds: {
    type: "histogram",
    help: "Time from the change of the deny list's file to its list being in force.",
    labels: {},
    bucketsSeconds: [5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.15, 0.2, 0.5, 1, 5, 30],
  },
} as const satisfies Readonly<Record<`svidgate_${string}`, MetricEntry>>;
