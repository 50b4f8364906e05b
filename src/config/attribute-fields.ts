// Fields of workload attributes: where `input.identity.attributes` comes from. See `fields.ts`.

import { type Field, namedValue, text } from "./field.ts";
import { attributeNames, metadataKey } from "./identity-kinds.ts";

/** Parser, default and documentation of each. */
export const ATTRIBUTE_FIELDS = {
  attributeTemplates: {
    key: "svidgate.identity.attributes.templates",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "template, repeatable",
    doc: "attributes from the path of the SPIFFE ID, such as `/ns/{namespace}/sa/{service_account}`, for one trust domain with `spiffe://example.org` before it",
  },
  attributeFiles: {
    key: "svidgate.identity.attributes.files",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "JSON or YAML documents of attributes by SPIFFE ID or prefix",
  },
  attributePublicKey: {
    key: "svidgate.identity.attributes.public_key",
    live: true,
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "PEM public key; with it, every file of attributes needs its signature beside it, `FILE.sig`",
  },
  attributeClaims: {
    key: "svidgate.identity.attributes.jwt_claims",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "claim name, repeatable",
    doc: "claims of a verified JWT-SVID that become attributes",
  },
  attributeMetadata: {
    key: "svidgate.identity.attributes.envoy_metadata",
    live: true,
    repeatable: true,
    named: true,
    names: attributeNames,
    fallback: undefined,
    parse: namedValue(attributeNames, metadataKey),
    kind: "map of `NAMESPACE/KEY`",
    doc: "attributes from Envoy's dynamic metadata, with trust `envoy`; `--set svidgate.identity.attributes.envoy_metadata.NAME=NAMESPACE/KEY`",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
