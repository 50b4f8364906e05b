// The fields of audit event v1: name, type, bound, meaning. One table for the writer's bounds, docs/audit-event.md and
// docs/audit-event.schema.json; tests compare all of them.
// SECURITY: there is no field for header values, bodies, query strings, tokens or certificates, and none may be added.

/** One field of an event. */
export interface AuditField {
  readonly type: "string" | "integer" | "boolean" | "object";
  /** One sentence for documentation and schema. */
  readonly doc: string;
  /** True when every event of this kind has it. */
  readonly always?: true;
  /** Characters of the written JSON string or object at most, escapes counted. */
  readonly maxChars?: number;
  /** The closed set of values, where there is one. */
  readonly values?: readonly (string | number)[];
  /** A regular expression that every value matches. */
  readonly pattern?: string;
}

/** Why events were lost. */
export const LOSS_CAUSES = ["queue_full", "sink_error", "shutdown", "internal"] as const;
export type LossCause = (typeof LOSS_CAUSES)[number];

const TIME = {
  type: "string",
  always: true,
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$",
  doc: "When the event was recorded: RFC 3339, UTC, microseconds.",
} as const;
const VERSION = {
  type: "integer",
  always: true,
  values: [1],
  doc: "Version of this shape; new fields may come within 1, fields never change or go.",
} as const;
const PDP_ID = {
  type: "string",
  always: true,
  maxChars: 128,
  doc: "The svidgate process that decided; `seq` counts within it.",
} as const;
const LABELS = {
  type: "object",
  maxChars: 2_048,
  doc: "`labels` of the configuration, texts by name; absent when there are none.",
} as const;
const PDP_VERSION = { type: "string", always: true, maxChars: 64, doc: "Version of svidgate." } as const;

