// The soak in small: what runs for an hour before a release runs here for seconds, so that it still works when it is needed. Memory is
// not judged in so short a time, only that it is measured.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const SOAK = fileURLToPath(new URL("../../bench/soak/main.js", import.meta.url));
const SHORT = [
  ...["--minutes", "0.3", "--capacity-seconds", "2", "--sample-seconds", "2", "--reload-seconds", "5"],
  // A busy machine is no finding: a quarter of the load, and room for a heap that is still young.
  ...["--load", "0.25", "--max-growth", "128", "--no-pin", "--hostile-pause", "500"],
];

async function runSoak(words: readonly string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [SOAK, ...SHORT, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out };
}

const CASES = [
  { name: "in plaintext", words: [] },
  { name: "over TLS", words: ["--tls"] },
];

describe("soak", () => {
  for (const { name, words } of CASES) {
    it(`${name}: no ordinary check is harmed by reloads, new connections and hostile peers`, async () => {
      const { code, out } = await runSoak(words);
      assert.equal(code, 0, out);
      assert.match(out, /^holds: ordinary checks harmed: 0 of \d{3,}, on \d+ connections$/m);
      assert.match(out, /^holds: memory: RSS -?[\d.]+ MiB\/hour/m);
      assert.match(out, /^holds: policy reloads: 3 of 3 asked for$/m);
      assert.match(out, /^holds: audit events: \d+ written, 0 lost$/m);
      assert.doesNotMatch(out, /^FAILS/m);
      // The floods were noticed, and for what they are.
      for (const reason of [
        "control_flood",
        "reset_flood",
        "continuation_flood",
        "header_block_size",
        "protocol_error",
      ])
        assert.match(out, new RegExp(`svidgate_http2_connections_ended_total\\{reason="${reason}"\\}. \\| [1-9]`), out);
      assert.match(
        out,
        /svidgate_http2_streams_refused_total\{reason="header_list"\}. \| [1-9]/,
        "the HPACK bomb is one",
      );
    });
  }
});
