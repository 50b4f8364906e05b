// CheckResponse.dynamic_metadata: the policy's own keys, `decision_id` at the top as the plugin has it, and ours under
// `svidgate`. SPEC: google.protobuf.Struct.

import {
  type FieldBytes,
  fieldList,
  messageField,
  oneofDoubleField,
  oneofVarintField,
  presentStringField,
} from "../base/protobuf-fields.ts";
import { RegoNumber, RegoObject, type Value } from "../policy/value.ts";
import type { ReasonCode } from "./outcome.ts";

const DYNAMIC_METADATA = 4;

/** The field's bytes. The policy's own `decision_id`, and with a reason `svidgate`, are overwritten: consumers trust these. */
export function dynamicMetadataField(
  decisionId: string,
  reason: ReasonCode | undefined,
  policyMetadata: RegoObject | undefined,
): FieldBytes {
  const ours: readonly (readonly [string, FieldBytes])[] = [
    ["decision_id", presentStringField(3, decisionId)],
    ...(reason === undefined
      ? []
      : [["svidgate", messageField(5, entryField("reason", presentStringField(3, reason)))] as const]),
  ];
  const theirs = (policyMetadata?.entries ?? [])
    .map(([key, value]) => [String(key), value] as const)
    .filter(([key]) => ours.every(([name]) => name !== key))
    .map(([key, value]) => [key, valueFields(value)] as const);
  return messageField(DYNAMIC_METADATA, fieldList([...theirs, ...ours].map(([key, value]) => entryField(key, value))));
}

/** One entry of Struct.fields; `value` are the bytes of a google.protobuf.Value. */
const entryField = (key: string, value: FieldBytes): FieldBytes =>
  messageField(1, presentStringField(1, key), messageField(2, value));

function valueFields(value: Value): FieldBytes {
  if (value === null) return oneofVarintField(1, 0);
  if (typeof value === "boolean") return oneofVarintField(4, value ? 1 : 0);
  if (typeof value === "string") return presentStringField(3, value);
  if (value instanceof RegoNumber) return oneofDoubleField(2, value.toNumber());
  if (value instanceof RegoObject) {
    return messageField(
      5,
      fieldList(value.entries.map(([key, member]) => entryField(String(key), valueFields(member)))),
    );
  }
  const members = Array.isArray(value) ? (value as readonly Value[]) : [];
  return messageField(6, fieldList(members.map((member) => messageField(1, valueFields(member)))));
}
