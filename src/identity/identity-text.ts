// Writes `input.identity` (docs/input.md) as JSON text. What does not change while a credential is known is written once and
// kept with it; ages and remaining times are written anew for each check.
// PERF: a text is built as a tree of its parts and becomes one run of characters when the policy's memory gets its copy: with few and
// long parts both take 0.2 µs for a certificate, with every member a part of its own 0.45.

import { kept } from "../base/kept.ts";
import type { IdentityCode } from "./codes.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { VerifiedCertificate } from "./known-certificates.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import type { BundleState, HeldBundle } from "./trust-bundles.ts";

/** A bundle and how old it is. */
export interface BundleView {
  readonly held: HeldBundle;
  readonly state: BundleState;
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
  let json =
    speaker.kind === "certificate"
      ? certificateHead(speaker.certificate) +
        agesText(speaker.certificate.notBeforeUnixMs, speaker.certificate.notAfterUnixMs, nowUnixMs)
      : tokenHead(speaker.token) +
        (speaker.forwarded ? FORWARDED : BEARER) +
        agesText(validFrom(speaker.token), speaker.token.expiresUnixMs, nowUnixMs);
  json += caller.federated === undefined ? "}" : caller.federated ? FEDERATED : OWN;
  if (caller.attributesJson !== undefined) json += `,"attributes":${caller.attributesJson}`;
  if (caller.bundle !== undefined) json += bundleText(caller.bundle);
  if (peer !== undefined) json += peerText(peer);
  if (token !== undefined) json += tokenText(token);
  return `${json}${unverifiedText(caller.unverifiedPrincipal)}}`;
}

const BEARER = ',"binding":"bearer"';
const FORWARDED = ',"binding":"forwarded"';
// The brace ends the credential.
const FEDERATED = '},"federated":true';
const OWN = '},"federated":false';

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

/** From when on a token is valid, as far as it says. */
const validFrom = (token: JwtSvid): number | undefined => token.notBeforeUnixMs ?? token.issuedUnixMs;

/** Members that say who it is: a workload, since IDs that SPIRE keeps for itself come to no proven caller. */
const idText = (id: SpiffeId): string => {
  const segments = id.path === "" ? [] : id.path.slice(1).split("/");
  return `"spiffe_id":${JSON.stringify(id.id)},"trust_domain":${JSON.stringify(id.trustDomain)},"path":${JSON.stringify(id.path)},"segments":${JSON.stringify(segments)},"kind":"workload"`;
};

/** A credential's members without the braces, in a fixed order; what is undefined is left out. */
const members = (fields: Readonly<Record<string, unknown>>): string => JSON.stringify(fields).slice(1, -1);

/** One run of characters: V8 puts texts together as trees of their parts, and keeps the trees. */
const flat = (text: string): string => Buffer.from(text).toString();

const headOf = (id: SpiffeId, credential: string): string =>
  flat(`{"authenticated":true,"verified_by":"pdp",${idText(id)},"credential":{${credential}`);

/** From the first brace up to the credential's ages. */
const certificateHead = kept((certificate: VerifiedCertificate): string => {
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
  return headOf(certificate.spiffeId, `"type":"x509-svid","source":"certificate","binding":"mtls",${dates},${facts}`);
});

/** From the first brace up to what binds the token to the connection. */
const tokenHead = kept((token: JwtSvid): string => {
  const facts = members({
    issuer: token.issuer,
    key_id: token.keyId,
    algorithm: token.algorithm,
    token_id: token.tokenId,
    audience: token.audience,
    issued_at_unix: token.issuedUnixMs === undefined ? undefined : Math.floor(token.issuedUnixMs / 1000),
  });
  const dates = datesText(validFrom(token), token.expiresUnixMs);
  return headOf(token.spiffeId, `"type":"jwt-svid","source":"token",${dates},${facts}`);
});

const peerText = kept(({ spiffeId, fingerprintSha256 }: VerifiedCertificate): string =>
  flat(
    `,"peer":{"spiffe_id":${JSON.stringify(spiffeId.id)},"trust_domain":${JSON.stringify(spiffeId.trustDomain)},"fingerprint_sha256":"${fingerprintSha256}"}`,
  ),
);

const tokenText = kept((token: JwtSvid): string => {
  const facts = members({
    spiffe_id: token.spiffeId.id,
    audience: token.audience,
    key_id: token.keyId,
    token_id: token.tokenId,
    not_after: dateText(token.expiresUnixMs),
  });
  return flat(`,"token":{${facts},"claims":${JSON.stringify(Object.fromEntries(token.claims))}}`);
});

/** The text up to the age in seconds, and the last age that was written. */
interface BundleTexts {
  readonly head: string;
  state: BundleView["state"];
  ageSeconds: number;
  text: string;
}

const bundleTexts = kept(({ bundle, generation, source }: HeldBundle): BundleTexts => {
  const facts = members({
    trust_domain: bundle.trustDomain,
    generation,
    sequence: bundle.sequence?.toString(),
    source,
  });
  return { head: `,"bundle":{${facts},"state":"`, state: "absent", ageSeconds: Number.NaN, text: "" };
});

function bundleText({ held, state, ageSeconds }: BundleView): string {
  const texts = bundleTexts(held);
  const age = Math.floor(ageSeconds);
  if (texts.state !== state || texts.ageSeconds !== age) {
    Object.assign(texts, { state, ageSeconds: age, text: flat(`${texts.head}${state}","age_seconds":${age}}`) });
  }
  return texts.text;
}
