// The messages of the SPIFFE Workload API as far as they are used (proto/spiffe/workload/workload.proto): small enough to read by
// hand, so that no protobuf library is loaded for them. What the values mean is read elsewhere.
// SPEC: SPIFFE Workload API §4.5: a message without what is mandatory is reported and discarded.

import { type DerElement, readDer } from "../../base/der.ts";
import { isUtf8Range } from "../../base/protobuf-scan.ts";
import { WireReader, WireType } from "../../base/protobuf-wire.ts";
import { fail, ok, type Result } from "../../base/result.ts";

/** Why a message is not taken. */
export type WorkloadMessageCode = "not_protobuf" | "no_bundles" | "no_svids" | "too_many";

/** One identity, its parts still unread. */
export interface X509SvidMessage {
  readonly spiffeId: string;
  /** DER certificates, one after the other, leaf first. */
  readonly certificates: Uint8Array;
  /** PKCS #8. SECURITY: a secret. */
  readonly privateKey: Uint8Array;
  readonly hint: string;
}

/** Trust domains (or identities) that one message may hold. */
const MAX_ENTRIES = 1_000;
/** Certificates that one value may hold. */
const MAX_CERTIFICATES = 100;
const SEQUENCE = 0x30;
const EMPTY = new Uint8Array(0);

const X509_BUNDLES = 2;
const JWT_BUNDLES = 1;
const SVIDS = 1;
const SVID = { spiffeId: 1, certificates: 2, privateKey: 3, hint: 5 } as const;

/** The bundles of an `X509BundlesResponse`, by the text of their key. */
export const parseX509Bundles = (bytes: Uint8Array): Result<ReadonlyMap<string, Uint8Array>, WorkloadMessageCode> =>
  parseBundles(bytes, X509_BUNDLES);

/** The bundles of a `JWTBundlesResponse`, by the text of their key. */
export const parseJwtBundles = (bytes: Uint8Array): Result<ReadonlyMap<string, Uint8Array>, WorkloadMessageCode> =>
  parseBundles(bytes, JWT_BUNDLES);

/** The identities of an `X509SVIDResponse`, in order. */
export function parseX509Svids(bytes: Uint8Array): Result<readonly X509SvidMessage[], WorkloadMessageCode> {
  const wire = new WireReader(bytes);
  const svids: X509SvidMessage[] = [];
  const isWhole = eachField(wire, bytes.length, (number, start, end) => {
    if (number !== SVIDS) return true;
    const svid = readSvid(new WireReader(bytes, start), end);
    if (svid !== undefined && svids.length <= MAX_ENTRIES) svids.push(svid);
    return svid !== undefined;
  });
  if (!isWhole) return fail("not_protobuf");
  if (svids.length > MAX_ENTRIES) return fail("too_many", `more than ${MAX_ENTRIES} identities`);
  return svids.length === 0 ? fail("no_svids") : ok(svids);
}

/** Splits certificates that stand one after the other; nothing may be left over. */
export function splitCertificates(bytes: Uint8Array): Result<readonly Uint8Array[], "not_der" | "too_many"> {
  const certificates: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element: DerElement | undefined = readDer(bytes, at, bytes.length);
    if (element?.tag !== SEQUENCE) return fail("not_der");
    if (certificates.length === MAX_CERTIFICATES) return fail("too_many", `more than ${MAX_CERTIFICATES} certificates`);
    certificates.push(bytes.subarray(at, element.end));
    at = element.end;
  }
  return ok(certificates);
}

function parseBundles(bytes: Uint8Array, field: number): Result<ReadonlyMap<string, Uint8Array>, WorkloadMessageCode> {
  const bundles = new Map<string, Uint8Array>();
  const isWhole = eachField(new WireReader(bytes), bytes.length, (number, start, end) => {
    if (number !== field) return true;
    let key: string | undefined = "";
    let value: Uint8Array = EMPTY;
    const isEntry = eachField(new WireReader(bytes, start), end, (part, from, to) => {
      if (part === 1) key = text(bytes, from, to);
      if (part === 2) value = bytes.subarray(from, to);
      return key !== undefined;
    });
    // Of two entries with one key the last counts (protobuf encoding guide, "Maps").
    if (isEntry && bundles.size <= MAX_ENTRIES) bundles.set(key, value);
    return isEntry;
  });
  if (!isWhole) return fail("not_protobuf");
  if (bundles.size > MAX_ENTRIES) return fail("too_many", `more than ${MAX_ENTRIES} trust domains`);
  return bundles.size === 0 ? fail("no_bundles") : ok(bundles);
}

function readSvid(wire: WireReader, end: number): X509SvidMessage | undefined {
  const { bytes } = wire;
  let spiffeId: string | undefined = "";
  let hint: string | undefined = "";
  let certificates: Uint8Array = EMPTY;
  let privateKey: Uint8Array = EMPTY;
  const isWhole = eachField(wire, end, (number, from, to) => {
    if (number === SVID.spiffeId) spiffeId = text(bytes, from, to);
    else if (number === SVID.hint) hint = text(bytes, from, to);
    else if (number === SVID.certificates) certificates = bytes.subarray(from, to);
    else if (number === SVID.privateKey) privateKey = bytes.subarray(from, to);
    return spiffeId !== undefined && hint !== undefined;
  });
  return isWhole ? { spiffeId, certificates, privateKey, hint } : undefined;
}

/** A proto3 string; undefined when it is not UTF-8, which makes the whole message unreadable. */
const text = (bytes: Uint8Array, start: number, end: number): string | undefined =>
  isUtf8Range(bytes, start, end)
    ? Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8")
    : undefined;

/** Visits the length-delimited fields and skips all others; false when the bytes are malformed or `visit` says so. */
function eachField(
  wire: WireReader,
  end: number,
  visit: (number: number, start: number, end: number) => boolean,
): boolean {
  while (wire.pos < end) {
    const tag = wire.readTag(end);
    if (tag === 0) return false;
    if ((tag & 7) !== WireType.bytes) {
      if (!wire.skip(tag, end)) return false;
      continue;
    }
    const length = wire.readLength(end);
    if (length < 0) return false;
    const start = wire.pos;
    if (!visit(tag >>> 3, start, start + length)) return false;
    wire.pos = start + length;
  }
  return true;
}
