// `svidgate demo` as a user runs it, with a real Envoy: it ends well, and however it ends nothing of it stays behind.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { envoysToTest } from "../support/envoy.ts";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const run = promisify(execFile);

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`svidgate demo with ${name}`, { skip }, () => {
    let temporary: string;
    beforeEach(() => {
      temporary = mkdtempSync(join(tmpdir(), "svidgate-e2e-demo-"));
    });
    afterEach(() => rmSync(temporary, { recursive: true, force: true }));

    const start = (...flags: string[]): ChildProcess =>
      spawn(process.execPath, [MAIN, "demo", ...flags], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, TMPDIR: temporary, ENVOY: binary },
      });
    /** Everything that it prints, up to `until` or to the end. */
    const read = async (child: ChildProcess, until?: string): Promise<string> => {
      let text = "";
      for await (const chunk of child.stdout ?? []) {
        text += String(chunk);
        if (until !== undefined && text.includes(until)) break;
      }
      return text;
    };
    const assertNothingLeft = async (): Promise<void> => {
      assert.deepEqual(readdirSync(temporary), []);
      const { stdout } = await run("ps", ["-eo", "args"]);
      assert.ok(!stdout.includes(`-c ${temporary}`), "no Envoy is left");
    };

    it("gets every expected answer and ends with `mode: envoy`", async () => {
      const child = start();
      const ended = once(child, "exit");
      const out = await read(child);
      assert.deepEqual(await ended, [0, null], out);
      assert.equal(out.trimEnd().split("\n").at(-1), "mode: envoy");
      assert.doesNotMatch(out, /WRONG/);
      assert.match(out, /allowed +ok +9 .*outcome="allow"\} +9\n.*denied +16 .*outcome="deny"\} +16\n.*error +1 /);
      assert.match(out, /shop\/web, forged +GET \/orders\/7 +deny {2}401 {2}x509_untrusted/);
      assert.match(out, /revoked +\d+ .* \d+ ms after the file changed\n/);
      assert.equal(out.match(/refused {4}\(Envoy: handshake\)/g)?.length, 3);
      await assertNothingLeft();
    });

    it("cleans up after SIGINT and SIGTERM while Envoy runs", async () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const child = start();
        const ended = once(child, "exit");
        await read(child, "with envoy/sidecar.yaml");
        child.kill(signal);
        assert.deepEqual(await ended, [130, null]);
        await assertNothingLeft();
      }
    });

    it("cleans up when nobody reads on, as in `svidgate demo | head -1`", async () => {
      const child = start();
      const ended = once(child, "exit");
      await read(child, "trust domain");
      child.stdout?.destroy();
      await ended;
      await assertNothingLeft();
    });
  });
}
