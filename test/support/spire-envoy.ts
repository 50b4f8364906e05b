// An Envoy of a SPIRE trust domain: envoy/spire-sidecar.yaml, with svidgate asked over mTLS by Envoy's own SVID as envoy/README.md
// says for one that is not in the same pod, and a second listener for callers that have a token and no certificate.

import { X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { type EnvoyConfig, type JsonValue, readShippedConfig } from "../../src/cli/demo/envoy-config.ts";
import { type Envoy, startEnvoy } from "../../src/cli/demo/envoy-process.ts";
import { EXT_AUTHZ, portOf, withChanges } from "./envoy.ts";

/** What the configuration names. */
export interface SpireEnvoyParts {
  /** Path of the agent's socket. */
  readonly agentSocket: string;
  /** `host:port` of svidgate, and the SPIFFE ID that it has to have. */
  readonly svidgate: string;
  readonly svidgateId: string;
  /** Of the service on 127.0.0.1. */
  readonly servicePort: number;
}

/** Listener that wants a client certificate, and one that asks for none. */
export type SpireEnvoyListener = "inbound" | "tokens";

const LISTENER = ["static_resources", "listeners", 0] as const;
const TLS_CONTEXT = [...LISTENER, "filter_chains", 0, "transport_socket", "typed_config"] as const;
const SVIDGATE = ["static_resources", "clusters", 1] as const;

const fromAgent = {
  resource_api_version: "V3",
  api_config_source: {
    api_type: "GRPC",
    transport_api_version: "V3",
    grpc_services: [{ envoy_grpc: { cluster_name: "spire_agent" } }],
  },
};
/** The certificate that the agent gives to Envoy's process. */
const OWN = { tls_certificate_sds_secret_configs: [{ name: "default", sds_config: fromAgent }] };

interface Resources {
  readonly [key: string]: JsonValue;
  readonly listeners: readonly JsonValue[];
}

/** The configuration. */
async function toConfig(parts: SpireEnvoyParts): Promise<EnvoyConfig> {
  const shipped = await readShippedConfig("spire-sidecar", {
    ports: { 15006: 0, 15000: 0, 8080: parts.servicePort },
    texts: { "0.0.0.0": "127.0.0.1", "/run/spire/agent.sock": parts.agentSocket },
  });
  const overMtls = withChanges(shipped, SVIDGATE, {
    // On a machine that is busy with a whole test run, a handshake may take longer than the shipped 0.1 s, and a check than 0.2 s.
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: "svidgate",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(portOf(parts.svidgate)) } }] }],
    },
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: {
          alpn_protocols: ["h2"],
          ...OWN,
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: parts.svidgateId } }],
            },
            validation_context_sds_secret_config: { name: "ALL", sds_config: fromAgent },
          },
        },
      },
    },
  });
  const config = withChanges(overMtls, [...EXT_AUTHZ, "grpc_service"], { timeout: "5s" });
  const anonymous = withChanges(config, TLS_CONTEXT, {
    require_client_certificate: false,
    common_tls_context: { alpn_protocols: ["h2", "http/1.1"], ...OWN },
  });
  const { listeners } = config["static_resources"] as Resources;
  const { listeners: second } = withChanges(anonymous, LISTENER, { name: "tokens" })["static_resources"] as Resources;
  return withChanges(config, ["static_resources"], { listeners: [...listeners, ...second] });
}

const loopback = (port: number): JsonValue => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/** Starts it in a folder of its own below `folder`. */
export async function startSpireEnvoy(
  binary: string,
  folder: string,
  parts: SpireEnvoyParts,
  onStarted: (stop: () => Promise<void>) => void,
): Promise<Envoy> {
  const own = join(folder, "envoy");
  await mkdir(own);
  return startEnvoy({ binary, config: await toConfig(parts), folder: own }, onStarted);
}

/** The leaf certificate that a TLS server shows. */
export function shownCertificate(port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    // What it shows is all that is asked for, so nothing is held against it.
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
