// `svidgate serve` whose certificate is to come from a Workload API that is not there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { makeFolder } from "../support/open-check-server.ts";
import { MAIN, STACK_ENVIRONMENT } from "../support/stack.ts";

/** Waiting is thirty times as fast; that a timer keeps the process alive, or not, stays as it is. */
const HURRY = `data:text/javascript,${encodeURIComponent(
  "const slow = globalThis.setTimeout; globalThis.setTimeout = (run, ms, ...rest) => slow(run, ms / 30, ...rest);",
)}`;

async function serve(t: TestContext, address: string): Promise<{ code: number | null; err: string }> {
  const policy = join(makeFolder(t), "policy.rego");
  writeFileSync(policy, "package envoy.authz\n\ndefault allow := false\n");
  const words = ["--policy", policy, "--workload-api", address, "--set", "svidgate.tls.source=workload_api"];
  const off = ["--listen", "127.0.0.1:0", "--admin", "off", "--audit", "none"];
  const child = spawn(process.execPath, ["--import", HURRY, MAIN, "serve", ...off, ...words], {
    env: STACK_ENVIRONMENT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, err };
}

describe("a start with tls.source: workload_api", () => {
  it("waits for an agent that is not there, and then says so and ends with 2", async (t) => {
    const { code, err } = await serve(t, `unix://${join(makeFolder(t), "nobody.sock")}`);
    assert.match(err, /"msg":"waiting for an X.509-SVID of our own from the Workload API"/);
    assert.match(err, /svidgate\.tls\.source: the Workload API has given no SVID: see that its agent runs/);
    assert.doesNotMatch(err, /unsettled top-level await/);
    assert.equal(code, 2);
  });

  it("is refused at once for an address that is none, by its own key alone", async (t) => {
    const { code, err } = await serve(t, "unix:///run/agent%20.sock");
    assert.match(
      err,
      /svidgate\.identity\.workload_api: `unix:\/\/\/run\/agent%20\.sock` is no address of a Workload API: the path/,
    );
    assert.doesNotMatch(err, /waiting for|svidgate\.tls\.source/);
    assert.equal(code, 2);
  });
});
