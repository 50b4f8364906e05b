// Readers that put the line-rate listener's own counts into the exposition: the numbers are its, read at scrape.

import type { MetricReaders } from "./exposition.ts";
import {
  CONNECTION_ENDS,
  type ConnectionEnd,
  type HTTP2_CATALOGUE,
  STREAM_REFUSALS,
  type StreamRefusal,
} from "./http2-catalogue.ts";

/** What the listener has counted since its start. */
export interface Http2MetricCounts {
  readonly connectionEnds: Readonly<Record<ConnectionEnd, number>>;
  readonly streamRefusals: Readonly<Record<StreamRefusal, number>>;
  /** Held now, in bytes. */
  readonly unfinishedBytes: number;
}

/** Creates them; `counts` is undefined where the listener counts none of it, and then the series are absent. */
export function createHttp2Readers(
  counts: () => Http2MetricCounts | undefined,
): Pick<MetricReaders, keyof typeof HTTP2_CATALOGUE> {
  return {
    svidgate_http2_connections_ended_total: () => byReason(CONNECTION_ENDS, counts()?.connectionEnds),
    svidgate_http2_streams_refused_total: () => byReason(STREAM_REFUSALS, counts()?.streamRefusals),
    svidgate_http2_unfinished_bytes: () => {
      const now = counts();
      return now === undefined ? [] : [{ labels: {}, value: now.unfinishedBytes }];
    },
  };
}

const byReason = <Reason extends string>(
  reasons: readonly Reason[],
  counted: Readonly<Record<Reason, number>> | undefined,
) => (counted === undefined ? [] : reasons.map((reason) => ({ labels: { reason }, value: counted[reason] })));
