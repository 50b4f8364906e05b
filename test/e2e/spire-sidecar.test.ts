// envoy/spire-sidecar.yaml as users copy it, with a real SPIRE: Envoy takes its certificate and the bundles from the agent, svidgate
// takes the bundles from the same agent, and a caller with an SVID of that agent is authenticated.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { readShippedConfig } from "../../src/cli/demo/envoy-config.ts";
import { type Envoy, startEnvoy } from "../../src/cli/demo/envoy-process.ts";
import { type Answer, callOverMtls } from "../../src/cli/demo/mtls-client.ts";
import { startUpstream, type Upstream } from "../../src/cli/demo/upstream.ts";
import { createTestAuthority } from "../support/ca.ts";
import { EXT_AUTHZ, envoysToTest, findLine, withChanges } from "../support/envoy.ts";
import { type Serving, startServing } from "../support/serve-process.ts";
import { type FetchedSvid, type Spire, spireMissing, startSpire } from "../support/spire.ts";

const POLICY = `package envoy.authz

default allow := false

allow := {"allowed": true, "headers": {"x-caller": input.identity.spiffe_id, "x-chain": sprintf("%d", [input.identity.credential.chain_length])}} if {
	input.identity.verified_by == "pdp"
}
`;
const CALLER = "/ns/shop/sa/web";

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} with envoy/spire-sidecar.yaml and a real SPIRE`, {
    skip: skip || spireMissing(),
    timeout: 120_000,
  }, () => {
    const undos: (() => unknown)[] = [];
    let folder: string;
    let spire: Spire;
    let envoy: Envoy;
    let upstream: Upstream;
    let serving: Serving;
    let caller: FetchedSvid;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "svidgate-e2e-spire-"));
      undos.push(() => rm(folder, { recursive: true, force: true }));
      [spire, upstream] = await Promise.all([startSpire(), startUpstream()]);
      undos.push(
        () => spire.close(),
        () => upstream.close(),
      );
      await spire.createEntry({ path: "/ns/shop/sa/orders", program: binary });
      await spire.createEntry({ path: "/ns/authz/sa/svidgate", program: process.execPath });
      await spire.createEntry({ path: CALLER, program: spire.agentProgram });
      caller = await spire.fetchX509Svid(CALLER);
      const socket = join(folder, "ext_authz.sock");
      await writeFile(join(folder, "policy.rego"), POLICY);
      serving = await startServing([
        ...["--policy", join(folder, "policy.rego"), "--audit", `file:${join(folder, "audit.jsonl")}`],
        ...["--listen", `unix:${socket}`, "--workload-api", spire.socket],
        ...["--set", "svidgate.identity.xfcc.enabled=true"],
      ]);
      undos.push(() => serving.stop());
      const shipped = await readShippedConfig("spire-sidecar", {
        ports: { 15006: 0, 15000: 0, 8080: upstream.port },
        texts: {
          "0.0.0.0": "127.0.0.1",
          "/run/svidgate/ext_authz.sock": socket,
          "/run/spire/agent.sock": spire.socketPath,
        },
      });
      const config = withChanges(shipped, [...EXT_AUTHZ, "grpc_service"], { timeout: "2s" });
      await mkdir(join(folder, "envoy"));
      envoy = await startEnvoy({ binary, config, folder: join(folder, "envoy") }, (stop) => void undos.push(stop));
    });
    after(async () => {
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
    });

    const call = (certificate: IssuedCertificate | undefined): Promise<Answer> =>
      callOverMtls(
        {
          port: envoy.port("inbound"),
          bundlePem: caller.bundlePem,
          serverId: "spiffe://example.org/ns/shop/sa/orders",
          certificate,
        },
        { method: "GET", path: "/orders/7" },
      );

    it("authenticates a caller with an SVID of the agent, and says so in the event", async () => {
      const answer = await call(caller);
      assert.ok(answer.ok && answer.status === 200, JSON.stringify(answer));
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.equal(headers["x-caller"], `spiffe://example.org${CALLER}`);
      assert.equal(headers["x-chain"], "2");
      const event = await findLine(() => readFile(join(folder, "audit.jsonl"), "utf8"), answer.headers["x-request-id"]);
      assert.deepEqual(
        [event["subject"], event["verified_by"], event["identity_source"], event["credential_type"]],
        [`spiffe://example.org${CALLER}`, "pdp", "certificate", "x509-svid"],
      );
    });

    it("passes the whole element on as JSON, bound to Envoy's own SPIFFE ID", async () => {
      const answer = await call(caller);
      assert.ok(answer.ok && answer.status === 200);
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
      const [element, ...others] = JSON.parse(headers["x-forwarded-client-cert"] ?? "") as Record<string, unknown>[];
      assert.deepEqual([element?.["by"], others], [["spiffe://example.org/ns/shop/sa/orders"], []]);
    });

    it("refuses in the handshake whom the agent's bundles do not prove", async () => {
      const stranger = await createTestAuthority();
      assert.equal((await call(await stranger.svid(CALLER))).ok, false);
      assert.equal((await call(undefined)).ok, false);
    });
  });
}
