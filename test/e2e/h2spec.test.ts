// h2spec, which knows HTTP/2 from outside (RFC 7540, RFC 7541), against a running `svidgate serve`: every case passes, in cleartext
// and behind TLS. H2SPEC names the program; .ci/run installs it.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CHECK_PATH } from "../../src/server/listener.ts";
import { createTestAuthority } from "../support/ca.ts";
import { portOf } from "../support/envoy.ts";
import { createGrpcPeer } from "../support/grpc-peer.ts";
import { makeFolder } from "../support/open-check-server.ts";
import { startServe } from "../support/serve.ts";

const VERSION = "2.2.1";
const H2SPEC = process.env["H2SPEC"] || "h2spec";
/** How long a case may wait for what it expects: many times what it takes here, for busy machines. */
const CASE_TIMEOUT_S = "10";

/** Why there is nothing to test with. */
function whyNoH2spec(): string | false {
  const run = spawnSync(H2SPEC, ["--version"], { encoding: "utf8" });
  if (run.error !== undefined) {
    return `no h2spec: set H2SPEC to the one of \`go install github.com/summerwind/h2spec/cmd/h2spec@v${VERSION}+incompatible\``;
  }
  return false;
}

/** The cases that failed, by section and name, from a JUnit report. */
const failuresOf = (report: string): readonly string[] =>
  [...report.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)]
    .filter(([, , , inside]) => /<(failure|error|skipped)/.test(inside ?? ""))
    .map(([, section, name]) => `${section}: ${name}`);

const runH2spec = (args: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    // It ends with 1 when a case fails: the report says which.
    execFile(H2SPEC, [...args], { maxBuffer: 1 << 24 }, (_error, out, err) => resolve(out + err));
  });

describe("h2spec", { skip: whyNoH2spec() }, () => {
  for (const tls of [false, true]) {
    it(`finds nothing ${tls ? "behind TLS" : "in cleartext"}`, async (t) => {
      const folder = makeFolder(t);
      const file = (name: string, text: string): string => {
        const path = join(folder, name);
        writeFileSync(path, text, { mode: 0o600 });
        return path;
      };
      const authority = await createTestAuthority();
      const own = await authority.svid("/ns/authz/sa/svidgate");
      const policy = file("policy.rego", "package envoy.authz\ndefault allow := true\n");
      const serving = await startServe([
        ...["--policy", policy, "--listen", "127.0.0.1:0", "--admin", "off", "--audit", "none"],
        ...["--set", "svidgate.listener=line-rate"],
        ...(tls
          ? [
              ...["--tls-certificate", file("cert.pem", own.certificatePem)],
              ...["--tls-private-key", file("key.pem", own.privateKeyPem)],
            ]
          : []),
      ]);
      t.after(() => serving.kill());
      const report = join(folder, "report.xml");
      const port = String(portOf(serving.address));
      const flags = ["-h", "127.0.0.1", "-p", port, "-o", CASE_TIMEOUT_S, "-j", report, ...(tls ? ["-t", "-k"] : [])];
      const said = await runH2spec(flags);
      assert.deepEqual(failuresOf(await readFile(report, "utf8").catch(() => "")), [], said);
      assert.equal(said.trimEnd().split("\n").at(-1), "145 tests, 145 passed, 0 skipped, 0 failed", said);

      // Nothing of all that was a fault, and checks are still answered.
      const peer = createGrpcPeer(serving.address, {}, tls ? { caPem: authority.certificatePem } : undefined);
      t.after(() => peer.close());
      assert.ok("bytes" in (await peer.call(CHECK_PATH, Buffer.alloc(0))));
      assert.doesNotMatch(serving.log(), /"level":"error"/);
      serving.signal("SIGTERM");
      peer.close();
      assert.equal(await serving.ended(), 0);
    });
  }
});
