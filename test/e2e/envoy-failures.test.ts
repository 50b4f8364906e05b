// Fail closed, seen from outside: svidgate late, gone, back again, unready; each shipped configuration as it is.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { packageRoot } from "../../src/base/package-root.ts";
import { parseYaml } from "../../src/base/yaml.ts";
import { type JsonValue, readShippedConfig } from "../../src/cli/demo/envoy-config.ts";
import { createWorld, envoysToTest, findLine, readAudit, type World, withChanges } from "../support/envoy.ts";
import { ANSWERS } from "../support/envoy-policy.ts";
import { type Serving, startServe } from "../support/serve.ts";

const run = promisify(execFile);

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} and a svidgate that does not answer`, { skip }, () => {
    let world: World;
    let policy: string;
    const serve = async (listen: string, ...more: readonly string[]): Promise<Serving> => {
      const audit = `file:${join(world.folder, "audit.jsonl")}`;
      const words = ["--policy", policy, "--listen", listen, "--admin", "off", "--audit", audit, ...more];
      const serving = await startServe(words);
      world.onClose(() => serving.kill());
      return serving;
    };

    before(async () => {
      world = await createWorld();
      policy = await world.file("policy.rego", ANSWERS);
    });
    after(() => world.close());

    for (const shipped of ["sidecar", "ingress"] as const) {
      it(`validates envoy/${shipped}.yaml`, async () => {
        const config = await world.config(shipped, shipped === "sidecar" ? "unix:/run/nowhere.sock" : "127.0.0.1:9191");
        const file = await world.file(`${shipped}.json`, JSON.stringify(config));
        const { stdout, stderr } = await run(binary, ["--mode", "validate", "-c", file]);
        assert.match(stdout + stderr, /configuration '.*' OK/);
        assert.doesNotMatch(stdout + stderr, /\[(warning|error|critical)\]/, "nothing deprecated, nothing doubtful");
      });
    }

    it("validates envoy/spire-sidecar.yaml, and the snippet of envoy/README.md for a svidgate elsewhere, put where it says", async () => {
      const readme = readFileSync(join(packageRoot(), "envoy", "README.md"), "utf8");
      const [snippet, ...others] = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => {
        const parsed = parseYaml(text);
        assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
        return parsed.value as Record<string, JsonValue>;
      });
      assert.ok(snippet !== undefined && others.length === 0);
      const config = await readShippedConfig("spire-sidecar", { ports: { 15006: 0, 15000: 0 }, texts: {} });
      const { clusters } = config["static_resources"] as { clusters: readonly { name: string }[] };
      const svidgate = clusters.findIndex(({ name: cluster }) => cluster === "svidgate");
      const elsewhere = withChanges(config, ["static_resources", "clusters", svidgate], snippet);
      for (const [what, whole] of Object.entries({ shipped: config, elsewhere })) {
        const file = await world.file(`spire-${what}.json`, JSON.stringify(whole));
        const { stdout, stderr } = await run(binary, ["--mode", "validate", "-c", file]);
        assert.match(stdout + stderr, /configuration '.*' OK/);
        assert.doesNotMatch(stdout + stderr, /\[(warning|error|critical)\]/, what);
      }
    });

    it("answers 503 while svidgate is down and lets requests through when it is back, sidecar", async () => {
      const web = await world.authority.svid("/ns/shop/sa/web");
      const socket = `unix:${join(world.folder, "ext_authz.sock")}`;
      const first = await serve(socket);
      const envoy = await world.startEnvoy(binary, await world.config("sidecar", socket));
      const ask = async (path: string) => {
        const answer = await world.call(envoy, { path }, web);
        assert.ok(answer.ok, answer.ok ? "" : answer.why);
        return answer;
      };
      assert.equal((await ask("/yes")).status, 200);
      assert.equal((await ask("/no")).status, 403);

      await first.kill();
      const reached = world.upstream.requests();
      const answer = await ask("/yes");
      assert.equal(answer.status, 503);
      assert.equal(world.upstream.requests(), reached, "the service is not reached without a decision");
      const line = await findLine(() => envoy.output(), answer.headers["x-request-id"]);
      assert.equal(line["details"], "ext_authz_error");
      assert.equal(line["flags"], "UAEX");
      assert.equal(await envoy.stat("http.sidecar.ext_authz.svidgate.failure_mode_allowed"), 0);
      assert.ok((await envoy.stat("http.sidecar.ext_authz.svidgate.error")) >= 1);

      await serve(socket);
      // Envoy connects anew after a pause of its own, at most the health check's interval.
      const deadlineMs = performance.now() + 10_000;
      let status = 0;
      while (status !== 200 && performance.now() < deadlineMs) {
        status = (await ask("/yes")).status;
        assert.ok(status === 200 || status === 503, `${status}`);
        if (status !== 200) await delay(50);
      }
      assert.equal(status, 200);
      await envoy.stop();
    });

    it("answers 403 to a decision that would take longer than the timeout: its budget ends first", async () => {
      const serving = await serve("127.0.0.1:0");
      const envoy = await world.startEnvoy(binary, await world.config("ingress", serving.address, "0.2s"));
      const answer = await world.call(envoy, { path: "/slow" });
      assert.ok(answer.ok && answer.status === 403, JSON.stringify(answer));
      const event = await findLine(() => readAudit(world), answer.headers["x-request-id"]);
      assert.equal(event["reason"], "policy_budget");
      await serving.kill();
      await envoy.stop();
    });

    it("answers 503 when the decision takes longer than the timeout, and the late answer is a deny", async () => {
      const serving = await serve("127.0.0.1:0", "--set", "svidgate.policy.budget=off");
      const envoy = await world.startEnvoy(binary, await world.config("ingress", serving.address, "0.2s"));
      const reached = world.upstream.requests();
      const startMs = performance.now();
      const answer = await world.call(envoy, { path: "/slow" });
      const tookMs = performance.now() - startMs;
      assert.ok(answer.ok && answer.status === 503, JSON.stringify(answer));
      const event = await findLine(() => readAudit(world), answer.headers["x-request-id"]);
      assert.ok(["deadline_exceeded", "cancelled"].includes(String(event["reason"])), String(event["reason"]));
      const evaluationMs = Number(event["evaluation_us"]) / 1000;
      assert.ok(evaluationMs > 200, "the policy really ran longer than that");
      assert.ok(tookMs < evaluationMs, `Envoy answered after ${tookMs} ms, the policy took ${evaluationMs} ms`);
      assert.equal(world.upstream.requests(), reached);

      const next = await world.call(envoy, { path: "/yes" });
      assert.ok(next.ok && next.status === 200, "the next request is decided again");
      await serving.kill();
      await envoy.stop();
    });

    it("answers 503 to everyone before svidgate was ever there", async () => {
      const envoy = await world.startEnvoy(binary, await world.config("sidecar", "unix:/nonexistent/ext_authz.sock"));
      const answer = await world.call(envoy, { path: "/yes" }, await world.authority.svid("/ns/shop/sa/web"));
      assert.ok(answer.ok && answer.status === 503, JSON.stringify(answer));
      await envoy.stop();
    });
  });
}
