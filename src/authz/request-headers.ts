// Headers, other string maps and metadata of a CheckRequest, found by name without decoding the rest.
// SPEC: of a map's equal keys the last counts; lines of `header_map` with one name are joined with "," as Envoy does.

import { WireReader, WireType } from "../base/protobuf-wire.ts";
import { ABSENT, findAll, findField, type Range, readText } from "./message-range.ts";

/** The string map whose entries stand in `range` as field `number`. */
export class StringMap {
  readonly #bytes: Buffer;
  readonly #entries: readonly { readonly key: Range; readonly value: Range }[];

  constructor(bytes: Buffer, range: Range, number: number) {
    this.#bytes = bytes;
    this.#entries = findAll(bytes, range, number).map((entry) => ({
      key: findField(bytes, entry, 1),
      value: findField(bytes, entry, 2),
    }));
  }

  /** How many entries stand in the message, repeated keys counted. */
  get size(): number {
    return this.#entries.length;
  }

  /** The value of `key`, an ASCII string. */
  get(key: string): string | undefined {
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at];
      if (entry !== undefined && isText(this.#bytes, entry.key, key)) return readText(this.#bytes, entry.value);
    }
    return undefined;
  }

  /** Every entry, decoded. */
  toMap(): Map<string, string> {
    return new Map(
      this.#entries.map(({ key, value }) => [readText(this.#bytes, key), readText(this.#bytes, value)] as const),
    );
  }
}

/** `header_map` (Envoy's `encode_raw_headers`) as one value per name, in order of first appearance. */
export function readHeaderMap(bytes: Buffer, headerMap: Range): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const entry of findAll(bytes, headerMap, 1)) {
    const key = readText(bytes, findField(bytes, entry, 1)).toLowerCase();
    const raw = findField(bytes, entry, 3);
    // SPEC: proto3 knows no difference between empty bytes and none.
    const value = raw.end === raw.start ? readText(bytes, findField(bytes, entry, 2)) : sanitize(bytes, raw);
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before},${value}`);
  }
  return headers;
}

/** SPEC: Envoy writes `!` for what is not UTF-8 when it puts a header value into a string field. */
function sanitize(bytes: Buffer, range: Range): string {
  return readText(bytes, range).replaceAll("\ufffd", "!");
}

/**
 * The value of the entry `key` in a message's map with field number 1, as `Metadata.filter_metadata` and `Struct.fields` have;
 * `key` is compared as UTF-8.
 */
export function findEntry(bytes: Buffer, range: Range, key: string): Range {
  const wanted = Buffer.from(key, "utf8");
  // SPEC: of equal keys the last counts.
  const entry = findAll(bytes, range, 1).findLast((candidate) => {
    const { start, end } = findField(bytes, candidate, 1);
    return start < 0 ? wanted.length === 0 : wanted.equals(bytes.subarray(start, end));
  });
  if (entry === undefined) return ABSENT;
  const value = findField(bytes, entry, 2);
  // SPEC: protobuf encoding guide, "Maps": an entry without a value has the default one, here an empty message.
  return value.start < 0 ? { start: entry.end, end: entry.end } : value;
}

/** What a value of Envoy's metadata is, as far as it is a scalar; null for whatever is not. */
export type Scalar = string | number | boolean | null;

const NUMBER_TAG = (2 << 3) | WireType.fixed64;
const STRING_TAG = (3 << 3) | WireType.bytes;
const BOOL_TAG = (4 << 3) | WireType.varint;

/**
 * A google.protobuf.Value that is text, a finite number or a boolean; null for one of another kind, undefined for none. Of its
 * kinds the last counts, as in any oneof.
 */
export function readScalar(bytes: Buffer, range: Range): Scalar | undefined {
  if (range.start < 0) return undefined;
  let value: Scalar = null;
  const wire = new WireReader(bytes, range.start);
  while (wire.pos < range.end) {
    const tag = wire.readTag(range.end);
    const start = wire.pos;
    wire.skip(tag, range.end);
    if (tag === STRING_TAG) {
      const text = new WireReader(bytes, start);
      text.readLength(range.end);
      value = bytes.toString("utf8", text.pos, wire.pos);
    } else if (tag === NUMBER_TAG) {
      const number = bytes.readDoubleLE(start);
      value = Number.isFinite(number) ? number : null;
    } else if (tag === BOOL_TAG) value = (wire.low | wire.high) !== 0;
    else if (tag >>> 3 <= 6) value = null;
  }
  return value;
}

function isText(bytes: Buffer, { start, end }: Range, text: string): boolean {
  if (start < 0) return text === "";
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}
