// Configuration files of a SPIRE that is quick: it polls often and keeps everything in one folder. JSON is valid HCL.

import { join } from "node:path";

interface Places {
  readonly folder: string;
  readonly trustDomain: string;
  /** Of the server's API for agents, on 127.0.0.1. */
  readonly port: number;
}

/** How soon the agent hears of what changed at the server; by default 5 s for each of the two. */
const POLL = "500ms";

/** With `bundleEndpointPort`, the server offers its bundle over https_spiffe. */
export const serverConfig = ({
  folder,
  trustDomain,
  port,
  bundleEndpointPort,
}: Places & { readonly bundleEndpointPort: number | undefined }): string =>
  JSON.stringify({
    server: {
      bind_address: "127.0.0.1",
      bind_port: String(port),
      socket_path: join(folder, "server.sock"),
      trust_domain: trustDomain,
      data_dir: join(folder, "server"),
      log_level: "INFO",
      ca_ttl: "24h",
      default_x509_svid_ttl: "1h",
      default_jwt_svid_ttl: "5m",
      experimental: { cache_reload_interval: POLL },
      ...(bundleEndpointPort === undefined
        ? {}
        : {
            federation: {
              bundle_endpoint: { address: "127.0.0.1", port: bundleEndpointPort, profile: { https_spiffe: {} } },
            },
          }),
    },
    plugins: {
      DataStore: {
        sql: {
          plugin_data: { database_type: "sqlite3", connection_string: join(folder, "server", "datastore.sqlite3") },
        },
      },
      KeyManager: { disk: { plugin_data: { keys_path: join(folder, "server", "keys.json") } } },
      NodeAttestor: { join_token: { plugin_data: {} } },
    },
  });

export const agentConfig = ({ folder, trustDomain, port }: Places): string =>
  JSON.stringify({
    agent: {
      server_address: "127.0.0.1",
      server_port: String(port),
      socket_path: join(folder, "agent.sock"),
      trust_domain: trustDomain,
      trust_bundle_path: join(folder, "bootstrap.pem"),
      data_dir: join(folder, "agent"),
      log_level: "INFO",
      experimental: { sync_interval: POLL },
    },
    plugins: {
      NodeAttestor: { join_token: { plugin_data: {} } },
      KeyManager: { disk: { plugin_data: { directory: join(folder, "agent") } } },
      // The path of the program is one more thing to tell callers apart by; its hash would have to be read each time.
      WorkloadAttestor: { unix: { plugin_data: { discover_workload_path: true, workload_size_limit: -1 } } },
    },
  });
