// CheckRequests read by @grpc/proto-loader in place of svidgate's own view: everything is decoded, and what a decision asks for is
// taken from plain objects. A message that is written as Envoy writes it is read by the library alone. For others protobuf has
// rules that protobufjs does not keep (UTF-8, wire types, merging of what occurs twice): there `base/` goes before it.

import { checkRequest, httpRequest, struct } from "../../src/authz/check-request-fields.ts";
import { toGoNumberText } from "../../src/authz/go-number.ts";
import type { ReadOptions, ReadRequest, RequestView } from "../../src/authz/request-view.ts";
import { mergeRepeated } from "../../src/base/protobuf-merge.ts";
import { scanMessage } from "../../src/base/protobuf-scan.ts";
import { Kind, type MessageTable } from "../../src/base/protobuf-table.ts";
import { WireReader } from "../../src/base/protobuf-wire.ts";
import { fail, ok } from "../../src/base/result.ts";
import { decodeByProtos, encodeByProtos } from "./check-request-oracle.ts";

/** A message as proto-loader gives it: proto names, 64-bit integers as text, enums as numbers, bytes in base64. */
type Decoded = { readonly [name: string]: unknown };

/** Reads it by proto-loader. */
export const readByProtoLoader: ReadRequest = (bytes, options) => {
  const decoded = decodePlain(bytes);
  if (decoded !== undefined) return ok(new DecodedRequest(decoded, options));
  if (scanMessage(new WireReader(bytes), bytes.length, checkRequest) === "malformed") return fail("request_unreadable");
  return ok(new DecodedRequest(decodeByProtos(mergeRepeated(bytes, checkRequest)), options));
};

/** Undefined for bytes that the library would write in another way. */
function decodePlain(bytes: Uint8Array): Decoded | undefined {
  try {
    const decoded = decodeByProtos(bytes);
    return Buffer.compare(encodeByProtos(decoded), bytes) === 0 ? decoded : undefined;
  } catch {
    return undefined;
  }
}

const NOTHING: Decoded = {};
const messageOf = (of: Decoded, name: string): Decoded => (of[name] as Decoded | undefined) ?? NOTHING;
const textOf = (of: Decoded, name: string): string => (of[name] as string | undefined) ?? "";

/** The request over decoded objects. */
class DecodedRequest implements RequestView {
  readonly #attributes: Decoded | undefined;
  readonly #http: Decoded;
  readonly #source: Decoded;
  readonly #fromHeaderMap: boolean;

  constructor(decoded: Decoded, options: ReadOptions | undefined) {
    this.#attributes = decoded["attributes"] as Decoded | undefined;
    this.#http = messageOf(messageOf(this.#attributes ?? NOTHING, "request"), "http");
    this.#source = messageOf(this.#attributes ?? NOTHING, "source");
    this.#fromHeaderMap = options?.fromHeaderMap === true;
  }

