// Changes while requests keep coming: a drain with a second svidgate beside it, and reloads. No request may fail of them.

import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, envoysToTest, portOf, type World, withChanges } from "../support/envoy.ts";
import { startLoad } from "../support/load.ts";
import { type Serving, startServe } from "../support/serve.ts";

const ALLOW = 'package envoy.authz\nallow := {"allowed": true, "response_headers_to_add": {"x-policy": "first"}}\n';
const DENY = "package envoy.authz\ndefault allow := false\n";
const CLUSTER = ["static_resources", "clusters", 1];
const CALLERS = 8;

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} under load`, { skip }, () => {
    let world: World;
    const serve = async (policy: string, ...flags: string[]): Promise<Serving> => {
      const common = ["--listen", "127.0.0.1:0", "--admin", "off", "--audit", "none"];
      const serving = await startServe(["--policy", policy, ...common, ...flags]);
      world.onClose(() => serving.kill());
      return serving;
    };
    const replace = async (policy: string, text: string): Promise<void> => {
      await rename(await world.file("next.rego", text), policy);
    };

    before(async () => {
      world = await createWorld();
    });
    after(() => world.close());

    it("loses no check when one of two svidgates is drained by SIGTERM", async () => {
      const policy = await world.file("drain.rego", ALLOW);
      // A tenth of the shipped times, in the same proportion: the health check's interval is below the lame duck's time.
      const drain = ["--set", "svidgate.drain.lame_duck=500ms", "--set", "svidgate.drain.grace=5s"];
      const [first, second] = await Promise.all([serve(policy, ...drain), serve(policy, ...drain)]);
      const shipped = await world.config("ingress", first.address);
      const quick = { interval: "0.2s", no_traffic_interval: "0.2s" };
      const checked = withChanges(shipped, [...CLUSTER, "health_checks", 0], quick);
      const endpoint = (port: number) => ({
        endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
      });
      const config = withChanges(checked, [...CLUSTER, "load_assignment", "endpoints", 0], {
        lb_endpoints: [endpoint(portOf(first.address)), endpoint(portOf(second.address))],
      });
      const envoy = await world.startEnvoy(binary, config);
      const load = startLoad(envoy.port("edge"), "/orders", CALLERS, world.authority.certificatePem);
      await load.answered(300);
      first.signal("SIGTERM");
      assert.equal(await first.ended(), 0, first.log());
      await load.answered(300);
      await load.stop();
      assert.deepEqual([...load.counts.keys()], ["200"], JSON.stringify([...load.counts]));
      assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.error"), 0);
      assert.equal(await envoy.stat("cluster.svidgate.membership_healthy"), 1);
      await envoy.stop();
      await second.kill();
    });

    it("takes a new policy on SIGHUP without failing a request, and keeps it when the next one is broken", async () => {
      const policy = await world.file("reload.rego", ALLOW);
      const serving = await serve(policy);
      const envoy = await world.startEnvoy(binary, await world.config("ingress", serving.address));
      const status = async (): Promise<number> => {
        const answer = await world.call(envoy, { path: "/orders" });
        assert.ok(answer.ok, answer.ok ? "" : answer.why);
        return answer.status;
      };
      const logs = async (text: string): Promise<void> => {
        const deadlineMs = performance.now() + 20_000;
        while (!serving.log().includes(text)) {
          assert.ok(performance.now() < deadlineMs, `no \`${text}\` in the log\n${serving.log()}`);
          await delay(10);
        }
      };
      const load = startLoad(envoy.port("edge"), "/orders", CALLERS, world.authority.certificatePem);
      await load.answered(100);
      assert.deepEqual([...load.counts.keys()], ["200"]);

      await replace(policy, DENY);
      serving.signal("SIGHUP");
      await logs('"msg":"reloaded"');
      assert.equal(await status(), 403, "decisions come from the new policy");
      await load.answered(100);

      await replace(policy, "package envoy.authz\nallow if {\n");
      serving.signal("SIGHUP");
      await logs("reload failed");
      assert.match(serving.log(), /reload\.rego:\d+/, "the error names file and line");
      assert.equal(await status(), 403, "the policy in force stays");
      await load.answered(100);

      await load.stop();
      assert.deepEqual([...load.counts.keys()].sort(), ["200", "403"], JSON.stringify([...load.counts]));
      assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.error"), 0);
      await envoy.stop();
      await serving.kill();
    });
  });
}
