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
  /** The reply that tells `decision`. */
  write(decision: Decision, decisionId: string): CheckReply;
}

/** Prepares the answers that do not depend on the request. */
export function createResponseWriter(options: ResponseOptions): ResponseWriter {
  const withReason = options.metadataReason !== false;
  const metadataField = (decisionId: string, reason: ReasonCode, metadata: RegoObject | undefined): FieldBytes =>
    dynamicMetadataField(decisionId, withReason ? reason : undefined, metadata);
  const templates = new Map<ReasonCode, Template>();
  const prebuilt = (reason: ReasonCode, fields: () => readonly FieldBytes[], decisionId: string): CheckReply => {
    let template = templates.get(reason);
    if (template === undefined) {
      template = toTemplate(message(...fields(), metadataField(PLACEHOLDER_ID, reason, undefined)));
      templates.set(reason, template);
    }
    return { kind: "message", bytes: fillTemplate(template, decisionId) };
  };
  return {
    write(decision, decisionId) {
      const { reason, verdict } = decision;
      if (options.dryRun && !isAllow(decision)) {
        const metadata = verdict === undefined || verdict.plain ? undefined : verdict.dynamicMetadata;
        if (metadata === undefined) return prebuilt(reason, DRY_RUN_FIELDS, decisionId);
        return toReply(DRY_RUN_FIELDS(), metadataField(decisionId, reason, metadata));
      }
      if (verdict !== undefined) {
        if (verdict.plain) return prebuilt(reason, () => [statusField(OUTCOMES[reason].grpc, "")], decisionId);
        return toReply(verdictFields(verdict), metadataField(decisionId, reason, verdict.dynamicMetadata));
      }
      if (reason === "request_malformed") {
        const metadata = withReason ? metadataField(decisionId, reason, undefined) : NO_METADATA;
        return toReply(malformedFields(decision), metadata);
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

const DRY_RUN_FIELDS = (): readonly FieldBytes[] => [statusField(0, ""), messageField(OK_RESPONSE)];

const toReply = (fields: readonly FieldBytes[], metadata: FieldBytes): CheckReply => ({
  kind: "message",
  bytes: message(...fields, metadata),
});

function verdictFields(verdict: Exclude<Verdict, { readonly plain: true }>): readonly FieldBytes[] {
  return verdict.allow
    ? [statusField(0, ""), messageField(OK_RESPONSE, fieldList(okFields(verdict)))]
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

const refusalFields = (refusal: Refusal, field: number): readonly FieldBytes[] => {
  const { grpc, http } = OUTCOMES[refusal.reason];
  const denied = deniedFields({ headers: [], body: "", httpStatus: http });
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
