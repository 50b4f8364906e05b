// The messages of grpc.health.v1 as bytes (proto/grpc/health/v1/health.proto): small enough to read and write by hand, so
// that a listener needs no protobuf library for them.

import { fail, ok, type Result } from "../base/result.ts";

/** `HealthCheckResponse.ServingStatus`. */
export const SERVING_STATUS = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
export type ServingStatus = (typeof SERVING_STATUS)[keyof typeof SERVING_STATUS];

/** Service names longer than this are no name of ours; bounds what a probe can make us keep. */
const MAX_SERVICE_BYTES = 1024;

/** Reads `service` of a `HealthCheckRequest`; the last one counts, unknown fields are skipped. */
export function parseHealthCheckRequest(bytes: Uint8Array): Result<string, "health_request_unreadable"> {
  let service = "";
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag % 8;
    if (!(tag >= 8)) return fail("health_request_unreadable");
    if (wireType === 0) {
      if (Number.isNaN(varint())) return fail("health_request_unreadable");
    } else if (wireType === 1 || wireType === 5) {
      at += wireType === 1 ? 8 : 4;
    } else if (wireType === 2) {
      const length = varint();
      if (!(length <= bytes.length - at)) return fail("health_request_unreadable");
      if (tag === 10) {
        if (length > MAX_SERVICE_BYTES) return fail("health_request_unreadable", "the service name is too long");
        const read = decodeUtf8(bytes.subarray(at, at + length));
        if (read === undefined) return fail("health_request_unreadable", "the service name is not UTF-8");
        service = read;
      }
      at += length;
    } else {
      return fail("health_request_unreadable");
    }
  }
  return at > bytes.length ? fail("health_request_unreadable") : ok(service);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Writes a `HealthCheckResponse`. */
export function printHealthCheckResponse(status: ServingStatus): Buffer {
  return Buffer.from([0x08, status]);
}

/** Writes a `HealthListResponse`; names have at most 100 bytes. */
export function printHealthListResponse(statuses: ReadonlyMap<string, ServingStatus>): Buffer {
  const entries: Buffer[] = [];
  for (const [service, status] of statuses) {
    const name = Buffer.from(service);
    const entry = Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from([0x12, 2, 0x08, status])]);
    entries.push(Buffer.from([0x0a, entry.length]), entry);
  }
  return Buffer.concat(entries);
}
