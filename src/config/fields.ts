// The table of configuration fields: parser, default and documentation of each, in one place, by subject in the files beside this one.
// The file, flags, `--set`, the environment, `docs/configuration.md`, the JSON Schema and the tests are made from it.
// Keys that OPA has keep OPA's name and meaning.

import { ATTRIBUTE_FIELDS } from "./attribute-fields.ts";
import { DECISION_FIELDS } from "./decision-fields.ts";
import { IDENTITY_FIELDS } from "./identity-fields.ts";
import { LIMIT_FIELDS } from "./limit-fields.ts";
import { LISTEN_FIELDS } from "./listen-fields.ts";
import { NETWORK_FIELDS } from "./network-fields.ts";
import { POLICY_FIELDS } from "./policy-fields.ts";
import { PROCESS_FIELDS } from "./process-fields.ts";
import { RECORD_FIELDS } from "./record-fields.ts";
import { TLS_FIELDS } from "./tls-fields.ts";
import { TRACING_FIELDS } from "./tracing-fields.ts";
import { TRUST_DOMAIN_FIELDS } from "./trust-domain-fields.ts";

/** Every field, by the name it has in {@link Config}. */
export const FIELDS = {
  ...POLICY_FIELDS,
  ...NETWORK_FIELDS,
  ...LISTEN_FIELDS,
  ...LIMIT_FIELDS,
  ...TLS_FIELDS,
  ...IDENTITY_FIELDS,
  ...TRUST_DOMAIN_FIELDS,
  ...ATTRIBUTE_FIELDS,
  ...DECISION_FIELDS,
  ...RECORD_FIELDS,
  ...TRACING_FIELDS,
  ...PROCESS_FIELDS,
} as const;

type Parsed<F> = F extends { readonly parse: (text: string) => infer R }
  ? R extends { readonly ok: true; readonly value: infer T }
    ? T
    : never
  : never;

type FieldValue<F> = F extends { readonly repeatable: true }
  ? readonly Parsed<F>[]
  : F extends { readonly fallback: string }
    ? Parsed<F>
    : Parsed<F> | undefined;

/** The configuration: frozen, checked, in base units. */
export type Config = { readonly [K in keyof typeof FIELDS]: FieldValue<(typeof FIELDS)[K]> };

/** The name of a field. */
export type FieldName = keyof typeof FIELDS;
