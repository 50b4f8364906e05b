// Decision → CheckResponse. SPEC: envoy.service.auth.v3 (external_auth.proto); the mapping of a decision document follows
// opa-envoy-plugin 1.19.1. Answers that carry nothing of the request are made once and only get their decision id.

import {
  type FieldBytes,
  fieldList,
  message,
  messageField,
  presentStringField,
  stringField,
  uint32Field,
} from "../base/protobuf-fields.ts";
import type { RegoObject } from "../policy/value.ts";
import type { AllowVerdict, DenyVerdict, Header, Verdict } from "../policy/verdict.ts";
import type { CheckReply } from "./check-handler.ts";
import { type Decision, isAllow, type Refusal } from "./decision.ts";
import { dynamicMetadataField } from "./dynamic-metadata.ts";
import { OUTCOMES, type ReasonCode } from "./outcome.ts";

/** How a decision is told. */
export interface ResponseOptions {
  /** What Envoy is told when there is no decision. */
  readonly onError: "deny" | "error_response" | "grpc_error";
  /** Answer allow, whatever was decided. */
  readonly dryRun: boolean;
  /** Whether the dynamic metadata tells our reason, and a 400 has any: the plugin's has only `decision_id`. True unless set. */
  readonly metadataReason?: boolean;
}

// Field numbers of envoy.service.auth.v3.CheckResponse and the messages in it.
const STATUS = 1;
const DENIED_RESPONSE = 2;
const OK_RESPONSE = 3;
const ERROR_RESPONSE = 5;

const DECISION_ID_LENGTH = 36;
const PLACEHOLDER_ID = "0".repeat(DECISION_ID_LENGTH);

/** Writes replies of one configuration. `decisionId` must be 36 ASCII characters, as a UUID is. */
export interface ResponseWriter {
  /** The reply that tells `decision`; a request that is let through loses the headers `headersToRemove`. */
  write(decision: Decision, decisionId: string, headersToRemove?: readonly string[]): CheckReply;
}

/** Prepares the answers that do not depend on the request. */
export function createResponseWriter(options: ResponseOptions): ResponseWriter {
  const withReason = options.metadataReason !== false;
  const metadataField = (decisionId: string, reason: ReasonCode, metadata: RegoObject | undefined): FieldBytes =>
    dynamicMetadataField(decisionId, withReason ? reason : undefined, metadata);
  const templates = new Map<string, Template>();
  const prebuilt = (
    reason: ReasonCode,
    fields: () => readonly FieldBytes[],
    decisionId: string,
    variant = "",
  ): CheckReply => {
    const name = variant === "" ? reason : `${reason} ${variant}`;
    let template = templates.get(name);
    if (template === undefined) {
      template = toTemplate(message(...fields(), metadataField(PLACEHOLDER_ID, reason, undefined)));
      templates.set(name, template);
    }
    return { kind: "message", bytes: fillTemplate(template, decisionId) };
  };
  return {
    write(decision, decisionId, headersToRemove = NO_HEADERS) {
      const { reason, verdict } = decision;
      if (options.dryRun && !isAllow(decision)) {
        const metadata = verdict === undefined || verdict.plain ? undefined : verdict.dynamicMetadata;
        const fields = () => passFields(headersToRemove);
        if (metadata === undefined) return prebuilt(reason, fields, decisionId, headersToRemove.join(" "));
        return toReply(fields(), metadataField(decisionId, reason, metadata));
      }
      if (verdict !== undefined) {
        if (verdict.plain) {
          if (!verdict.allow) return prebuilt(reason, () => [statusField(OUTCOMES[reason].grpc, "")], decisionId);
          const fields = () => (headersToRemove.length === 0 ? [statusField(0, "")] : passFields(headersToRemove));
          return prebuilt(reason, fields, decisionId, headersToRemove.join(" "));
        }
        return toReply(
          verdictFields(verdict, headersToRemove),
          metadataField(decisionId, reason, verdict.dynamicMetadata),
        );
      }
      if (reason === "request_malformed") {
        const metadata = withReason ? metadataField(decisionId, reason, undefined) : NO_METADATA;
        return toReply(malformedFields(decision), metadata);
      }
      if (OUTCOMES[reason].outcome === "deny") {
        return prebuilt(reason, () => refusalFields(decision, DENIED_RESPONSE), decisionId);
      }
      if (options.onError === "grpc_error") {
        return { kind: "status", code: OUTCOMES[reason].grpc, message: decision.detail };
      }
      const field = options.onError === "error_response" ? ERROR_RESPONSE : DENIED_RESPONSE;
      return prebuilt(reason, () => refusalFields(decision, field), decisionId);
    },
  };
}

