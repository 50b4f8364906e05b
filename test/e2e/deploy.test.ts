// The deployment files with the real programs: Envoy takes its configuration and exports the metrics that alerts and dashboard
// name, promtool checks and tests the alerts.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { packageRoot } from "../../src/base/package-root.ts";
import type { EnvoyConfig } from "../../src/cli/demo/envoy-config.ts";
import { startEnvoy } from "../../src/cli/demo/envoy-process.ts";
import { startUpstream } from "../../src/cli/demo/upstream.ts";
import { envoysToTest, withChanges } from "../support/envoy.ts";
import { startServing } from "../support/serve-process.ts";

const run = promisify(execFile);
const file = (path: string): string => join(packageRoot(), path);
const read = (path: string): Promise<string> => readFile(file(path), "utf8");

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`deploy/compose/envoy.yaml with ${name}`, { skip }, () => {
    it("is valid", async () => {
      await run(binary, ["--mode", "validate", "-c", file("deploy/compose/envoy.yaml"), "--disable-hot-restart"]);
    });

    it("asks svidgate with its policy, and exports every Envoy metric that alerts and dashboard name", async () => {
      const folder = await mkdtemp(join(tmpdir(), "svidgate-deploy-"));
      const undos: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
      after(async () => {
        for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
      });
      const upstream = await startUpstream();
      undos.push(() => upstream.close());
      const socket = join(folder, "ext_authz.sock");
      const policy = file("deploy/compose/policy");
      const serving = await startServing(["--policy", policy, "--listen", `unix:${socket}`, "--audit", "none"]);
      undos.push(() => serving.stop());
      // Ports of this machine's choice, and addresses of this test.
      const [httpPort, statisticsPort, adminPort] = await freePorts(3);
      let text = await read("deploy/compose/envoy.yaml");
      for (const [from, to] of [
        ["port_value: 10000", `port_value: ${httpPort}`],
        ["port_value: 9902", `port_value: ${statisticsPort}`],
        ["port_value: 9901", `port_value: ${adminPort}`],
        ["port_value: 8080", `port_value: ${upstream.port}`],
        ["address: upstream", "address: 127.0.0.1"],
        ["0.0.0.0", "127.0.0.1"],
        ["/run/svidgate/ext_authz.sock", socket],
      ] as const) {
        assert.ok(text.includes(from), from);
        text = text.replaceAll(from, to);
      }
      const filters = [
        "static_resources",
        "listeners",
        0,
        "filter_chains",
        0,
        "filters",
        0,
        "typed_config",
        "http_filters",
      ];
      const config = withChanges(parse(text) as EnvoyConfig, [...filters, 0, "typed_config", "grpc_service"], {
        timeout: "2s",
      });
      const envoy = await startEnvoy({ binary, config, folder }, (stop) => void undos.push(stop));
      const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
        fetch(`http://127.0.0.1:${envoy.port("http")}${path}`, { headers });
      assert.equal((await get("/public/hello")).status, 200);
      const denied = await get("/orders");
      assert.deepEqual(
        [denied.status, await denied.text()],
        [403, "only GET /public/… is open to everyone; /orders wants `x-team: shop`\n"],
      );
      assert.equal((await get("/orders", { "x-team": "shop" })).status, 200);

      const exposition = await (await fetch(`http://127.0.0.1:${envoy.port("statistics")}/stats/prometheus`)).text();
      assert.equal(
        (await fetch(`http://127.0.0.1:${envoy.port("statistics")}/quitquitquit`, { method: "POST" })).status,
        404,
      );
      const monitoring = (await read("deploy/prometheus/alerts.yaml")) + (await read("deploy/grafana/svidgate.json"));
      const named = new Set([...monitoring.matchAll(/envoy_http_ext_authz_[a-z_]+/g)].map(([metric]) => metric));
      assert.equal(named.size, 4);
      for (const metric of named) {
        const line = exposition.split("\n").find((candidate) => candidate.startsWith(`${metric}{`));
        assert.match(line ?? metric, /\{.*envoy_ext_authz_prefix="svidgate".*\} \d/);
      }
      assert.match(exposition, /^envoy_http_ext_authz_ok\{.*\} 2$/m);
      assert.match(exposition, /^envoy_http_ext_authz_denied\{.*\} 1$/m);
    });
  });
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

const promtool = process.env["PROMTOOL"] || "promtool";
const missing = await run(promtool, ["--version"]).then(
  () => false as const,
  () => "promtool is not there: install Debian's package `prometheus`, or set PROMTOOL",
);
describe("promtool", { skip: missing }, () => {
  it("accepts the alerts", async () => {
    const { stdout } = await run(promtool, ["check", "rules", file("deploy/prometheus/alerts.yaml")]);
    assert.match(stdout, /SUCCESS: \d+ rules found/);
  });

  it("sees each of them fire when it should, and stay silent when it should not", async () => {
    const { stdout } = await run(promtool, ["test", "rules", file("deploy/prometheus/alerts_test.yaml")]);
    assert.match(stdout, /SUCCESS/);
  });

  it("accepts the Prometheus configuration of the compose file", async () => {
    await run(promtool, ["check", "config", "--syntax-only", file("deploy/compose/prometheus.yaml")]);
  });
});
