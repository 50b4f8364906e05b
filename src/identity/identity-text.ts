// Writes `input.identity` (docs/input.md) as JSON text. What does not change while a credential is known is written once and
// kept with it; ages and remaining times are written anew for each check.

import { kept } from "../base/kept.ts";
import type { IdentityCode } from "./codes.ts";
import { isReserved } from "./credential-rules.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import type { HeldBundle } from "./trust-bundles.ts";

/** A bundle and how old it is. */
export interface BundleView {
  readonly held: HeldBundle;
  readonly state: "fresh" | "stale" | "absent";
  readonly ageSeconds: number;
}

/** The caller that a certificate or a token proved. */
export interface ProvenCaller {
  readonly speaker:
    | { readonly kind: "certificate"; readonly certificate: VerifiedCertificate }
    | { readonly kind: "token"; readonly token: JwtSvid; readonly forwarded: boolean };
  /** The certificate of the connection, when there is one. */
  readonly peer: VerifiedCertificate | undefined;
  readonly token: JwtSvid | undefined;
  readonly bundle: BundleView | undefined;
  /** Whether the trust domain is another than svidgate's own; undefined when that is not known. */
  readonly federated: boolean | undefined;
  /** JSON text of `attributes`; undefined for none. */
  readonly attributesJson: string | undefined;
  /** Envoy's word, when it is not what was proven. */
  readonly unverifiedPrincipal: string | undefined;
}

/** The text for a proven caller. */
export function toProvenJson(caller: ProvenCaller, nowUnixMs: number): string {
  const { speaker, peer, token } = caller;
  const id = speaker.kind === "certificate" ? speaker.certificate.spiffeId : speaker.token.spiffeId;
  const credential =
    speaker.kind === "certificate"
      ? `${certificateText(speaker.certificate)}${agesText(speaker.certificate.notBeforeUnixMs, speaker.certificate.notAfterUnixMs, nowUnixMs)}`
      : `${tokenCredentialText(speaker.token)},"binding":"${speaker.forwarded ? "forwarded" : "bearer"}"${agesText(issuedAt(speaker.token), speaker.token.expiresUnixMs, nowUnixMs)}`;
  let json = `{"authenticated":true,"verified_by":"pdp",${idText(id)}`;
  if (caller.federated !== undefined) json += `,"federated":${caller.federated}`;
  json += `,"credential":{${credential}}`;
  if (caller.attributesJson !== undefined) json += `,"attributes":${caller.attributesJson}`;
  if (caller.bundle !== undefined) json += `,"bundle":${bundleText(caller.bundle)}`;
  if (peer !== undefined) json += `,"peer":${peerText(peer)}`;
  if (token !== undefined) json += `,"token":${tokenText(token)}`;
  return `${json}${unverifiedText(caller.unverifiedPrincipal)}}`;
}

/** The text for a caller that Envoy names and configuration trusts Envoy about. */
export function toPromotedJson(
  id: SpiffeId,
  federated: boolean | undefined,
  attributesJson: string | undefined,
): string {
  const foreign = federated === undefined ? "" : `,"federated":${federated}`;
  const attributes = attributesJson === undefined ? "" : `,"attributes":${attributesJson}`;
  return `{"authenticated":true,"verified_by":"envoy",${idText(id)}${foreign},"credential":{"type":"x509-svid","source":"principal","binding":"mtls"}${attributes}}`;
}

/** The text for a caller of whom nothing was proven. */
export function toUnprovenJson(error: IdentityCode | undefined, principal: string): string {
  const why = error === undefined ? "" : `,"error":"${error}"`;
  return `{"authenticated":false,"verified_by":"none"${why},"credential":{"type":"none"}${unverifiedText(principal)}}`;
}

const unverifiedText = (principal: string | undefined): string =>
  principal === undefined || principal === "" ? "" : `,"unverified":{"principal":${JSON.stringify(principal)}}`;

/** `,"age_seconds":…` for what was issued and ends then. Clock paths: a policy that reads one depends on time. */
function agesText(notBeforeUnixMs: number | undefined, notAfterUnixMs: number, nowUnixMs: number): string {
  const remaining = `,"remaining_seconds":${wholeSeconds(notAfterUnixMs - nowUnixMs)}`;
  if (notBeforeUnixMs === undefined) return remaining;
  return `,"age_seconds":${wholeSeconds(nowUnixMs - notBeforeUnixMs)}${remaining}`;
}

