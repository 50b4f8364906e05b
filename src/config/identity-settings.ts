// What the fields of identity mean together: trust domains, whether JWT-SVIDs are read, and combinations that cannot be meant.

import { type Config, FIELDS, type FieldName } from "./fields.ts";
import type { MetadataKey } from "./identity-kinds.ts";
import { type TrustDomainSettings, toTrustDomains } from "./trust-domains.ts";

/** What identity is configured to be, beside the fields that mean something alone. */
export interface IdentitySettings {
  readonly trustDomains: ReadonlyMap<string, TrustDomainSettings>;
  /** Whether there is any source of trust bundles: only then does a credential prove something, or deny. */
  readonly hasTrustBundles: boolean;
  /** Whether tokens are looked for. */
  readonly jwtEnabled: boolean;
  readonly attributeMetadata: ReadonlyMap<string, MetadataKey>;
}

/** The fields that identity is made of: a change of one of them makes it anew. */
export const isIdentityField = (name: FieldName): boolean =>
  FIELDS[name].key.startsWith("svidgate.identity.") || name === "stateDir";

/** Combines the fields; problems and notes are one sentence each. */
export function resolveIdentity(config: Config, problems: string[], notes: string[]): IdentitySettings {
  const trustDomains = toTrustDomains(config, problems);
  const hasTrustBundles = config.trustDomainBundles.length > 0 || config.workloadApi !== undefined;
  const jwtEnabled = config.jwtEnabled ?? config.jwtAudiences.length > 0;
  problems.push(...problemsOfTokens(config), ...problemsOfWorkloadApi(config));
  if (config.attributePublicKey !== undefined && config.attributeFiles.length === 0) {
    problems.push(
      "svidgate.identity.attributes.public_key: has no effect without `svidgate.identity.attributes.files`: name them",
    );
  }
  notes.push(...notesOf(config, hasTrustBundles, jwtEnabled));
  return { trustDomains, hasTrustBundles, jwtEnabled, attributeMetadata: new Map(config.attributeMetadata) };
}

function problemsOfTokens(config: Config): string[] {
  if (config.jwtAudiences.length > 0) return [];
  // SECURITY: without an audience of ours, a token for any service would be good here.
  const wants = [
    config.jwtEnabled === true && "enabled",
    config.jwtHeader !== undefined && "header",
    config.jwtMetadata !== undefined && "metadata",
    config.jwtBindToPeer && "bind_to_peer",
  ].find((key) => key !== false);
  return wants === undefined || config.jwtEnabled === false
    ? []
    : [
        `svidgate.identity.jwt_svid.audiences: missing: \`svidgate.identity.jwt_svid.${wants}\` is set, so name an audience that tokens must be for`,
      ];
}

function problemsOfWorkloadApi(config: Config): string[] {
  const problems: string[] = [];
  const needs = "is set, so give its address such as unix:///run/spire/agent.sock";
  if (config.workloadApi === undefined) {
    const [name] = config.trustDomainBundles.find(([, { kind }]) => kind === "workload_api") ?? [];
    if (name !== undefined) {
      problems.push(
        `svidgate.identity.workload_api: missing: \`svidgate.identity.trust_domains.${name}.bundle: workload_api\` ${needs}`,
      );
    }
    if (config.tlsSource === "workload_api") {
      problems.push(`svidgate.identity.workload_api: missing: \`svidgate.tls.source: workload_api\` ${needs}`);
    }
  }
  if (config.tlsSource === "workload_api") {
    for (const [key, value] of [
      ["certificate", config.tlsCertificate],
      ["private_key", config.tlsPrivateKey],
    ] as const) {
      if (value === undefined) continue;
      problems.push(
        `svidgate.tls.${key}: has no effect with \`svidgate.tls.source: workload_api\`: take out one of the two`,
      );
    }
  }
  return problems;
}

function notesOf(config: Config, hasTrustBundles: boolean, jwtEnabled: boolean): string[] {
  const notes: string[] = [];
  if (config.trustEnvoyPrincipal) {
    notes.push(
      "svidgate.identity.trust_envoy_principal: the principal that Envoy names is taken as authenticated, without proof",
    );
  }
  if (!hasTrustBundles) {
    for (const [isSet, key] of [
      [config.gateways.length > 0, "gateways"],
      [jwtEnabled, "jwt_svid"],
      [config.xfccEnabled, "xfcc.enabled"],
      [config.identityOnInvalid === "policy", "on_invalid"],
    ] as const) {
      if (!isSet) continue;
      notes.push(
        `svidgate.identity.${key}: no effect: nothing verifies a credential without \`svidgate.identity.trust_domains\` or \`workload_api\``,
      );
    }
  }
  const asksWorkloadApi =
    // svidgate's own trust domain is then the one of its SVID.
    config.ownTrustDomain === undefined ||
    config.trustDomainBundles.length === 0 ||
    config.trustDomainBundles.some(([, { kind }]) => kind === "workload_api") ||
    config.tlsSource === "workload_api";
  if (config.workloadApi !== undefined && !asksWorkloadApi) {
    notes.push(
      "svidgate.identity.workload_api: no effect: every trust domain has its bundle from elsewhere, `svidgate.identity.trust_domain` is set, and `svidgate.tls.source` is files",
    );
  }
  return notes;
}
