// The parts that the tests beside this one run on are those that the command line of this run named.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { readCheckRequest } from "../../src/authz/check-request.ts";
import { packageRoot } from "../../src/base/package-root.ts";
import { OWN_PARTS_ONLY } from "../support/libraries.ts";
import { testedListener } from "../support/open-check-server.ts";
import { readByProtoLoader } from "../support/proto-loader-request.ts";
import { startServing } from "../support/serve-process.ts";
import { MAIN, ON_LIBRARIES, stackReader } from "../support/stack.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-"));
after(() => rmSync(folder, { recursive: true }));

it(`runs on ${ON_LIBRARIES ? "the libraries alone" : "svidgate's own parts"}`, async () => {
  const policy = join(folder, "policy.rego");
  writeFileSync(policy, "package envoy.authz\n\ndefault allow := false\n");
  const server = await startServing(["--policy", policy, "--audit", "none"]);
  const status = (await (await fetch(`${server.admin}/status`)).json()) as {
    listener: { kind: string };
    policy: { engine: string };
  };
  const metrics = await (await fetch(`${server.admin}/metrics`)).text();
  await server.stop();
  assert.deepEqual(
    [status.listener.kind, status.policy.engine],
    ON_LIBRARIES ? ["grpc-js", "opa-wasm"] : ["line-rate", "native"],
  );
  assert.equal(/^svidgate_http2_connections_ended_total\{reason="reset_flood"\} 0$/m.test(metrics), !ON_LIBRARIES);
  assert.equal(/^svidgate_http2_unfinished_bytes 0$/m.test(metrics), !ON_LIBRARIES);
  assert.equal(stackReader, ON_LIBRARIES ? readByProtoLoader : readCheckRequest);
  assert.equal(testedListener, status.listener.kind);
  assert.match(MAIN, ON_LIBRARIES ? /library-main\.js$/ : /src\/main\.js$/);
});

it("names in the table of what the libraries do not run only what there is", () => {
  const vectors = ["decision", "generated-input"]
    .map((name) => readFileSync(join(packageRoot(), `test/vectors/${name}.jsonl`), "utf8"))
    .join("");
  for (const { file, test, why } of OWN_PARTS_ONLY) {
    const text = readFileSync(join(packageRoot(), `test/integration/${file}.test.ts`), "utf8");
    if (test !== undefined) {
      assert.ok(text.includes(test) || vectors.includes(`"${test}"`), `${file}: there is no test ${test}`);
      assert.match(text, new RegExp(`(?:runs|it)OnStack\\(\\s*"${file}"`), `${file} does not ask whether ${test} runs`);
    }
    assert.ok(why.length > 20, file);
  }
});
