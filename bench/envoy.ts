// What a real Envoy with one worker gives before each authorizer: nobody asked, one that does nothing, and the real decision.
// `npm run bench:envoy -- [--rounds N] [--seconds N]`; ENVOY names the binary, OPA_ENVOY_PLUGIN the peer's. The authorizer has core 0
// for itself, as in a machine of its own; Envoy shares core 1 with the load (h2load, 3 to 5 µs a request), so Envoy is the limit as long
// as the authorizer takes less of its core a request than Envoy and load of theirs: CPU times are printed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packageRoot, packageVersion } from "../src/base/package-root.ts";
import { toEnvoyConfig } from "./envoy-config.ts";
import { runLoad } from "./load.ts";
import { median, spread, table } from "./measure.ts";
import { type BenchCommand, opaEnvoyPlugin, startServer, svidgate } from "./servers.ts";

const NO_OP = fileURLToPath(new URL("./listener-server.js", import.meta.url));
const FIRST_PORT = 19_351;
const ENVOY_PORT = 19_350;
const ENVOY_CORE = 1;
const SERVER_CORE = 0;
const WARM_UP = 10_000;
const LOAD = {
  core: ENVOY_CORE,
  connections: 8,
  streams: 32,
  path: "/people/1?limit=20&order=name",
  headers: [
    `authorization: Basic ${Buffer.from("guest:password").toString("base64")}`,
    "accept: application/json",
    "accept-encoding: gzip, deflate, br",
    "user-agent: shop-web/2.14 (linux; amd64)",
    "x-forwarded-for: 10.1.2.3",
  ],
};

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});

interface Round {
  readonly requestsPerSecond: number;
  /** Microseconds of CPU a request. */
  readonly envoyUs: number;
  readonly authorizerUs: number;
}

const noOp = (kind: string, port: number): BenchCommand => ({
  name: `no-op on ${kind}`,
  command: process.execPath,
  args: [NO_OP, kind, String(port)],
  port,
  core: SERVER_CORE,
});

async function measure(envoy: string, authorizer: BenchCommand | undefined, folder: string): Promise<Round> {
  const config = join(folder, "envoy.json");
  writeFileSync(config, JSON.stringify(toEnvoyConfig(ENVOY_PORT, authorizer?.port)));
  const server = authorizer === undefined ? undefined : await startServer(authorizer);
  try {
    const words = ["-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const proxy = await startServer({ name: "Envoy", command: envoy, args: words, port: ENVOY_PORT, core: ENVOY_CORE });
    try {
      const load = { ...LOAD, port: ENVOY_PORT };
      const warm = runLoad({ ...load, requests: WARM_UP });
      const requests = Math.ceil(warm.checksPerSecond * Number(values.seconds));
      const [proxyMs, serverMs] = [proxy.cpuMs(), server?.cpuMs() ?? 0];
      const figures = runLoad({ ...load, requests });
      if (figures.ok !== requests)
        throw new Error(`${authorizer?.name}: ${figures.ok} of ${requests} were answered 200`);
      return {
        requestsPerSecond: figures.checksPerSecond,
        envoyUs: ((proxy.cpuMs() - proxyMs) * 1000) / requests,
        authorizerUs: (((server?.cpuMs() ?? 0) - serverMs) * 1000) / requests,
      };
    } finally {
      await proxy.stop();
    }
  } finally {
    await server?.stop();
  }
}

async function main(folder: string): Promise<void> {
  const envoy = process.env["ENVOY"];
  if (envoy === undefined) throw new Error("set ENVOY to the binary of an Envoy");
  const policy = join(packageRoot(), "bench", "rbac.rego");
  const audit = `file:${join(folder, "audit.jsonl")}`;
  const plugin = process.env["OPA_ENVOY_PLUGIN"];
  const all: readonly (readonly [string, BenchCommand | undefined])[] = [
    ["nobody asked", undefined],
    ["does nothing, line-rate", noOp("line-rate", FIRST_PORT)],
    ["does nothing, grpc-js", noOp("grpc-js", FIRST_PORT + 1)],
    ["decides, line-rate, no audit", svidgate(policy, "none", FIRST_PORT + 2, SERVER_CORE, "line-rate")],
    ["decides, line-rate, audit to a file", svidgate(policy, audit, FIRST_PORT + 3, SERVER_CORE, "line-rate")],
    ["decides, grpc-js, audit to a file", svidgate(policy, audit, FIRST_PORT + 4, SERVER_CORE, "grpc-js")],
    ...(plugin === undefined
      ? []
      : ([
          ["opa-envoy-plugin, no decision log", opaEnvoyPlugin(plugin, policy, false, FIRST_PORT + 5, SERVER_CORE)],
          ["opa-envoy-plugin, decision log", opaEnvoyPlugin(plugin, policy, true, FIRST_PORT + 6, SERVER_CORE)],
        ] as const)),
  ];
  const cases = all.filter(([name]) => name.includes(values.only ?? ""));
  const results = cases.map((): Round[] => []);
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const [index, [name, authorizer]] of cases.entries()) {
      const figures = await measure(envoy, authorizer, folder);
      results[index]?.push(figures);
      process.stderr.write(`round ${round}/${values.rounds}: ${name}: ${Math.round(figures.requestsPerSecond)}/s\n`);
    }
  }
  process.stdout.write(
    `svidgate ${packageVersion()}, Node ${process.versions.node}, ${cpus()[0]?.model ?? "unknown"}, ${LOAD.connections} connections with ${LOAD.streams} in flight each\n\n`,
  );
  const rates = results.map((rounds) => rounds.map(({ requestsPerSecond }) => requestsPerSecond));
  const noOpRate = median(rates[cases.findIndex(([name]) => name === "does nothing, line-rate")] ?? []);
  process.stdout.write(
    table(
      [
        "behind Envoy, one worker",
        "requests/s",
        "of the no-op on line-rate",
        "CPU of Envoy, µs",
        "CPU of the authorizer, µs",
      ],
      cases.map(([name], index) => [
        name,
        spread(rates[index] ?? [], 0),
        `${((100 * median(rates[index] ?? [])) / noOpRate).toFixed(0)} %`,
        median((results[index] ?? []).map(({ envoyUs }) => envoyUs)).toFixed(1),
        median((results[index] ?? []).map(({ authorizerUs }) => authorizerUs)).toFixed(1),
      ]),
    ),
  );
}

const folder = mkdtempSync(join(tmpdir(), "svidgate-bench-"));
try {
  await main(folder);
} finally {
  rmSync(folder, { recursive: true });
}