const NO_METADATA: FieldBytes = new Uint8Array(0);

const NO_HEADERS: readonly string[] = [];

/** The request goes on as it is, but for these headers. */
const passFields = (headersToRemove: readonly string[]): readonly FieldBytes[] => [
  statusField(0, ""),
  messageField(OK_RESPONSE, ...removals(headersToRemove)),
];

const removals = (headersToRemove: readonly string[]): readonly FieldBytes[] =>
  headersToRemove.map((name) => presentStringField(5, name));

const toReply = (fields: readonly FieldBytes[], metadata: FieldBytes): CheckReply => ({
  kind: "message",
  bytes: message(...fields, metadata),
});

function verdictFields(
  verdict: Exclude<Verdict, { readonly plain: true }>,
  headersToRemove: readonly string[],
): readonly FieldBytes[] {
  // Envoy removes after it has set: a header that the policy sets anew is replaced by that alone.
  const lost = ({ headers }: AllowVerdict): readonly string[] =>
    headersToRemove.filter((name) => !headers.some(({ key }) => key.toLowerCase() === name));
  return verdict.allow
    ? [statusField(0, ""), messageField(OK_RESPONSE, fieldList([...okFields(verdict), ...removals(lost(verdict))]))]
    : [statusField(OUTCOMES.policy_denied.grpc, ""), messageField(DENIED_RESPONSE, fieldList(deniedFields(verdict)))];
}

const okFields = (verdict: AllowVerdict): readonly FieldBytes[] => [
  ...verdict.headers.map((header) => headerField(2, header)),
  ...verdict.headersToRemove.map((name) => presentStringField(5, name)),
  ...verdict.responseHeadersToAdd.map((header) => headerField(6, header)),
  ...verdict.queryParametersToSet.map(({ key, value }) => messageField(7, stringField(1, key), stringField(2, value))),
  ...verdict.queryParametersToRemove.map((name) => presentStringField(8, name)),
];

const deniedFields = (denied: Pick<DenyVerdict, "headers" | "body" | "httpStatus">): readonly FieldBytes[] => [
  messageField(1, uint32Field(1, denied.httpStatus)),
  ...denied.headers.map((header) => headerField(2, header)),
  stringField(3, denied.body),
];

const malformedFields = (refusal: Refusal): readonly FieldBytes[] => {
  const sentence = `request_parse_error: ${refusal.detail}`;
  const { grpc, http } = OUTCOMES[refusal.reason];
  const denied = deniedFields({ headers: [], body: sentence, httpStatus: http });
  return [statusField(grpc, sentence), messageField(DENIED_RESPONSE, ...denied)];
};

/** SPEC: RFC 9110 §11.6.1: a 401 says what would be accepted; RFC 6750 §3 how. There is no such name for a certificate. */
const CHALLENGE: Header = { key: "www-authenticate", value: 'Bearer error="invalid_token"' };

const refusalFields = (refusal: Refusal, field: number): readonly FieldBytes[] => {
  const { grpc, http } = OUTCOMES[refusal.reason];
  const headers = refusal.reason.startsWith("jwt_") ? [CHALLENGE] : [];
  const denied = deniedFields({ headers, body: "", httpStatus: http });
  return [statusField(grpc, refusal.reason), messageField(field, ...denied)];
};

const statusField = (code: number, text: string): FieldBytes =>
  messageField(STATUS, uint32Field(1, code), stringField(2, text));

/** SPEC: HeaderValueOption without `append_action`: Envoy's default for the place it stands in, as with the plugin. */
const headerField = (field: number, { key, value }: Header): FieldBytes =>
  messageField(field, messageField(1, stringField(1, key), stringField(2, value)));

interface Template {
  readonly bytes: Buffer;
  readonly idOffset: number;
}

function toTemplate(bytes: Uint8Array): Template {
  const buffer = Buffer.from(bytes);
  return { bytes: buffer, idOffset: buffer.indexOf(PLACEHOLDER_ID, 0, "latin1") };
}

function fillTemplate(template: Template, decisionId: string): Uint8Array {
  const bytes = Buffer.from(template.bytes);
  bytes.write(decisionId, template.idOffset, DECISION_ID_LENGTH, "latin1");
  return bytes;
}
