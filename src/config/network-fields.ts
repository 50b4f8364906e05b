// Fields that say what policies may reach outside, with `http.send` and `net.lookup_ip_addr`. See `fields.ts` and docs/http-send.md.

import { ALLOWED_HOST_FORMS, parseAllowedHost } from "../base/allowed-hosts.ts";
import { fail, ok } from "../base/result.ts";
import { bytes, type Field, type FieldParser, integer, text } from "./field.ts";

const MIB = 1024 ** 2;

/** One entry of a list of hosts, as it was written. */
export const allowedHost: FieldParser<string> = Object.assign(
  (value: string) => {
    const parsed = parseAllowedHost(value);
    return parsed.ok ? ok(value) : fail("field_invalid", `expected ${ALLOWED_HOST_FORMS}`);
  },
  { schema: { type: "string", minLength: 1 } as const },
);

/** Parser, default and documentation of each. */
export const NETWORK_FIELDS = {
  httpSendAllowedHosts: {
    key: "svidgate.policy.http_send.allowed_hosts",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: allowedHost,
    kind: "host, repeatable",
    doc: "hosts that policies may ask with `http.send`: `host`, `host:port`, `*.domain`, `unix:/path`, `*` for any; none unless set, and then a policy that calls `http.send` is refused; any under `compatibility: opa-envoy-plugin`",
  },
  httpSendAllowedFiles: {
    key: "svidgate.policy.http_send.allowed_files",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "path, repeatable",
    doc: "files and folders that `tls_ca_cert_file` and its like may name, `*` for any; none unless set; any under `compatibility: opa-envoy-plugin`",
  },
  httpSendAllowedEnv: {
    key: "svidgate.policy.http_send.allowed_env",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: text,
    kind: "name, repeatable",
    doc: "environment variables that `tls_ca_cert_env_variable` and its like may name, `*` for any; none unless set; any under `compatibility: opa-envoy-plugin`",
  },
  httpSendCacheMaxBytes: {
    key: "svidgate.policy.http_send.cache_max_bytes",
    live: true,
    fallback: "32MiB",
    parse: bytes(0, 4096 * MIB),
    kind: "size",
    doc: "answers of `http.send` that are kept for other checks (`cache`, `force_cache`), of each policy; what came first goes first",
  },
  httpSendMaxResponseBytes: {
    key: "svidgate.policy.http_send.max_response_bytes",
    live: true,
    fallback: "1MiB",
    parse: bytes(1, 64 * MIB),
    kind: "size",
    doc: "largest body that `http.send` takes, unpacked; a larger one is an error of the builtin",
  },
  netLookupAllowedHosts: {
    key: "svidgate.policy.net_lookup.allowed_hosts",
    live: true,
    repeatable: true,
    fallback: undefined,
    parse: allowedHost,
    kind: "host, repeatable",
    doc: "names that policies may look up with `net.lookup_ip_addr`: `host`, `*.domain`, `*` for any; none unless set, and then a policy that calls it is refused; any under `compatibility: opa-envoy-plugin`",
  },
  maxWaiting: {
    key: "svidgate.policy.max_waiting",
    live: true,
    fallback: "512",
    parse: integer(1, 65_536),
    kind: "number",
    doc: "checks that may wait for answers from outside at a time; one more is `policy_overloaded`",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
