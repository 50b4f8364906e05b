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

const oneOf = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
const rfc3339 = told("RFC 3339, UTC", text);
const unix = told("seconds since 1970", number);
const seconds = (description: string): Schema => told(description, number);
const spiffeId = told("such as spiffe://example.org/ns/shop/sa/web", text);
const sha256 = told("SHA-256 of the certificate, lower-case hex", text);

const credential = object(
  {
    type: oneOf("x509-svid", "jwt-svid", "none"),
    source: told(
      "the peer's certificate, Envoy's word about it, or a token",
      oneOf("certificate", "principal", "token"),
    ),
    binding: told("what ties the credential to this request", oneOf("mtls", "bearer", "forwarded")),
    not_before: rfc3339,
    not_after: rfc3339,
    not_before_unix: unix,
    not_after_unix: unix,
    lifetime_seconds: seconds("from not_before to not_after"),
    age_seconds: seconds("since not_before; moves with the clock"),
    remaining_seconds: seconds("until not_after; moves with the clock"),
    serial: told("lower-case hex", text),
    issuer: text,
    subject: text,
    key_type: told("of the certificate's key", oneOf("EC", "RSA", "Ed25519")),
    key_size: told("bits", number),
    signature_algorithm: text,
    fingerprint_sha256: sha256,
    dns_names: listOf(text),
    chain_length: told("certificates from the leaf to the authority, both counted", number),
    key_id: told("kid of the token", text),
    algorithm: told("alg of the token", text),
    token_id: told("jti of the token", text),
    audience: told("aud of the token", listOf(text)),
    issued_at_unix: told("iat of the token, seconds since 1970", number),
  },
  ["type"],
);

const attribute = object(
  {
    value: {},
    source: oneOf("template", "data", "claim", "envoy"),
    trust: told("whose word the value is", oneOf("pdp", "operator", "issuer", "envoy")),
  },
  ["value", "source", "trust"],
);

const bundle = object(
  {
    trust_domain: text,
    generation: told("raised by each change of the bundle", number),
    sequence: told("spiffe_sequence of the bundle, digits", text),
    age_seconds: seconds("since the bundle was last confirmed by its source; moves with the clock"),
    state: oneOf("fresh", "stale"),
    source: oneOf("file", "workload_api", "https_web", "https_spiffe"),
  },
  ["trust_domain", "generation", "age_seconds", "state", "source"],
);

const token = object(
  {
    spiffe_id: spiffeId,
    audience: listOf(text),
    key_id: text,
    token_id: text,
    not_after: rfc3339,
    claims: told("name → value; those of foreign trust domains only as configured", free),
  },
  ["spiffe_id", "audience", "key_id", "not_after", "claims"],
);

/** `input.identity`; svidgate's own key, and the same for every policy. */
export const identitySchema: Schema = object(
  {
    authenticated: told("whether the caller is proved; every other claim of this object rests on it", flag),
    verified_by: told("pdp: svidgate; envoy: Envoy's word, as configured; none", oneOf("pdp", "envoy", "none")),
    error: told("reason code: why a credential that was there proves nobody", text),
    spiffe_id: spiffeId,
    trust_domain: text,
    path: told("the path of the SPIFFE ID with its leading slash", text),
    segments: told("the path's segments", listOf(text)),
    kind: told("what the ID names", oneOf("workload", "spire_server", "spire_agent")),
    federated: told("whether the trust domain is not svidgate's own", flag),
    credential,
    attributes: told("facts about the workload by name", { ...free, additionalProperties: attribute }),
    bundle: told("the trust bundle that proved the credential", bundle),
    peer: told(
      "the verified peer of the connection",
      object({ spiffe_id: spiffeId, trust_domain: text, fingerprint_sha256: sha256 }, ["spiffe_id", "trust_domain"]),
    ),
    token: told("the verified JWT-SVID of the request", token),
    unverified: told(
      "what was claimed and not verified",
      object({ principal: told("attributes.source.principal, verbatim", text) }),
    ),
  },
  ["authenticated", "verified_by", "credential"],
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
        identity: told("what svidgate knows about the caller", identitySchema),
        attributes: told("envoy.service.auth.v3.AttributeContext", fromTable(attributeContext)),
      },
      ["version", "parsed_path", "parsed_query"],
    ),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
