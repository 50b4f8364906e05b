import assert from "node:assert/strict";
import { it } from "node:test";
import { createIdentityMetrics, type IdentityCounts } from "../../../src/telemetry/identity-metrics.ts";

const NO_CACHE = { entries: 0, hits: 0, misses: 0 };
const NOTHING: IdentityCounts = {
  trustDomains: [],
  workloadApiStreams: [],
  certificates: NO_CACHE,
  tokens: { ...NO_CACHE, inFlight: 0 },
  denyList: undefined,
  attributeFilesCurrent: undefined,
};

it("has gauges of what is configured, as 1 or 0, and none of what is not", () => {
  let counts: IdentityCounts | undefined;
  const { readers } = createIdentityMetrics(() => counts);
  const gauges = () =>
    [
      readers.svidgate_workload_api_connected,
      readers.svidgate_deny_list_current,
      readers.svidgate_deny_list_entries,
      readers.svidgate_attribute_files_current,
    ].map((read) => read().map(({ value }) => value));
  assert.deepEqual(gauges(), [[], [], [], []]);
  counts = NOTHING;
  assert.deepEqual(gauges(), [[], [], [], []]);
  counts = {
    ...NOTHING,
    workloadApiStreams: [{ stream: "x509_bundles", connected: true }],
    denyList: { entries: 3, current: true },
    attributeFilesCurrent: true,
  };
  assert.deepEqual(gauges(), [[1], [1], [3], [1]]);
  counts = {
    ...NOTHING,
    workloadApiStreams: [{ stream: "x509_bundles", connected: false }],
    denyList: { entries: 0, current: false },
    attributeFilesCurrent: false,
  };
  assert.deepEqual(gauges(), [[0], [0], [0], [0]]);
});

it("tells each stream of the Workload API apart: a server without JWT-SVIDs leaves one closed for ever", () => {
  const workloadApiStreams = [
    { stream: "x509_bundles", connected: true },
    { stream: "jwt_bundles", connected: false },
    { stream: "x509_svid", connected: true },
  ] as const;
  const { readers } = createIdentityMetrics(() => ({ ...NOTHING, workloadApiStreams }));
  assert.deepEqual(readers.svidgate_workload_api_connected(), [
    { labels: { stream: "x509_bundles" }, value: 1 },
    { labels: { stream: "jwt_bundles" }, value: 0 },
    { labels: { stream: "x509_svid" }, value: 1 },
  ]);
});
