import assert from "node:assert/strict";
import { it } from "node:test";
import { CONNECTION_ENDS, HTTP2_CATALOGUE, STREAM_REFUSALS } from "../../../src/telemetry/http2-catalogue.ts";
import { createHttp2Readers, type Http2MetricCounts } from "../../../src/telemetry/http2-metrics.ts";

const numbered = <Name extends string>(names: readonly Name[]) =>
  Object.fromEntries(names.map((name, at) => [name, at])) as Record<Name, number>;

it("has every reason from the start, so that the first increase of each is seen", () => {
  const counts: Http2MetricCounts = {
    connectionEnds: numbered(CONNECTION_ENDS),
    streamRefusals: numbered(STREAM_REFUSALS),
    unfinishedBytes: 5,
  };
  const readers = createHttp2Readers(() => counts);
  assert.deepEqual(
    readers.svidgate_http2_connections_ended_total(),
    CONNECTION_ENDS.map((reason, value) => ({ labels: { reason }, value })),
  );
  assert.deepEqual(
    readers.svidgate_http2_streams_refused_total(),
    STREAM_REFUSALS.map((reason, value) => ({ labels: { reason }, value })),
  );
  assert.deepEqual(readers.svidgate_http2_unfinished_bytes(), [{ labels: {}, value: 5 }]);
});

it("reads the counts at each scrape", () => {
  const counts = {
    connectionEnds: numbered(CONNECTION_ENDS),
    streamRefusals: numbered(STREAM_REFUSALS),
    unfinishedBytes: 0,
  };
  const readers = createHttp2Readers(() => counts);
  const read = () => readers.svidgate_http2_connections_ended_total()[CONNECTION_ENDS.indexOf("reset_flood")]?.value;
  const before = read() ?? 0;
  counts.connectionEnds.reset_flood++;
  assert.equal(read(), before + 1);
});

it("has no series where the listener counts nothing: a zero would say that nothing happened", () => {
  const readers = createHttp2Readers(() => undefined);
  for (const name of Object.keys(HTTP2_CATALOGUE) as (keyof typeof HTTP2_CATALOGUE)[]) {
    assert.deepEqual(readers[name](), [], name);
  }
});

it("says in each help text that it is absent with grpc-js", () => {
  for (const { help } of Object.values(HTTP2_CATALOGUE)) assert.match(help, /absent with listener grpc-js\.$/);
});
