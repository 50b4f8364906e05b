// docs/input.schema.json: the JSON Schema of a policy's input. The part under `attributes` comes from the tables of the
// messages; the rest is opa-envoy-plugin's document and `identity`.
// OPA's type checker reads `properties`, `items`, `type` and `anyOf`: an object with properties has no others for it, and
// one without them may have any. So objects with free keys have no `properties`, and types that vary have no `type`.

import { attributeContext } from "../../src/authz/check-request-fields.ts";
import { type Field, Kind, type MessageTable } from "../../src/base/protobuf-table.ts";

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const flag: Schema = { type: "boolean" };
const number: Schema = { type: "number" };
const free: Schema = { type: "object" };
const listOf = (items: Schema): Schema => ({ type: "array", items });
const object = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema => ({
  type: "object",
  properties,
  ...(required.length > 0 && { required }),
  additionalProperties: false,
});
const told = (description: string, schema: Schema): Schema => ({ description, ...schema });

function fromField(field: Field): Schema {
  const one = fromKind(field);
  switch (field.cardinality) {
    case "one":
      return one;
    case "list":
      return listOf(one);
    case "map": {
      const value = field.message?.fields.find(({ number: at }) => at === 2);
      return { ...free, ...(value !== undefined && { additionalProperties: fromKind(value) }) };
    }
  }
}

function fromKind({ kind, message }: Field): Schema {
  switch (kind) {
    case Kind.string:
      return text;
    case Kind.bytes:
      return told("base64", text);
    case Kind.bool:
      return flag;
    case Kind.message:
      return message === undefined ? {} : fromTable(message);
    default:
      return number;
  }
}

const fromTable = (table: MessageTable): Schema =>
  table.name === "google.protobuf.Struct"
    ? free
    : object(Object.fromEntries(table.fields.map((field) => [field.jsonName, fromField(field)])));

const credential = object({
  type: told("x509-svid, jwt-svid, x509 or none", text),
  source: told("certificate, principal, xfcc or token", text),
  not_before: told("RFC 3339", text),
  not_after: told("RFC 3339", text),
  not_before_unix: told("seconds since 1970", number),
  not_after_unix: told("seconds since 1970", number),
  lifetime_seconds: number,
  age_seconds: number,
  remaining_seconds: number,
  serial: text,
  issuer: text,
  key_type: text,
  fingerprint_sha256: text,
});

const identity = object(
  {
    authenticated: told("whether somebody verified the caller; every other claim of this object rests on it", flag),
    verified_by: told("pdp: svidgate; envoy: Envoy's word, as configured; none", text),
    error: told("why there is no verified identity", text),
    spiffe_id: told("such as spiffe://example.org/ns/shop/sa/web", text),
    trust_domain: text,
    path: told("the path of the SPIFFE ID with its leading slash", text),
    segments: told("the path's segments", listOf(text)),
    credential,
    attributes: told("facts about the identity, as configured", free),
    bundle: free,
    peer: free,
    token: free,
    unverified: told(
      "what was claimed and not verified",
      object({ principal: told("attributes.source.principal, verbatim", text) }),
    ),
  },
  ["authenticated"],
);

/** The schema's text, with its line feed. */
export function inputSchema(): string {
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "The input of a policy",
    description: "opa-envoy-plugin's document, and the key identity",
    ...object(
      {
        version: object({ encoding: text, ext_authz: text }, ["encoding", "ext_authz"]),
        parsed_path: told("the path without its leading slashes, percent-decoded, split at /", listOf(text)),
        parsed_query: told("parameter name → its values", { ...free, additionalProperties: listOf(text) }),
        parsed_body: told("by its content type: JSON, form, multipart, gRPC; null when there is none", {}),
        truncated_body: told("whether Envoy sent less than the whole body; parsed_body is then null", flag),
        source_principal: told("attributes.source.principal; absent when it is empty", text),
        identity: told("what svidgate knows about the caller", identity),
        attributes: told("envoy.service.auth.v3.AttributeContext", fromTable(attributeContext)),
      },
      ["version", "parsed_path", "parsed_query"],
    ),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
