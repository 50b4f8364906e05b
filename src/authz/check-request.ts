// A CheckRequest (envoy.service.auth.v3) as a view over its bytes: the whole message is checked once, for no request may be
// half-understood, and then nothing is decoded until it is asked for.
// What the plugin's body rules read (`mapHeader`) and what identity, tracing and audit read (`header`) differ on purpose.

import { mergeRepeated } from "../base/protobuf-merge.ts";
import { scanMessage } from "../base/protobuf-scan.ts";
import type { MessageTable } from "../base/protobuf-table.ts";
import { WireReader } from "../base/protobuf-wire.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { quoteJson } from "../policy/byte-text.ts";
import { type FieldOverride, toAttributesJson } from "./attributes-json.ts";
import { attributeContext, checkRequest, httpRequest } from "./check-request-fields.ts";
import { ABSENT, fieldNumbers, findField, indexFields, type Range, readText, readUint32 } from "./message-range.ts";
import { findEntry, readHeaderMap, readScalar, type Scalar, StringMap } from "./request-headers.ts";
import type { ReadOptions, RequestView } from "./request-view.ts";

const HTTP = fieldNumbers(
  httpRequest,
  "id",
  "method",
  "headers",
  "header_map",
  "path",
  "host",
  "scheme",
  "protocol",
  "body",
  "raw_body",
);
const ATTRIBUTES = fieldNumbers(
  attributeContext,
  "source",
  "destination",
  "request",
  "context_extensions",
  "metadata_context",
);
const peer = messageOf(attributeContext, ATTRIBUTES.source);
const PEER = fieldNumbers(peer, "address", "principal", "certificate");
const address = messageOf(peer, PEER.address);
const ADDRESS = fieldNumbers(address, "socket_address", "pipe");
const SOCKET = fieldNumbers(messageOf(address, ADDRESS.socket_address), "address", "port_value");
const PIPE_PATH = fieldNumbers(messageOf(address, ADDRESS.pipe), "path").path;
const REQUEST_HTTP = fieldNumbers(messageOf(attributeContext, ATTRIBUTES.request), "http").http;

/**
 * Reads a serialized CheckRequest. The view keeps `bytes`, which must not change afterwards.
 * Codes: `request_unreadable` for malformed wire format, invalid UTF-8 in a string, or nesting beyond 1,000.
 */
export function readCheckRequest(bytes: Uint8Array, options?: ReadOptions): Result<CheckRequest, "request_unreadable"> {
  const found = scanMessage(new WireReader(bytes), bytes.length, checkRequest);
  if (found === "malformed") return fail("request_unreadable");
  return ok(new CheckRequest(found === "merge" ? mergeRepeated(bytes, checkRequest) : bytes, options));
}

/** The view. */
export class CheckRequest implements RequestView {
  readonly #bytes: Buffer;
  readonly #fromHeaderMap: boolean;
  readonly #attributes: Range;
  readonly #http: Range;
  readonly #httpFields: readonly Range[];
  #headers: StringMap | undefined;
  #headerMap: ReadonlyMap<string, string> | undefined;

