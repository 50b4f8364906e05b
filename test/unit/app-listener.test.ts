// Settings as the limits of the listener, and what GET /status says of them.

import assert from "node:assert/strict";
import { it } from "node:test";
import { toLimitStatus, toLimits } from "../../src/app-listener.ts";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSettings, type Settings } from "../../src/config/settings.ts";
import { DEFAULT_LIMITS } from "../../src/server/http2/limits.ts";

function settingsOf(...set: readonly string[]): Settings {
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const resolved = resolveSettings(loaded.config, loaded.given);
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return resolved.settings;
}

/** A value of its own for every limit, with the name that it has inside. */
const EACH: readonly (readonly [set: string, name: keyof typeof DEFAULT_LIMITS, value: number])[] = [
  ["plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size=2MiB", "maxMessageBytes", 2 * 1024 * 1024],
  ["svidgate.limits.max_concurrent_streams=11", "maxConcurrentStreams", 11],
  ["svidgate.limits.max_header_list=12KiB", "maxHeaderListBytes", 12 * 1024],
  ["svidgate.limits.header_table=13", "maxHeaderTableBytes", 13],
  ["svidgate.limits.max_continuations=14", "maxContinuations", 14],
  ["svidgate.limits.control_frames_per_second=15", "maxControlFramesPerSecond", 15],
  ["svidgate.limits.resets_per_second=16", "maxResetsPerSecond", 16],
  ["svidgate.limits.max_unfinished=170MiB", "maxUnfinishedBytes", 170 * 1024 * 1024],
  ["svidgate.limits.max_unsent=18MiB", "maxUnsentBytes", 18 * 1024 * 1024],
  ["svidgate.limits.request_timeout=19s", "requestTimeoutMs", 19_000],
  ["svidgate.limits.write_timeout=20s", "writeTimeoutMs", 20_000],
  ["svidgate.limits.idle_timeout=21s", "idleTimeoutMs", 21_000],
  ["svidgate.limits.max_connection_age=22m", "maxConnectionAgeMs", 1_320_000],
  ["svidgate.limits.keep_alive.interval=23s", "keepAliveTimeMs", 23_000],
  ["svidgate.limits.keep_alive.timeout=24s", "keepAliveTimeoutMs", 24_000],
];

it("limits the line-rate listener as its own defaults say unless told otherwise", () => {
  assert.deepEqual(toLimits(settingsOf()), DEFAULT_LIMITS);
});

it("has a key for every limit of the line-rate listener", () => {
  assert.deepEqual(EACH.map(([, name]) => name).sort(), Object.keys(DEFAULT_LIMITS).sort());
  const limits = toLimits(settingsOf(...EACH.map(([set]) => set)));
  assert.deepEqual(limits, Object.fromEntries(EACH.map(([, name, value]) => [name, value])));
});

it("tells every limit in GET /status, in bytes and seconds, and null for none", () => {
  const status = toLimitStatus(settingsOf("svidgate.limits.idle_timeout=90s"));
  assert.deepEqual(status, {
    max_connections: 10_000,
    max_concurrent_streams: 1024,
    max_message_bytes: 4_194_304,
    keep_alive_interval_seconds: 30,
    keep_alive_timeout_seconds: 10,
    idle_timeout_seconds: 90,
    max_connection_age_seconds: null,
    max_header_list_bytes: 32_768,
    header_table_bytes: 4096,
    max_continuations: 8,
    control_frames_per_second: 1000,
    resets_per_second: 200,
    max_unfinished_bytes: 67_108_864,
    max_unsent_bytes: 1_048_576,
    request_timeout_seconds: 10,
    write_timeout_seconds: 10,
  });
});

it("tells null for what grpc-js does not limit", () => {
  const status = Object.entries(toLimitStatus(settingsOf("svidgate.listener=grpc-js")));
  const limited = status.filter(([, value]) => value !== null).map(([key]) => key);
  assert.deepEqual(limited, [
    "max_connections",
    "max_concurrent_streams",
    "max_message_bytes",
    "keep_alive_interval_seconds",
    "keep_alive_timeout_seconds",
  ]);
});
