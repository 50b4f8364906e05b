// Why the line-rate listener ended connections and streams, and what it holds: plain numbers, raised where it happens and read
// by telemetry. The reasons are the closed sets of telemetry/http2-catalogue.ts.

import {
  CONNECTION_ENDS,
  type ConnectionEnd,
  STREAM_REFUSALS,
  type StreamRefusal,
} from "../../telemetry/http2-catalogue.ts";

/** Counts of all connections of one listener together, since its start. */
export interface Http2Counts {
  readonly connectionEnds: Record<ConnectionEnd, number>;
  readonly streamRefusals: Record<StreamRefusal, number>;
  /** Bytes of requests that are held now because they are not complete, or not answered. */
  unfinishedBytes: number;
}

/** All at zero. */
export function createHttp2Counts(): Http2Counts {
  return { connectionEnds: toZeros(CONNECTION_ENDS), streamRefusals: toZeros(STREAM_REFUSALS), unfinishedBytes: 0 };
}

function toZeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