  /** For `readCheckRequest` alone: `bytes` have been checked. */
  constructor(bytes: Uint8Array, options?: ReadOptions) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = buffer;
    this.#fromHeaderMap = options?.fromHeaderMap === true;
    this.#attributes = findField(buffer, { start: 0, end: buffer.length }, 1);
    this.#http = findField(buffer, findField(buffer, this.#attributes, ATTRIBUTES.request), REQUEST_HTTP);
    this.#httpFields = indexFields(buffer, this.#http, httpRequest.byNumber.length - 1);
  }

  /** The HTTP method, `GET`. */
  get method(): string {
    return this.#httpText(HTTP.method);
  }
  /** The authority (`Host`), as the client sent it. */
  get host(): string {
    return this.#httpText(HTTP.host);
  }
  /** The request target with its query, as the client sent it. */
  get path(): string {
    return this.#httpText(HTTP.path);
  }
  /** `http` or `https`. */
  get scheme(): string {
    return this.#httpText(HTTP.scheme);
  }
  /** `HTTP/1.1`, `HTTP/2`, … */
  get protocol(): string {
    return this.#httpText(HTTP.protocol);
  }
  /** The `x-request-id` header, else Envoy's own stream id. */
  get requestId(): string {
    return this.header("x-request-id") ?? this.#httpText(HTTP.id);
  }
  /** The body where it was sent as text (`http.body`), in UTF-8. */
  get body(): Buffer {
    return this.#httpBytes(HTTP.body);
  }
  /** The body where it was sent as bytes (`http.raw_body`, Envoy's `pack_as_bytes`). */
  get rawBody(): Buffer {
    return this.#httpBytes(HTTP.raw_body);
  }
  /** Envoy's word for the caller: URI SAN, else DNS SAN, else subject. A claim, not a proof. */
  get sourcePrincipal(): string {
    return readText(this.#bytes, this.#peer(ATTRIBUTES.source, PEER.principal));
  }
  /** `sourcePrincipal`, under the name that the input document's writer asks for. */
  get principal(): string {
    return this.sourcePrincipal;
  }
  /** The caller's certificate as Envoy sends it: URL-encoded PEM; `""` without `include_peer_certificate`. */
  get sourceCertificate(): string {
    return readText(this.#bytes, this.#peer(ATTRIBUTES.source, PEER.certificate));
  }
  /** The principal of the workload that is called. */
  get destinationPrincipal(): string {
    return readText(this.#bytes, this.#peer(ATTRIBUTES.destination, PEER.principal));
  }
  /** The caller's address: `10.0.0.1:4242`, `[::1]:4242`, the path of a pipe, or `""`. */
  get sourceAddress(): string {
    const bytes = this.#bytes;
    const range = this.#peer(ATTRIBUTES.source, PEER.address);
    const pipe = findField(bytes, range, ADDRESS.pipe);
    if (pipe.start >= 0) return readText(bytes, findField(bytes, pipe, PIPE_PATH));
    const socket = findField(bytes, range, ADDRESS.socket_address);
    const host = readText(bytes, findField(bytes, socket, SOCKET.address));
    const port = readUint32(bytes, socket, SOCKET.port_value);
    if (host === "" || port === 0) return host;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }
  /** What the route's configuration adds to every check (`context_extensions`), by name. */
  get contextExtensions(): ReadonlyMap<string, string> {
    return new StringMap(this.#bytes, this.#attributes, ATTRIBUTES.context_extensions).toMap();
  }

  /** A value of Envoy's dynamic metadata (`metadata_context.filter_metadata`); null for one that is no text, number or boolean. */
  filterMetadata(namespace: string, key: string): Scalar | undefined {
    const metadata = findField(this.#bytes, this.#attributes, ATTRIBUTES.metadata_context);
    return readScalar(this.#bytes, findEntry(this.#bytes, findEntry(this.#bytes, metadata, namespace), key));
  }

  /** A header by its lower-case name, from `headers` or else `header_map`, where several lines are joined with `,`. */
  header(name: string): string | undefined {
    return this.#headerList().get(name) ?? this.#rawHeaders().get(name);
  }

  /** A header of the `headers` map alone (with `fromHeaderMap`: or of `header_map`): what the body rules go by. */
  mapHeader(name: string): string | undefined {
    return this.#headerList().get(name) ?? (this.#fromHeaderMap ? this.#rawHeaders().get(name) : undefined);
  }

  /** `input.attributes` as JSON text; undefined when the request has no attributes. */
  attributesJson(): string | undefined {
    const { start, end } = this.#attributes;
    if (start < 0) return undefined;
    const fills = this.#fromHeaderMap && this.#headerList().size === 0 && this.#rawHeaders().size > 0;
    return toAttributesJson(this.#bytes, start, end, attributeContext, fills ? this.#headersFromMap() : undefined);
  }

  #headersFromMap(): FieldOverride {
    const pairs = [...this.#rawHeaders()].map(([name, value]) => `${quoteJson(name)}:${quoteJson(value)}`);
    return { table: httpRequest, field: "headers", json: () => `{${pairs.join(",")}}` };
  }

  #headerList(): StringMap {
    this.#headers ??= new StringMap(this.#bytes, this.#http, HTTP.headers);
    return this.#headers;
  }

  #rawHeaders(): ReadonlyMap<string, string> {
    this.#headerMap ??= readHeaderMap(this.#bytes, this.#httpFields[HTTP.header_map] ?? ABSENT);
    return this.#headerMap;
  }

  #httpText(number: number): string {
    return readText(this.#bytes, this.#httpFields[number] ?? ABSENT);
  }

  #httpBytes(number: number): Buffer {
    const { start, end } = this.#httpFields[number] ?? ABSENT;
    return start < 0 ? NO_BYTES : this.#bytes.subarray(start, end);
  }

  #peer(which: number, field: number): Range {
    return findField(this.#bytes, findField(this.#bytes, this.#attributes, which), field);
  }
}

const NO_BYTES = Buffer.alloc(0);

function messageOf(table: MessageTable, number: number): MessageTable {
  const message = table.byNumber[number]?.message;
  if (message === undefined) throw new Error(`field ${number} of ${table.name} is not a message`);
  return message;
}