/** Never negative: skew lets a credential be some seconds younger than nothing. */
const wholeSeconds = (ms: number): number => Math.max(0, Math.floor(ms / 1000));

/** RFC 3339, UTC, whole seconds. */
const dateText = (unixMs: number): string => `${new Date(unixMs).toISOString().slice(0, 19)}Z`;

const datesText = (notBeforeUnixMs: number | undefined, notAfterUnixMs: number): string => {
  const end = `"not_after":"${dateText(notAfterUnixMs)}","not_after_unix":${Math.floor(notAfterUnixMs / 1000)}`;
  if (notBeforeUnixMs === undefined) return end;
  const lifetime = Math.floor((notAfterUnixMs - notBeforeUnixMs) / 1000);
  return `"not_before":"${dateText(notBeforeUnixMs)}","not_before_unix":${Math.floor(notBeforeUnixMs / 1000)},${end},"lifetime_seconds":${lifetime}`;
};

/** When a token was issued, as far as it says. */
export const issuedAt = (token: JwtSvid): number | undefined => token.notBeforeUnixMs ?? token.issuedUnixMs;

const idText = kept((id: SpiffeId): string => {
  const segments = id.path === "" ? [] : id.path.slice(1).split("/");
  const kind = !isReserved(id) ? "workload" : segments[1] === "agent" ? "spire_agent" : "spire_server";
  return `"spiffe_id":${JSON.stringify(id.id)},"trust_domain":${JSON.stringify(id.trustDomain)},"path":${JSON.stringify(id.path)},"segments":${JSON.stringify(segments)},"kind":"${kind}"`;
});

/** A credential's members without the braces, in a fixed order; what is undefined is left out. */
const members = (fields: Readonly<Record<string, unknown>>): string => JSON.stringify(fields).slice(1, -1);

const certificateText = kept((certificate: VerifiedCertificate): string => {
  const facts = members({
    serial: certificate.serial,
    issuer: certificate.issuer,
    subject: certificate.subject,
    key_type: certificate.keyType,
    key_size: certificate.keySize,
    signature_algorithm: certificate.signatureAlgorithm,
    fingerprint_sha256: certificate.fingerprintSha256,
    dns_names: certificate.dnsNames,
    chain_length: certificate.chainLength,
  });
  const dates = datesText(certificate.notBeforeUnixMs, certificate.notAfterUnixMs);
  return `"type":"x509-svid","source":"certificate","binding":"mtls",${dates},${facts}`;
});

const tokenCredentialText = kept((token: JwtSvid): string => {
  const facts = members({
    issuer: token.issuer,
    key_id: token.keyId,
    algorithm: token.algorithm,
    token_id: token.tokenId,
    audience: token.audience,
    issued_at_unix: token.issuedUnixMs === undefined ? undefined : Math.floor(token.issuedUnixMs / 1000),
  });
  return `"type":"jwt-svid","source":"token",${datesText(issuedAt(token), token.expiresUnixMs)},${facts}`;
});

const peerText = kept(
  ({ spiffeId, fingerprintSha256 }: VerifiedCertificate): string =>
    `{"spiffe_id":${JSON.stringify(spiffeId.id)},"trust_domain":${JSON.stringify(spiffeId.trustDomain)},"fingerprint_sha256":"${fingerprintSha256}"}`,
);

const tokenText = kept((token: JwtSvid): string => {
  const facts = members({
    spiffe_id: token.spiffeId.id,
    audience: token.audience,
    key_id: token.keyId,
    token_id: token.tokenId,
    not_after: dateText(token.expiresUnixMs),
  });
  return `{${facts},"claims":${JSON.stringify(Object.fromEntries(token.claims))}}`;
});

const bundleHead = kept(
  ({ bundle, generation, source }: HeldBundle): string =>
    `{${members({ trust_domain: bundle.trustDomain, generation, sequence: bundle.sequence?.toString(), source })}`,
);

const bundleText = ({ held, state, ageSeconds }: BundleView): string =>
  `${bundleHead(held)},"state":"${state}","age_seconds":${Math.floor(ageSeconds)}}`;
