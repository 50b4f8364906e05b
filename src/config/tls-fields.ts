// Fields of TLS and of gRPC reflection on the check listener. See `fields.ts`; what they do together is docs/tls.md.

import { type Field, flag, oneOf, text } from "./field.ts";

/** Parser, default and documentation of each. */
export const TLS_FIELDS = {
  tlsSource: {
    key: "svidgate.tls.source",
    fallback: "files",
    parse: oneOf("files", "workload_api"),
    kind: "`files` or `workload_api`",
    doc: "where the check listener's certificate comes from: the files below, or the Workload API, whose X.509-SVID rotates by itself; turns TLS on",
  },
  tlsCertificate: {
    key: "svidgate.tls.certificate",
    flag: "tls-certificate",
    placeholder: "FILE",
    live: true,
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "PEM certificate of the check listener, with its intermediates; turns TLS on; read again on SIGHUP",
  },
  tlsPrivateKey: {
    key: "svidgate.tls.private_key",
    flag: "tls-private-key",
    placeholder: "FILE",
    live: true,
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "PEM private key of `svidgate.tls.certificate`, not encrypted",
  },
  tlsClientCa: {
    key: "svidgate.tls.client_ca",
    flag: "tls-client-ca",
    placeholder: "FILE",
    live: true,
    fallback: undefined,
    parse: text,
    kind: "path",
    doc: "PEM authorities of client certificates; with it, or with `client_spiffe_ids` and trust bundles, a client certificate is required (mTLS)",
  },
  tlsClientSpiffeIds: {
    key: "svidgate.tls.client_spiffe_ids",
    flag: "tls-client-spiffe-id",
    placeholder: "ID",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "SPIFFE ID, repeatable",
    doc: "who may ask, by the exact SPIFFE ID of the client certificate; needed with `svidgate.tls.client_ca`, and checked against trust bundles where those are configured",
  },
  tlsMinVersion: {
    key: "svidgate.tls.min_version",
    live: true,
    fallback: "1.2",
    parse: oneOf("1.2", "1.3"),
    kind: "`1.2` or `1.3`",
    doc: "oldest TLS version that is accepted; Envoy as a client speaks 1.2 unless told otherwise",
  },
  reflection: {
    key: "svidgate.reflection",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "serve gRPC reflection (v1 and v1alpha) on the check listener",
  },
  opaReflection: {
    key: "plugins.envoy_ext_authz_grpc.enable-reflection",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "OPA's key for `svidgate.reflection`",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
