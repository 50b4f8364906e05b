// The messages that a CheckRequest reaches, as tables: envoy.service.auth.v3 (external_auth, attribute_context), the parts
// of envoy.config.core.v3 that Envoy puts into it, and google.protobuf.{Timestamp,Struct,Any}.
// The source is `proto/`; test/unit/authz/check-request-fields.test.ts compares.

import { Kind, MessageTable, mapEntry } from "../base/protobuf-table.ts";

const text = (number: number) => ({ number, kind: Kind.string });
const one = (number: number, message: MessageTable) => ({ number, kind: Kind.message, message });
const map = (number: number, message: MessageTable) => ({ ...one(number, message), cardinality: "map" as const });
const list = (number: number, message: MessageTable) => ({ ...one(number, message), cardinality: "list" as const });

export const struct = new MessageTable("google.protobuf.Struct");
export const structValue = new MessageTable("google.protobuf.Value");
export const listValue = new MessageTable("google.protobuf.ListValue");
const kind = { oneof: "kind" };
structValue.define({
  null_value: { number: 1, kind: Kind.enum, values: { NULL_VALUE: 0 }, ...kind },
  number_value: { number: 2, kind: Kind.double, ...kind },
  string_value: { ...text(3), ...kind },
  bool_value: { number: 4, kind: Kind.bool, ...kind },
  struct_value: { ...one(5, struct), ...kind },
  list_value: { ...one(6, listValue), ...kind },
});
struct.define({ fields: map(1, mapEntry("google.protobuf.Struct.FieldsEntry", one(0, structValue))) });
listValue.define({ values: list(1, structValue) });

export const timestamp = new MessageTable("google.protobuf.Timestamp").define({
  seconds: { number: 1, kind: Kind.int64 },
  nanos: { number: 2, kind: Kind.int32 },
});
const any = new MessageTable("google.protobuf.Any").define({
  type_url: text(1),
  value: { number: 2, kind: Kind.bytes },
});

const core = "envoy.config.core.v3";
const port = { oneof: "port_specifier" };
const socketAddress = new MessageTable(`${core}.SocketAddress`).define({
  protocol: { number: 1, kind: Kind.enum, values: { TCP: 0, UDP: 1 } },
  address: text(2),
  port_value: { number: 3, kind: Kind.uint32, ...port },
  named_port: { ...text(4), ...port },
  resolver_name: text(5),
  ipv4_compat: { number: 6, kind: Kind.bool },
  network_namespace_filepath: text(7),
});
const pipe = new MessageTable(`${core}.Pipe`).define({ path: text(1), mode: { number: 2, kind: Kind.uint32 } });
const internalAddress = new MessageTable(`${core}.EnvoyInternalAddress`).define({
  server_listener_name: { ...text(1), oneof: "address_name_specifier" },
  endpoint_id: text(2),
});
const address = new MessageTable(`${core}.Address`).define({
  socket_address: { ...one(1, socketAddress), oneof: "address" },
  pipe: { ...one(2, pipe), oneof: "address" },
  envoy_internal_address: { ...one(3, internalAddress), oneof: "address" },
});
const headerValue = new MessageTable(`${core}.HeaderValue`).define({
  key: text(1),
  value: text(2),
  raw_value: { number: 3, kind: Kind.bytes },
});
const headerMap = new MessageTable(`${core}.HeaderMap`).define({ headers: list(1, headerValue) });
const metadata = new MessageTable(`${core}.Metadata`).define({
  filter_metadata: map(1, mapEntry(`${core}.Metadata.FilterMetadataEntry`, one(0, struct))),
  typed_filter_metadata: map(2, mapEntry(`${core}.Metadata.TypedFilterMetadataEntry`, one(0, any))),
});

const context = "envoy.service.auth.v3.AttributeContext";
const peer = new MessageTable(`${context}.Peer`).define({
  address: one(1, address),
  service: text(2),
  labels: map(3, mapEntry(`${context}.Peer.LabelsEntry`, { kind: Kind.string })),
  principal: text(4),
  certificate: text(5),
});
export const httpRequest = new MessageTable(`${context}.HttpRequest`).define({
  id: text(1),
  method: text(2),
  headers: map(3, mapEntry(`${context}.HttpRequest.HeadersEntry`, { kind: Kind.string })),
  header_map: one(13, headerMap),
  path: text(4),
  host: text(5),
  scheme: text(6),
  query: text(7),
  fragment: text(8),
  size: { number: 9, kind: Kind.int64 },
  protocol: text(10),
  body: text(11),
  raw_body: { number: 12, kind: Kind.bytes },
});
const request = new MessageTable(`${context}.Request`).define({ time: one(1, timestamp), http: one(2, httpRequest) });
const tlsSession = new MessageTable(`${context}.TLSSession`).define({ sni: text(1) });
export const attributeContext = new MessageTable(context).define({
  source: one(1, peer),
  destination: one(2, peer),
  request: one(4, request),
  context_extensions: map(10, mapEntry(`${context}.ContextExtensionsEntry`, { kind: Kind.string })),
  metadata_context: one(11, metadata),
  route_metadata_context: one(13, metadata),
  tls_session: one(12, tlsSession),
});

/** `envoy.service.auth.v3.CheckRequest`. */
export const checkRequest = new MessageTable("envoy.service.auth.v3.CheckRequest").define({
  attributes: one(1, attributeContext),
});
