// The audit events, v1: one flat JSON object a line (operations: who, what, why for security; where, how long for operations).
// `toDecisionLine` writes them field by field: about 2 µs, printable ASCII, every string bounded by event-fields.ts, so a line
// stays below `MAX_LINE_BYTES`. It has no input for header values, bodies, query strings or credentials.

import { quoteAscii } from "../base/ascii-json.ts";
import { kept } from "../base/kept.ts";
import { DECISION_FIELDS as FIELDS, type LossCause } from "./event-fields.ts";
import { toAuditHost, toAuditPath } from "./request-line.ts";

/** No line is longer, with its line feed; container runtimes split lines of more than 16 KiB. */
export const MAX_LINE_BYTES = 16_384;

/** The asking proxy, as the connection tells. */
export interface AuditPep {
  readonly address: string;
  readonly spiffeId?: string;
  readonly verified: boolean;
}

/** The policy that decided; one object per loaded policy, since its text is kept between events. */
export interface AuditPolicy {
  readonly revision: string;
  readonly entrypoint: string;
  /** Hex; absent when the policy was not loaded from WASM bytes that were hashed. */
  readonly wasmSha256?: string | undefined;
}

/** A verified credential; one object per credential, since its text is kept with it. */
export interface AuditCredential {
  readonly type: "x509-svid" | "jwt-svid";
  readonly notAfterUnixMs?: number | undefined;
  readonly lifetimeSeconds?: number | undefined;
  readonly fingerprintSha256?: string | undefined;
  readonly serial?: string | undefined;
  readonly issuer?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly bundleGeneration?: number | undefined;
}

/** What `authz` knows about one decision. Strings are raw: this module cuts, bounds and escapes them. */
export interface DecisionFacts {
  readonly decisionId: string;
  readonly outcome: "allow" | "deny" | "error";
  readonly reason: string;
  /** False when dry run let the request pass. */
  readonly enforced: boolean;
  readonly httpStatus?: number | undefined;
  readonly grpcStatus?: number | undefined;
  readonly method?: string | undefined;
  readonly host?: string | undefined;
  /** May carry a query: it is cut off here. */
  readonly path?: string | undefined;
  readonly sourceAddress?: string | undefined;
  /** Only a SPIFFE ID that was verified, as `verifiedBy` says. */
  readonly subject?: string | undefined;
  /** Of a credential that proved it and was refused. */
  readonly subjectRefused?: string | undefined;
  /** Envoy's `source.principal`. */
  readonly subjectClaimed?: string | undefined;
  readonly identitySource: "certificate" | "principal" | "xfcc" | "token" | "none";
  readonly verifiedBy: "pdp" | "envoy" | "none";
  /** Why the identity was refused. */
  readonly identityDetail?: string | undefined;
  readonly credential?: AuditCredential | undefined;
  /** Of a gateway that passed on a token. */
  readonly peerSpiffeId?: string | undefined;
  readonly destinationPrincipal?: string | undefined;
  readonly pep?: AuditPep | undefined;
  readonly requestId?: string | undefined;
  readonly trace?: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined;
  readonly policy?: AuditPolicy | undefined;
  readonly identityUs: number;
  readonly evaluationUs: number;
  readonly totalUs: number;
}

/** What is the same in every event of a process. */
export interface AuditWriterOptions {
  /** Unique per process, or `seq` means nothing. */
  readonly pdpId: string;
  readonly pdpVersion: string;
  /** `none` leaves the path out of every event, for services whose paths hold secrets or personal data. */
  readonly path: "full" | "none";
  /** Written into every event as one object; together at most `labels.maxChars` of JSON. */
  readonly labels?: ReadonlyMap<string, string>;
}

/** Events that were lost, between and including two sequence numbers. */
export interface AuditLoss {
  readonly cause: LossCause;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly count: number;
}

/** Writes events as lines, with their line feed. Pure but for the text of the last policy that it keeps. */
export interface AuditWriter {
  toDecisionLine(facts: DecisionFacts, seq: number, time: string): string;
  toGapLine(loss: AuditLoss, time: string): string;
}

// SECURITY: the id comes from the client unless Envoy sets it; what does not look like an id is not one.
const REQUEST_ID = new RegExp(FIELDS.request_id.pattern);

const integer = (value: number): number => (value > 0 ? Math.round(Math.min(value, Number.MAX_SAFE_INTEGER)) : 0);

const text = (name: keyof typeof FIELDS, value: string | undefined, maxChars: number): string =>
  value === undefined ? "" : `,"${name}":${quoteAscii(value, maxChars)}`;

const pepText = (pep: AuditPep): string =>
  `${text("pep_address", pep.address, FIELDS.pep_address.maxChars)}${text("pep_spiffe_id", pep.spiffeId, FIELDS.pep_spiffe_id.maxChars)},"pep_verified":${pep.verified}`;

const policyText = (policy: AuditPolicy): string =>
  text("policy_revision", policy.revision, FIELDS.policy_revision.maxChars) +
  text("policy_entrypoint", policy.entrypoint, FIELDS.policy_entrypoint.maxChars) +
  text("policy_wasm_sha256", policy.wasmSha256, FIELDS.policy_wasm_sha256.maxChars);

