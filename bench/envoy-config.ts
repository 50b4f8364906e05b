// Envoy for the benchmark: HTTP/2 without TLS from the load, ext_authz, and an answer of its own, so that what is measured is Envoy,
// its filter and who decides, and no upstream.

/** `authorizer`: port of the ext_authz server; undefined for an Envoy that asks nobody. */
export function toEnvoyConfig(port: number, authorizer: number | undefined): object {
  const typed = (name: string, more: object): object => ({
    "@type": `type.googleapis.com/envoy.extensions.${name}`,
    ...more,
  });
  const at = (portValue: number): object => ({ socket_address: { address: "127.0.0.1", port_value: portValue } });
  const extAuthz = {
    name: "envoy.filters.http.ext_authz",
    typed_config: typed("filters.http.ext_authz.v3.ExtAuthz", {
      transport_api_version: "V3",
      grpc_service: { envoy_grpc: { cluster_name: "ext_authz" }, timeout: "5s" },
    }),
  };
  const router = { name: "envoy.filters.http.router", typed_config: typed("filters.http.router.v3.Router", {}) };
  const everything = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } };
  const manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "bench",
    codec_type: "HTTP2",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [everything] }] },
    http_filters: authorizer === undefined ? [router] : [extAuthz, router],
  });
  const http2 = typed("upstreams.http.v3.HttpProtocolOptions", {
    explicit_http_config: { http2_protocol_options: {} },
  });
  return {
    static_resources: {
      listeners: [
        {
          name: "bench",
          address: at(port),
          filter_chains: [
            { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
          ],
        },
      ],
      clusters: [
        {
          name: "ext_authz",
          type: "STATIC",
          // What may be open at once is the load's to say.
          circuit_breakers: { thresholds: [{ max_requests: 100_000, max_pending_requests: 100_000 }] },
          typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
          load_assignment: {
            cluster_name: "ext_authz",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(authorizer ?? 1) } }] }],
          },
        },
      ],
    },
  };
}
