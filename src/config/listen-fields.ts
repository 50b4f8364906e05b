// Fields of the sockets: who may connect where, and what speaks HTTP/2 on them. See `fields.ts`.

import { type Field, fileMode, flag, integer, oneOf, text } from "./field.ts";

/** Parser, default and documentation of each. */
export const LISTEN_FIELDS = {
  listen: {
    key: "svidgate.listen",
    flag: "listen",
    placeholder: "ADDR",
    fallback: "127.0.0.1:9191",
    parse: text,
    kind: "`host:port` or `unix:/path`",
    doc: "address of the ext_authz listener",
  },
  opaAddr: {
    key: "plugins.envoy_ext_authz_grpc.addr",
    fallback: undefined,
    parse: text,
    kind: "`host:port`, `grpc://host:port` or `unix:///path`",
    doc: "OPA's key for the listener's address; set, it wins over the default of `svidgate.listen` and may be any address without `--insecure-listen`",
  },
  insecureListen: {
    key: "svidgate.insecure_listen",
    flag: "insecure-listen",
    fallback: "false",
    parse: flag,
    kind: "boolean",
    doc: "allow a non-loopback TCP address without TLS; whoever reaches it may ask",
  },
  unixSocketMode: {
    key: "svidgate.unix_socket_mode",
    fallback: "0660",
    parse: fileMode,
    kind: "octal mode",
    doc: "permissions of the unix socket",
  },
  listener: {
    key: "svidgate.listener",
    flag: "listener",
    placeholder: "line-rate|grpc-js",
    fallback: "line-rate",
    parse: oneOf("line-rate", "grpc-js"),
    kind: "`line-rate` or `grpc-js`",
    doc: "the HTTP/2 server of the check listener: svidgate's own, made for checks, or that of the npm package @grpc/grpc-js (slower; has the limits that do not say `line-rate` only)",
  },
  workers: {
    key: "svidgate.workers",
    flag: "workers",
    placeholder: "N",
    fallback: "1",
    parse: integer(1, 256),
    kind: "whole number",
    doc: "processes that decide (more than 1 is not built yet)",
  },
  admin: {
    key: "svidgate.admin",
    flag: "admin",
    placeholder: "ADDR|off",
    fallback: "127.0.0.1:8282",
    parse: text,
    kind: "`host:port` or `off`",
    doc: "address of the read-only admin port (health, metrics, status)",
  },
} as const satisfies Readonly<Record<string, Field<unknown>>>;