const optionalInteger = (name: keyof typeof FIELDS, value: number | undefined): string =>
  value === undefined ? "" : `,"${name}":${integer(value)}`;

const dateOf = (unixMs: number | undefined): string | undefined =>
  unixMs === undefined ? undefined : `${new Date(unixMs).toISOString().slice(0, 19)}Z`;

const credentialText = kept(
  (credential: AuditCredential): string =>
    `,"credential_type":"${credential.type}"` +
    text("credential_not_after", dateOf(credential.notAfterUnixMs), FIELDS.credential_not_after.maxChars) +
    optionalInteger("credential_lifetime_seconds", credential.lifetimeSeconds) +
    text("credential_fingerprint_sha256", credential.fingerprintSha256, FIELDS.credential_fingerprint_sha256.maxChars) +
    text("credential_serial", credential.serial, FIELDS.credential_serial.maxChars) +
    text("credential_issuer", credential.issuer, FIELDS.credential_issuer.maxChars) +
    text("credential_token_id", credential.tokenId, FIELDS.credential_token_id.maxChars) +
    text("credential_key_id", credential.keyId, FIELDS.credential_key_id.maxChars) +
    optionalInteger("bundle_generation", credential.bundleGeneration),
);

/** Creates the writer of one process. */
export function createAuditWriter(options: AuditWriterOptions): AuditWriter {
  const labels = [...(options.labels ?? [])].map(
    ([name, value]) => `${quoteAscii(name, 512)}:${quoteAscii(value, 2_048)}`,
  );
  const labelText = labels.length === 0 ? "" : `,"labels":{${labels.join(",")}}`;
  const tail = `${text("pdp_id", options.pdpId, FIELDS.pdp_id.maxChars)}${text("pdp_version", options.pdpVersion, FIELDS.pdp_version.maxChars)}${labelText}}\n`;
  const withPath = options.path === "full";
  let lastPolicy: AuditPolicy | undefined;
  let lastPolicyText = "";

  return {
    toDecisionLine: (facts, seq, time) => {
      const { httpStatus, grpcStatus, host, path, pep, requestId, trace, policy } = facts;
      let line = `{"v":1,"type":"decision","time":"${time}","seq":${seq}`;
      line += text("decision_id", facts.decisionId, FIELDS.decision_id.maxChars);
      line += `,"outcome":"${facts.outcome}"`;
      line += text("reason", facts.reason, FIELDS.reason.maxChars);
      line += `,"enforced":${facts.enforced}`;
      if (httpStatus !== undefined) line += `,"http_status":${integer(httpStatus)}`;
      if (grpcStatus !== undefined) line += `,"grpc_status":${integer(grpcStatus)}`;
      line += text("method", facts.method, FIELDS.method.maxChars);
      if (host !== undefined) line += text("host", toAuditHost(host), FIELDS.host.maxChars);
      if (withPath && path !== undefined) line += text("path", toAuditPath(path), FIELDS.path.maxChars);
      line += text("source_address", facts.sourceAddress, FIELDS.source_address.maxChars);
      line += text("subject", facts.subject, FIELDS.subject.maxChars);
      line += text("subject_refused", facts.subjectRefused, FIELDS.subject_refused.maxChars);
      line += text("subject_claimed", facts.subjectClaimed, FIELDS.subject_claimed.maxChars);
      line += `,"identity_source":"${facts.identitySource}","verified_by":"${facts.verifiedBy}"`;
      line += text("identity_detail", facts.identityDetail, FIELDS.identity_detail.maxChars);
      if (facts.credential !== undefined) line += credentialText(facts.credential);
      line += text("peer_spiffe_id", facts.peerSpiffeId, FIELDS.peer_spiffe_id.maxChars);
      line += text("destination_principal", facts.destinationPrincipal, FIELDS.destination_principal.maxChars);
      if (pep !== undefined) line += pepText(pep);
      if (requestId !== undefined && REQUEST_ID.test(requestId)) line += `,"request_id":"${requestId}"`;
      if (trace !== undefined) {
        line += text("trace_id", trace.traceId, FIELDS.trace_id.maxChars);
        line += text("span_id", trace.spanId, FIELDS.span_id.maxChars);
        line += `,"trace_sampled":${trace.sampled}`;
      }
      if (policy !== undefined && policy !== lastPolicy) {
        lastPolicy = policy;
        lastPolicyText = policyText(policy);
      }
      if (policy !== undefined) line += lastPolicyText;
      line += `,"identity_us":${integer(facts.identityUs)},"evaluation_us":${integer(facts.evaluationUs)}`;
      return `${line},"total_us":${integer(facts.totalUs)}${tail}`;
    },
    toGapLine: ({ cause, fromSeq, toSeq, count }, time) =>
      `{"v":1,"type":"audit.gap","time":"${time}","from_seq":${fromSeq},"to_seq":${toSeq},"count":${count},"cause":"${cause}"${tail}`,
  };
}