  get method(): string {
    return textOf(this.#http, "method");
  }
  get host(): string {
    return textOf(this.#http, "host");
  }
  get path(): string {
    return textOf(this.#http, "path");
  }
  get scheme(): string {
    return textOf(this.#http, "scheme");
  }
  get protocol(): string {
    return textOf(this.#http, "protocol");
  }
  get requestId(): string {
    return this.header("x-request-id") ?? textOf(this.#http, "id");
  }
  get body(): Buffer {
    return Buffer.from(textOf(this.#http, "body"));
  }
  get rawBody(): Buffer {
    return Buffer.from(textOf(this.#http, "raw_body"), "base64");
  }
  get principal(): string {
    return this.sourcePrincipal;
  }
  get sourcePrincipal(): string {
    return textOf(this.#source, "principal");
  }
  get sourceCertificate(): string {
    return textOf(this.#source, "certificate");
  }
  get destinationPrincipal(): string {
    return textOf(messageOf(this.#attributes ?? NOTHING, "destination"), "principal");
  }
  get sourceAddress(): string {
    const address = messageOf(this.#source, "address");
    if (address["pipe"] !== undefined) return textOf(messageOf(address, "pipe"), "path");
    const socket = messageOf(address, "socket_address");
    const host = textOf(socket, "address");
    const port = (socket["port_value"] as number | undefined) ?? 0;
    if (host === "" || port === 0) return host;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }
  get contextExtensions(): ReadonlyMap<string, string> {
    return new Map(
      Object.entries(messageOf(this.#attributes ?? NOTHING, "context_extensions") as Record<string, string>),
    );
  }

  filterMetadata(namespace: string, key: string): string | number | boolean | null | undefined {
    const metadata = messageOf(messageOf(this.#attributes ?? NOTHING, "metadata_context"), "filter_metadata");
    const value = ownOf(messageOf((ownOf(metadata, namespace) as Decoded | undefined) ?? NOTHING, "fields"), key);
    if (value === undefined) return undefined;
    // protobufjs has null for an entry without a value, which stands for the default one: a value of no kind.
    if (value === null) return null;
    const { stringValue, boolValue, numberValue } = value as Record<string, string | boolean | number | undefined>;
    if (typeof numberValue === "number") return Number.isFinite(numberValue) ? numberValue : null;
    return stringValue ?? boolValue ?? null;
  }

  header(name: string): string | undefined {
    return this.#ofHeaders(name) ?? this.#rawHeaders().get(name);
  }

  mapHeader(name: string): string | undefined {
    return this.#ofHeaders(name) ?? (this.#fromHeaderMap ? this.#rawHeaders().get(name) : undefined);
  }

  attributesJson(): string | undefined {
    if (this.#attributes === undefined) return undefined;
    const raw = this.#rawHeaders();
    const headers = messageOf(this.#http, "headers");
    const fills = this.#fromHeaderMap && Object.keys(headers).length === 0 && raw.size > 0;
    const { attributes } = toPluginJson(checkRequest, { attributes: this.#attributes }, (table, message) =>
      fills && table === httpRequest ? { ...message, headers: Object.fromEntries(raw) } : message,
    ) as { attributes: unknown };
    return toText(attributes);
  }

  #ofHeaders(name: string): string | undefined {
    return ownOf(messageOf(this.#http, "headers"), name) as string | undefined;
  }

  #rawHeaders(): ReadonlyMap<string, string> {
    const lines = new Map<string, string>();
    for (const line of (messageOf(this.#http, "header_map")["headers"] as Decoded[] | undefined) ?? []) {
      const name = textOf(line, "key").toLowerCase();
      const raw = Buffer.from(textOf(line, "raw_value"), "base64").toString().replaceAll("\ufffd", "!");
      const value = raw === "" ? textOf(line, "value") : raw;
      const before = lines.get(name);
      lines.set(name, before === undefined ? value : `${before},${value}`);
    }
    return lines;
  }
}

const ownOf = (of: Decoded, name: string): unknown => (Object.hasOwn(of, name) ? of[name] : undefined);

/** A number as it stands in JSON, when a double would not keep it. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The plugin's JSON rule applied to a decoded message; numbers as {@link NumberText}. `change` may replace a message first. */
export function toPluginJson(
  table: MessageTable,
  message: Decoded,
  change: (table: MessageTable, message: Decoded) => Decoded = (_table, same) => same,
): object {
  if (table === struct) return mapValues(message["fields"], toPluginValue);
  const decoded = change(table, message);
  const json: [string, unknown][] = [];
  for (const field of table.fields) {
    const value = decoded[field.name];
    if (value === undefined) continue;
    const inner = field.message;
    if (field.cardinality === "map") {
      const of = inner?.byNumber[2]?.message;
      const plain = mapValues(value, (item) =>
        of === undefined ? item : toPluginJson(of, (item as Decoded | null) ?? NOTHING, change),
      );
      if (Object.keys(plain).length > 0) json.push([field.jsonName, plain]);
    } else if (field.cardinality === "list") {
      const items = value as Decoded[];
      if (items.length > 0 && inner !== undefined)
        json.push([field.jsonName, items.map((item) => toPluginJson(inner, item, change))]);
    } else if (inner !== undefined) json.push([field.jsonName, toPluginJson(inner, value as Decoded, change)]);
    else if (field.oneof !== undefined || (value !== "" && value !== 0 && value !== "0" && value !== false)) {
      const isNumber = typeof value === "number" || field.kind === Kind.int64;
      json.push([field.jsonName, isNumber ? new NumberText(String(value)) : value]);
    }
  }
  return Object.fromEntries(json);
}

function toPluginValue(decoded: unknown): unknown {
  const value = (decoded as Decoded | null) ?? NOTHING;
  if (value["structValue"] !== undefined) return toPluginJson(struct, value["structValue"] as Decoded);
  if (value["listValue"] !== undefined) {
    return ((value["listValue"] as { values?: unknown[] }).values ?? []).map(toPluginValue);
  }
  const number = value["numberValue"];
  if (typeof number === "number")
    return Number.isFinite(number) ? new NumberText(toGoNumberText(number)) : String(number);
  return value["stringValue"] ?? value["boolValue"] ?? null;
}

function mapValues(map: unknown, change: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries((map ?? {}) as object).map(([key, value]) => [key, change(value)]));
}

/** JSON text; numbers with every digit. */
export function toText(value: unknown): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(toText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${toText(item)}`)
    .join(",")}}`;
}
