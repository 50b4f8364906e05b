// The protojson forms of Timestamp, Duration and FieldMask, with protobuf-go's limits (encoding/protojson/well_known_types.go).

import { quoteJson } from "../byte-text.ts";
import { type ProtoMessage, ProtoMessageError } from "./grpc-message.ts";

const MIN_TIMESTAMP = -62_135_596_800n;
const MAX_TIMESTAMP = 253_402_300_799n;
const MAX_DURATION = 315_576_000_000n;
const NANOS_PER_SECOND = 1_000_000_000;

/** `"2006-01-02T15:04:05.123Z"`, with 0, 3, 6 or 9 digits of a second. Throws `ProtoMessageError` outside years 1–9999. */
export function timestampJson(message: ProtoMessage): string {
  const { seconds, nanos } = secondsAndNanos(message);
  if (seconds < MIN_TIMESTAMP || seconds > MAX_TIMESTAMP || nanos < 0 || nanos >= NANOS_PER_SECOND) {
    throw new ProtoMessageError("proto: google.protobuf.Timestamp: out of range");
  }
  const [day = "", time = ""] = new Date(Number(seconds) * 1000).toISOString().split("T");
  return `"${day}T${time.slice(0, 8)}${fraction(nanos)}Z"`;
}

/** `"-1.500s"`. Throws `ProtoMessageError` beyond ±10,000 years and for parts of different sign. */
export function durationJson(message: ProtoMessage): string {
  const { seconds, nanos } = secondsAndNanos(message);
  if (seconds < -MAX_DURATION || seconds > MAX_DURATION || Math.abs(nanos) >= NANOS_PER_SECOND) {
    throw new ProtoMessageError("proto: google.protobuf.Duration: out of range");
  }
  if ((seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)) {
    throw new ProtoMessageError("proto: google.protobuf.Duration: signs of seconds and nanos do not match");
  }
  const sign = seconds < 0n || nanos < 0 ? "-" : "";
  return `"${sign}${seconds < 0n ? -seconds : seconds}${fraction(Math.abs(nanos))}s"`;
}

/** The paths in lowerCamelCase, joined with commas. Throws `ProtoMessageError` for a path that cannot be turned back. */
export function fieldMaskJson(message: ProtoMessage): string {
  const paths = (message.fields.get(1) ?? []) as string[];
  const camel = paths.map((path) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(path)) {
      throw new ProtoMessageError(`proto: google.protobuf.FieldMask.paths contains invalid path: \`${path}\``);
    }
    const name = path.replace(/_+([^_]?)/g, (_, next: string) => next.toUpperCase());
    if (name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) !== path) {
      throw new ProtoMessageError(`proto: google.protobuf.FieldMask.paths contains irreversible value \`${path}\``);
    }
    return name;
  });
  return quoteJson(camel.join(","));
}

function secondsAndNanos(message: ProtoMessage): { readonly seconds: bigint; readonly nanos: number } {
  return {
    seconds: (message.fields.get(1) as bigint | undefined) ?? 0n,
    nanos: (message.fields.get(2) as number | undefined) ?? 0,
  };
}

function fraction(nanos: number): string {
  if (nanos === 0) return "";
  return `.${String(nanos)
    .padStart(9, "0")
    .replace(/(?:000){1,2}$/, "")}`;
}
