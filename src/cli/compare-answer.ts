// A CheckResponse, or the gRPC status in its place → what Envoy would do with it, in a form that compares.
// SPEC: envoy.service.auth.v3. Headers compare as multisets: the plugin writes them in the order of a Go map. What differs by
// design of both sides is left out: `decision_id`, and `svidgate` in the dynamic metadata.

import { WireReader, WireType } from "../base/protobuf-wire.ts";

/** What an answer comes to. Every list is sorted. */
export interface Answer {
  /** `error`: a gRPC status or an error_response; Envoy then does as `failure_mode_allow` says. */
  readonly outcome: "allow" | "deny" | "error";
  /** Names and values that differ one by one: statuses, headers, body, metadata. */
  readonly facts: Readonly<Record<string, string | readonly string[]>>;
}

/** The answer of a call that ended with a status. Its words are not compared: evaluation errors are worded differently. */
export const toErrorAnswer = (code: number): Answer => ({ outcome: "error", facts: { grpc_status: String(code) } });

// Field numbers of CheckResponse and of the messages in it.
const CHECK = { status: 1, denied: 2, ok: 3, metadata: 4, error: 5 } as const;
const OK = { headers: 2, remove: 5, responseHeaders: 6, querySet: 7, queryRemove: 8 } as const;
const DENIED = { status: 1, headers: 2, body: 3 } as const;

/** Reads an answer; undefined when the bytes are no CheckResponse. */
export function readAnswer(bytes: Uint8Array): Answer | undefined {
  const response = readFields(bytes);
  if (response === undefined) return undefined;
  try {
    const code = numberOf(firstOf(response, CHECK.status), 1);
    const metadata = metadataOf(bytesOf(response, CHECK.metadata)[0]);
    const error = bytesOf(response, CHECK.error)[0];
    if (error !== undefined) return { outcome: "error", facts: { ...refusalFacts(error, 500), ...metadata } };
    if (code === 0) return { outcome: "allow", facts: { ...allowFacts(firstOf(response, CHECK.ok)), ...metadata } };
    return { outcome: "deny", facts: { ...refusalFacts(firstOf(response, CHECK.denied), 403), ...metadata } };
  } catch (fault) {
    if (fault instanceof Malformed) return undefined;
    throw fault;
  }
}

class Malformed extends Error {}

const allowFacts = (ok: Uint8Array): Answer["facts"] => {
  const fields = need(readFields(ok));
  return {
    headers: headersOf(fields, OK.headers),
    headers_to_remove: bytesOf(fields, OK.remove).map(textOf).sort(),
    response_headers: headersOf(fields, OK.responseHeaders),
    query_to_set: bytesOf(fields, OK.querySet)
      .map((pair) => pairOf(pair, "="))
      .sort(),
    query_to_remove: bytesOf(fields, OK.queryRemove).map(textOf).sort(),
  };
};

/** `fallback` is the HTTP status that Envoy takes when there is none. */
const refusalFacts = (refusal: Uint8Array, fallback: number): Answer["facts"] => {
  const fields = need(readFields(refusal));
  return {
    http_status: String(numberOf(firstOf(fields, DENIED.status), 1) || fallback),
    headers: headersOf(fields, DENIED.headers),
    body: textOf(firstOf(fields, DENIED.body)),
  };
};

const headersOf = (fields: Fields, number: number): readonly string[] =>
  bytesOf(fields, number)
    .map((option) => {
      const parts = need(readFields(option));
      const action = parts
        .filter(({ number }) => number !== 1)
        .map(({ number, value }) => ` [${number}: ${String(value)}]`);
      return `${pairOf(firstOf(parts, 1), ": ")}${action.join("")}`;
    })
    .sort();

function pairOf(pair: Uint8Array, between: string): string {
  const fields = need(readFields(pair));
  // HeaderValue.raw_value (3) stands in the place of value.
  const value = bytesOf(fields, 2)[0] ?? bytesOf(fields, 3)[0] ?? NOTHING;
  return `${textOf(firstOf(fields, 1))}${between}${textOf(value)}`;
}

/** A google.protobuf.Struct as one line per top-level key. */
function metadataOf(struct: Uint8Array | undefined): Answer["facts"] {
  const lines = structEntries(struct ?? NOTHING)
    .filter(([key]) => key !== "decision_id" && key !== "svidgate")
    .map(([key, value]) => `${key}: ${value}`);
  return { dynamic_metadata: lines.sort() };
}

const structEntries = (struct: Uint8Array): readonly (readonly [string, string])[] =>
  bytesOf(need(readFields(struct)), 1).map((entry) => {
    const fields = need(readFields(entry));
    return [textOf(firstOf(fields, 1)), valueText(firstOf(fields, 2))];
  });

/** A google.protobuf.Value as JSON with sorted keys. */
function valueText(bytes: Uint8Array): string {
  const [field] = need(readFields(bytes));
  if (field === undefined) return "null";
  const { number, value } = field;
  if (number === 4) return value === 0 ? "false" : "true";
  if (!(value instanceof Uint8Array)) return number === 2 ? String(value) : "null";
  if (number === 3) return JSON.stringify(textOf(value));
  if (number === 6)
    return `[${bytesOf(need(readFields(value)), 1)
      .map(valueText)
      .join(",")}]`;
  const entries = structEntries(value).map(([key, inner]) => `${JSON.stringify(key)}:${inner}`);
  return `{${entries.sort().join(",")}}`;
}

type Fields = readonly { readonly number: number; readonly value: number | Uint8Array }[];

const NOTHING = new Uint8Array(0);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
const bytesOf = (fields: Fields, number: number): readonly Uint8Array[] =>
  fields.flatMap((field) => (field.number === number && field.value instanceof Uint8Array ? [field.value] : []));
const firstOf = (fields: Fields, number: number): Uint8Array => bytesOf(fields, number)[0] ?? NOTHING;
const numberOf = (message: Uint8Array, number: number): number => {
  const value = need(readFields(message)).find((field) => field.number === number)?.value;
  return typeof value === "number" ? value : 0;
};

function need(fields: Fields | undefined): Fields {
  if (fields === undefined) throw new Malformed();
  return fields;
}

/** The fields of one message, in their order; undefined when it is malformed. */
function readFields(bytes: Uint8Array): Fields | undefined {
  const wire = new WireReader(bytes);
  const fields: { number: number; value: number | Uint8Array }[] = [];
  while (wire.pos < bytes.length) {
    const tag = wire.readTag(bytes.length);
    const start = wire.pos;
    if (tag === 0) return undefined;
    const number = tag >>> 3;
    const type = tag & 7;
    if (type === WireType.bytes) {
      const length = wire.readLength(bytes.length);
      if (length < 0) return undefined;
      fields.push({ number, value: bytes.subarray(wire.pos, wire.pos + length) });
      wire.pos += length;
    } else if (!wire.skip(tag, bytes.length)) return undefined;
    else if (type === WireType.varint) fields.push({ number, value: wire.varintNumber() });
    else if (type === WireType.fixed64) fields.push({ number, value: Buffer.from(bytes).readDoubleLE(start) });
  }
  return fields;
}