/** The fields of a `decision`, in the order in which they are written. */
export const DECISION_FIELDS = {
  v: VERSION,
  type: { type: "string", always: true, values: ["decision"], doc: "Kind of event." },
  time: TIME,
  seq: {
    type: "integer",
    always: true,
    doc: "Counts decisions of this process from 1; a missing number is a lost event.",
  },
  decision_id: { type: "string", always: true, maxChars: 64, doc: "UUIDv7; the same as in Envoy's dynamic metadata." },
  outcome: {
    type: "string",
    always: true,
    values: ["allow", "deny", "error"],
    doc: "What was decided; `error` is a deny that is svidgate's fault, not the policy's.",
  },
  reason: { type: "string", always: true, maxChars: 64, doc: "Reason code, of a closed set." },
  enforced: { type: "boolean", always: true, doc: "False when dry run let the request pass whatever was decided." },
  http_status: { type: "integer", doc: "HTTP status that Envoy was told to answer with." },
  grpc_status: { type: "integer", doc: "gRPC status code of the decision." },
  method: { type: "string", maxChars: 64, doc: "HTTP method." },
  host: { type: "string", maxChars: 255, doc: "Host or authority as requested, without user information." },
  path: {
    type: "string",
    maxChars: 1024,
    doc: "Path as requested, without query, fragment and segment parameters; absent with `audit.path: none`.",
  },
  source_address: { type: "string", maxChars: 64, doc: "The caller's address as Envoy reports it." },
  subject: {
    type: "string",
    maxChars: 2048,
    doc: "SPIFFE ID of the caller, verified as `verified_by` says; absent when nobody verified one.",
  },
  subject_refused: {
    type: "string",
    maxChars: 512,
    doc: "SPIFFE ID of a credential whose signatures hold and that was refused all the same (`revoked`, `credential_long_lived`, `identity_conflict`, …); cut after 512 characters.",
  },
  subject_claimed: {
    type: "string",
    maxChars: 2048,
    doc: "Envoy's word for who calls (`source.principal`); not verified.",
  },
  identity_source: {
    type: "string",
    always: true,
    values: ["certificate", "principal", "xfcc", "token", "none"],
    doc: "The credential that says who calls; it is proven only where `subject` is present.",
  },
  verified_by: {
    type: "string",
    always: true,
    values: ["pdp", "envoy", "none"],
    doc: "Who verified `subject`: svidgate; Envoy, taken at its word (`trust_envoy_principal`); nobody.",
  },
  identity_detail: {
    type: "string",
    maxChars: 256,
    doc: "Why the identity was refused, for people; for `revoked` the reason in the deny list.",
  },
  credential_type: {
    type: "string",
    values: ["x509-svid", "jwt-svid"],
    doc: "Kind of the credential of `subject`, or of `subject_refused`.",
  },
  credential_not_after: { type: "string", maxChars: 32, doc: "When the credential ends: RFC 3339, UTC." },
  credential_lifetime_seconds: { type: "integer", doc: "From the certificate's beginning to its end." },
  credential_fingerprint_sha256: { type: "string", maxChars: 66, doc: "SHA-256 of the certificate, hex." },
  credential_serial: { type: "string", maxChars: 64, doc: "Serial number of the certificate, hex." },
  credential_issuer: { type: "string", maxChars: 256, doc: "Issuer of the certificate, or `iss` of the token." },
  credential_token_id: { type: "string", maxChars: 128, doc: "`jti` of the token." },
  credential_key_id: { type: "string", maxChars: 128, doc: "Key that signed the token." },
  bundle_generation: {
    type: "integer",
    doc: "Generation of the trust bundle that the credential was verified against (`GET /status`).",
  },
  peer_spiffe_id: {
    type: "string",
    maxChars: 512,
    doc: "Verified SPIFFE ID of the gateway that passed on the caller's token; cut after 512 characters.",
  },
  destination_principal: { type: "string", maxChars: 2048, doc: "Who is called, as Envoy reports it." },
  pep_address: {
    type: "string",
    maxChars: 64,
    doc: "Who asked for the decision: `unix`, or the address of the connection.",
  },
  pep_spiffe_id: { type: "string", maxChars: 2048, doc: "SPIFFE ID of the asking proxy, when it proved one." },
  pep_verified: { type: "boolean", doc: "Whether `pep_spiffe_id` was proven on the connection." },
  request_id: {
    type: "string",
    maxChars: 128,
    pattern: "^[A-Za-z0-9._:-]{1,128}$",
    doc: "`x-request-id` as Envoy passes it; absent unless it looks like an id.",
  },
  trace_id: { type: "string", maxChars: 32, doc: "Trace id of the request, 32 hex digits." },
  span_id: { type: "string", maxChars: 16, doc: "The caller's span id, 16 hex digits." },
  trace_sampled: { type: "boolean", doc: "Whether the caller records the trace." },
  policy_revision: { type: "string", maxChars: 128, doc: "Revision of the policy that decided; absent when none did." },
  policy_entrypoint: { type: "string", maxChars: 256, doc: "Entrypoint that was evaluated." },
  policy_wasm_sha256: { type: "string", maxChars: 64, doc: "SHA-256 of the policy's WASM, hex." },
  identity_us: { type: "integer", always: true, doc: "Microseconds spent on the identity." },
  evaluation_us: { type: "integer", always: true, doc: "Microseconds spent in the policy." },
  total_us: { type: "integer", always: true, doc: "Microseconds from the check's arrival to the decision." },
  pdp_id: PDP_ID,
  pdp_version: PDP_VERSION,
  labels: LABELS,
} as const satisfies Readonly<Record<string, AuditField>>;

/** The fields of an `audit.gap`, in the order in which they are written. */
export const GAP_FIELDS = {
  v: VERSION,
  type: { type: "string", always: true, values: ["audit.gap"], doc: "Kind of event." },
  time: TIME,
  from_seq: { type: "integer", always: true, doc: "First lost `seq`." },
  to_seq: { type: "integer", always: true, doc: "Last lost `seq`; between the two, `count` are lost." },
  count: { type: "integer", always: true, doc: "How many events were lost." },
  cause: { type: "string", always: true, values: LOSS_CAUSES, doc: "Why they were lost." },
  pdp_id: PDP_ID,
  pdp_version: PDP_VERSION,
  labels: LABELS,
} as const satisfies Readonly<Record<string, AuditField>>;
