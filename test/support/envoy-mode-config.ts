// An Envoy configuration with one listener for each way of handling client certificates: every value of
// forward_client_cert_details, every validator, both formats of x-forwarded-client-cert. All ask one ext_authz server and
// answer an allow themselves.

import type { EnvoyConfig, JsonValue } from "../../src/cli/demo/envoy-config.ts";

type Validation = "bundle" | "spiffe" | "untrusted" | "plaintext";

/** How one listener handles certificates. */
interface Mode {
  readonly forward: "SANITIZE" | "SANITIZE_SET" | "APPEND_FORWARD" | "FORWARD_ONLY" | "ALWAYS_FORWARD_ONLY";
  readonly validation: Validation;
  /** What goes into an element; `URI` and the rest that is always there when absent. */
  readonly details?: Readonly<Record<string, JsonValue>>;
  readonly requireCertificate?: boolean;
  /** Neither tickets nor session ids. */
  readonly noResumption?: boolean;
  /** The server's certificate has a DNS name and no URI. */
  readonly dnsServer?: boolean;
  /** Headers are sent as a list with their exact bytes. */
  readonly rawHeaders?: boolean;
}

const NAMES = { subject: true, uri: true, dns: true } as const;
const WHOLE = { ...NAMES, cert: true, chain: true } as const;

/** Every listener by its name. Without `requireCertificate` a caller without one gets in too. */
const MODES = {
  sanitize: { forward: "SANITIZE", validation: "bundle" },
  sanitizeSet: { forward: "SANITIZE_SET", validation: "bundle", details: NAMES },
  appendForward: { forward: "APPEND_FORWARD", validation: "bundle", details: NAMES },
  forwardOnly: { forward: "FORWARD_ONLY", validation: "bundle", details: NAMES },
  alwaysForwardOnly: { forward: "ALWAYS_FORWARD_ONLY", validation: "bundle", details: NAMES },
  chain: { forward: "SANITIZE_SET", validation: "bundle", details: WHOLE },
  spiffe: { forward: "SANITIZE_SET", validation: "spiffe", details: NAMES },
  untrusted: { forward: "SANITIZE_SET", validation: "untrusted", details: NAMES },
  noResumption: { forward: "SANITIZE_SET", validation: "bundle", requireCertificate: true, noResumption: true },
  dnsServer: { forward: "SANITIZE_SET", validation: "bundle", details: NAMES, dnsServer: true },
  rawHeaders: { forward: "APPEND_FORWARD", validation: "bundle", details: NAMES, rawHeaders: true },
  plaintextAppend: { forward: "APPEND_FORWARD", validation: "plaintext", details: NAMES },
  plaintextForward: { forward: "ALWAYS_FORWARD_ONLY", validation: "plaintext", details: NAMES },
} as const satisfies Readonly<Record<string, Mode>>;

/** Listeners of an Envoy that knows the JSON format. */
const JSON_MODES = {
  jsonSet: { forward: "SANITIZE_SET", validation: "bundle", details: { ...WHOLE, format: "JSON" } },
  jsonAppend: { forward: "APPEND_FORWARD", validation: "bundle", details: { ...NAMES, format: "JSON" } },
} as const satisfies Readonly<Record<string, Mode>>;

export type ModeName = keyof typeof MODES | keyof typeof JSON_MODES;

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Files and the port that the configuration names. */
export interface ModeParts {
  /** With the JSON listeners. */
  readonly json: boolean;
  /** Of Envoy, with its SPIFFE ID. */
  readonly server: CertificateFiles;
  /** Of Envoy, without one. */
  readonly dnsServer: CertificateFiles;
  /** Authorities of callers. */
  readonly bundleFile: string;
  readonly trustDomain: string;
  /** Of the ext_authz server on 127.0.0.1. */
  readonly checkPort: number;
}

/** The configuration. */
export function toModeConfig(parts: ModeParts): EnvoyConfig {
  const modes: Readonly<Record<string, Mode>> = parts.json ? { ...MODES, ...JSON_MODES } : MODES;
  const listeners = Object.entries(modes).map(([name, mode]) => toListener(name, mode, parts));
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners,
      clusters: [
        {
          name: "svidgate",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "svidgate",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(parts.checkPort) } }] }],
          },
        },
      ],
    },
  };
}

const address = (port: number): JsonValue => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function toListener(name: string, mode: Mode, parts: ModeParts): JsonValue {
  const http = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    forward_client_cert_details: mode.forward,
    ...(mode.details && { set_current_client_cert_details: mode.details }),
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.ext_authz",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
          transport_api_version: "V3",
          grpc_service: { envoy_grpc: { cluster_name: "svidgate" }, timeout: "5s" },
          include_peer_certificate: true,
          include_tls_session: true,
          encode_raw_headers: mode.rawHeaders === true,
        },
      },
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
  };
  const transport = mode.validation === "plaintext" ? {} : { transport_socket: toTls(mode, parts) };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: http }];
  return { name, address: address(0), filter_chains: [{ ...transport, filters }] };
}

function toTls(mode: Mode, { server, dnsServer, bundleFile, trustDomain }: ModeParts): JsonValue {
  const own = mode.dnsServer === true ? dnsServer : server;
  const bundle = { filename: bundleFile };
  const validation: Readonly<Record<Validation, JsonValue>> = {
    bundle: { trusted_ca: bundle },
    untrusted: { trusted_ca: bundle, trust_chain_verification: "ACCEPT_UNTRUSTED" },
    spiffe: {
      custom_validator_config: {
        name: "envoy.tls.cert_validator.spiffe",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
          trust_domains: [{ name: trustDomain, trust_bundle: bundle }],
        },
      },
    },
    plaintext: {},
  };
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: mode.requireCertificate === true,
      ...(mode.noResumption === true && {
        disable_stateless_session_resumption: true,
        disable_stateful_session_resumption: true,
      }),
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { filename: own.certificate }, private_key: { filename: own.privateKey } },
        ],
        validation_context: validation[mode.validation],
      },
    },
  };
}
