// The limits of the check listener: bounds, contradictions, and what has no effect with the listener that was chosen.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FIELDS } from "../../../src/config/fields.ts";
import { LIMIT_FIELDS } from "../../../src/config/limit-fields.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { type ResolvedSettings, resolveSettings } from "../../../src/config/settings.ts";

function resolve(...set: readonly string[]): ResolvedSettings {
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return resolveSettings(loaded.config, loaded.given);
}

const notesOf = (...set: readonly string[]): readonly string[] => {
  const resolved = resolve(...set);
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return resolved.settings.notes;
};
const problemsOf = (...set: readonly string[]): readonly string[] => {
  const resolved = resolve(...set);
  return resolved.ok ? [] : resolved.problems;
};

describe("a limit of the listener", () => {
  const REFUSED: readonly (readonly [set: string, expected: RegExp])[] = [
    ["svidgate.limits.max_header_list=4095", /expected a size .* from 4096 to 1048576 bytes/],
    ["svidgate.limits.header_table=128KiB", /expected a size .* from 0 to 65536 bytes/],
    ["svidgate.limits.max_continuations=1025", /expected a whole number from 0 to 1024/],
    ["svidgate.limits.control_frames_per_second=9", /expected a whole number from 10 to 1000000/],
    ["svidgate.limits.resets_per_second=0", /expected a whole number from 1 to 1000000/],
    ["svidgate.limits.max_unfinished=1023KiB", /expected a size .* from 1048576 to 4294967296 bytes/],
    ["svidgate.limits.max_unsent=1", /expected a size .* from 65536 to 268435456 bytes/],
    ["svidgate.limits.request_timeout=0", /expected a duration .* from 100ms to 600000ms/],
    ["svidgate.limits.write_timeout=off", /expected a duration .* from 100ms to 600000ms/],
    ["svidgate.limits.idle_timeout=0", /expected a duration .* from 1000ms to 31536000000ms, or `off`/],
    ["svidgate.limits.max_connection_age=5s", /expected a duration .* from 10000ms to 31536000000ms, or `off`/],
    ["svidgate.limits.keep_alive.interval=off", /expected a duration .* from 1000ms to 86400000ms/],
    ["svidgate.limits.keep_alive.timeout=2h", /expected a duration .* from 1000ms to 3600000ms/],
    ["svidgate.listener=nghttp2", /expected one of line-rate, grpc-js/],
  ];
  for (const [set, expected] of REFUSED) {
    it(`is refused with what it may be: ${set}`, () => {
      const loaded = loadConfig({ flags: new Map(), set: [set], env: {} });
      assert.ok(!loaded.ok);
      assert.equal(loaded.problems.length, 1);
      assert.match(loaded.problems[0] ?? "", expected);
    });
  }

  it("that can be off is without end when it is", () => {
    const resolved = resolve("svidgate.limits.idle_timeout=off", "svidgate.limits.max_connection_age=1h");
    assert.ok(resolved.ok);
    assert.deepEqual(
      [resolved.settings.idleTimeoutMs, resolved.settings.maxConnectionAgeMs],
      [Number.POSITIVE_INFINITY, 3_600_000],
    );
  });

  it("can be set by flag for the listener itself", () => {
    const loaded = loadConfig({ flags: new Map([["listener", ["grpc-js"]]]), set: [], env: {} });
    assert.ok(loaded.ok);
    assert.equal(loaded.config.listener, "grpc-js");
  });
});

describe("limits that contradict each other", () => {
  it("are refused: less for unfinished messages than one may have", () => {
    assert.deepEqual(
      problemsOf("svidgate.limits.max_unfinished=2MiB", "plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size=3MiB"),
      [
        "svidgate.limits.max_unfinished: 2097152 bytes, less than 2 messages may have (`plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size`, 3145728 each), so that a message that is allowed could end its connection: raise the one or lower the other",
      ],
    );
    assert.deepEqual(
      problemsOf("svidgate.limits.max_unfinished=6MiB", "plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size=3MiB"),
      [],
    );
    // Only what was set can contradict: a migrated key starts by itself.
    assert.deepEqual(problemsOf("plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size=200MiB"), []);
  });

  it("are refused: more for one client that does not read than for all", () => {
    assert.deepEqual(
      problemsOf(
        "svidgate.limits.max_unfinished=8MiB",
        "plugins.envoy_ext_authz_grpc.grpc-max-recv-msg-size=1MiB",
        "svidgate.limits.max_unsent=9MiB",
      ),
      [
        "svidgate.limits.max_unsent: 9437184 bytes, more than all connections together may hold (`svidgate.limits.max_unfinished`, 8388608): raise that or lower this",
      ],
    );
  });

  it("are refused: a header list that its frames cannot hold", () => {
    assert.deepEqual(problemsOf("svidgate.limits.max_header_list=64KiB", "svidgate.limits.max_continuations=2"), [
      "svidgate.limits.max_continuations: a header block of 3 frames has at most 49152 bytes, less than `svidgate.limits.max_header_list` allows: say at least 3, or lower that",
    ]);
    assert.deepEqual(problemsOf("svidgate.limits.max_header_list=64KiB", "svidgate.limits.max_continuations=3"), []);
  });

  it("are noted: an idle time longer than the age", () => {
    const set = ["svidgate.limits.idle_timeout=2h", "svidgate.limits.max_connection_age=1h"];
    assert.deepEqual(notesOf(...set), [
      "svidgate.limits.idle_timeout: has no effect, for `svidgate.limits.max_connection_age` is shorter",
    ]);
    assert.deepEqual(notesOf("svidgate.limits.max_connection_age=1m"), []);
  });
});

describe("with grpc-js", () => {
  it("what it does not limit is noted, and contradicts nothing", () => {
    const set = ["svidgate.limits.max_unfinished=1MiB", "svidgate.limits.idle_timeout=5m"];
    assert.deepEqual(notesOf("svidgate.listener=grpc-js", ...set), [
      "svidgate.limits.idle_timeout: has no effect with `--listener grpc-js`",
      "svidgate.limits.max_unfinished: has no effect with `--listener grpc-js`",
    ]);
    assert.deepEqual(notesOf("svidgate.listener=grpc-js", "svidgate.limits.keep_alive.interval=5s"), []);
  });

  it("exactly the limits whose documentation says so are without effect", () => {
    const names = Object.keys(LIMIT_FIELDS) as (keyof typeof LIMIT_FIELDS)[];
    for (const name of names) {
      const { key, fallback, doc } = FIELDS[name];
      const isLineRateOnly = notesOf("svidgate.listener=grpc-js", `${key}=${fallback}`).length > 0;
      assert.equal(doc.endsWith("`line-rate` only"), isLineRateOnly, key);
    }
  });
});
