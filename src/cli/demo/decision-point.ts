// The demo's svidgate: in this process, on a unix socket in the demo's folder, with a policy and a deny list that can be exchanged
// while it runs, and its own word (audit events, counters) for what it decided. It verifies callers against the demo's bundle.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type App, startApp } from "../../app.ts";
import { systemClock } from "../../base/clock.ts";
import { packageRoot } from "../../base/package-root.ts";
import { loadConfig } from "../../config/load.ts";
import { resolveSettings } from "../../config/settings.ts";
import { writeBundle } from "../../policy/bundle.ts";
import { compileSource } from "../../policy/load.ts";
import { toManifestText } from "../../policy/manifest.ts";
import { readPolicySource } from "../../policy/source.ts";
import { createLog } from "../../telemetry/log.ts";
import { AUDIENCE, TRUST_DOMAIN } from "./callers.ts";
import type { Workplace } from "./workplace.ts";

/** What an audit event says about one decision. */
export interface AuditedDecision {
  readonly outcome: string;
  readonly reason: string;
  readonly totalUs: number;
  /** The event as it was written. */
  readonly line: string;
}

/** svidgate's decisions by outcome, from its `/metrics`. */
export type DecisionCounts = Readonly<Record<"allow" | "deny" | "error", number>>;

/** The demo's svidgate. */
export interface DecisionPoint {
  readonly socketPath: string;
  /** Puts another policy in force without a restart. */
  activate(policy: string): Promise<void>;
  /** Writes a deny list that names this SPIFFE ID; resolves when svidgate says that it is in force. */
  revoke(spiffeId: string): Promise<void>;
  counts(): Promise<DecisionCounts>;
  stop(): Promise<void>;
  /** Decisions by `x-request-id`; complete after `stop`. */
  audited(): Promise<ReadonlyMap<string, AuditedDecision>>;
}

/** Something of ours did not work: a policy that does not compile, an address that cannot be listened on. */
export class DemoFault extends Error {
  override readonly name = "DemoFault";
}

/** Compiles `policies/<name>` and what it imports of the library into a bundle, as `svidgate build` does. */
export async function buildPolicy(name: string): Promise<Uint8Array> {
  const folders = ["lib", name].map((folder) => join(packageRoot(), "policies", folder));
  const read = await readPolicySource(folders, []);
  if (!read.ok) throw new DemoFault(read.problems.join("\n"));
  const result = await compileSource(read.source, {
    entrypoints: ["envoy/authz/allow"],
    regoVersion: "v1",
    natives: "guarded",
  });
  if (!result.ok) throw new DemoFault(result.problems.join("\n"));
  const { wasm, plan } = result.compiled;
  const { data, modules } = read.source;
  return writeBundle({ manifest: toManifestText(result.compiled, name, true), data, modules, wasm, plan });
}

/** What the demo's svidgate decides and verifies by. */
export interface DecisionPointParts {
  /** Bundles by name; the first one is in force at the start. */
  readonly policies: ReadonlyMap<string, Uint8Array>;
  /** The trust domain's SPIFFE bundle document. */
  readonly bundleDocument: string;
}

/** Starts svidgate. */
export async function startDecisionPoint(
  workplace: Workplace,
  { policies, bundleDocument }: DecisionPointParts,
): Promise<DecisionPoint> {
  const bundleFile = workplace.file("policy.tar.gz");
  const auditFile = workplace.file("audit.jsonl");
  const socketPath = workplace.file("ext_authz.sock");
  const denyListFile = workplace.file("deny.json");
  const trustBundleFile = workplace.file("bundle.json");
  const configFile = workplace.file("svidgate.yaml");
  const replace = async (file: string, content: string | Uint8Array): Promise<void> => {
    await writeFile(`${file}.new`, content);
    await rename(`${file}.new`, file);
  };
  const install = async (name: string): Promise<void> => {
    const bytes = policies.get(name);
    if (bytes === undefined) throw new DemoFault(`no policy \`${name}\` was built`);
    await replace(bundleFile, bytes);
  };
  const config = toConfig({ bundleFile, auditFile, socketPath, denyListFile, trustBundleFile });
  await Promise.all([
    install([...policies.keys()][0] ?? ""),
    writeFile(trustBundleFile, bundleDocument),
    writeFile(denyListFile, toDenyList([])),
    writeFile(configFile, config),
  ]);
  const app = await start(configFile);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= app.close();
    return stopped;
  };
  workplace.onClose(stop);
  return {
    socketPath,
    activate: async (name) => {
      if (app.policy.revision === name) return;
      await install(name);
      const problems = await app.reload();
      if (problems.length > 0) throw new DemoFault(problems.join("\n"));
    },
    revoke: async (spiffeId) => {
      await replace(denyListFile, toDenyList([spiffeId]));
      while ((await deniedNow(app)) === 0) await delay(2);
    },
    counts: async () => toCounts(await (await fetch(`http://${app.adminAddress}/metrics`)).text()),
    stop,
    audited: async () => toAudited(await readFile(auditFile, "utf8")),
  };
}

/** The configuration file, which `--keep` leaves for the reader. A JSON text is YAML, whatever a path holds. */
const toConfig = (
  files: Readonly<Record<"bundleFile" | "auditFile" | "socketPath" | "denyListFile" | "trustBundleFile", string>>,
): string => `svidgate:
  policy: { paths: [${JSON.stringify(files.bundleFile)}] }
  listen: ${JSON.stringify(`unix:${files.socketPath}`)}
  admin: 127.0.0.1:0
  audit: { sink: ${JSON.stringify(`file:${files.auditFile}`)} }
  identity:
    trust_domains:
      ${TRUST_DOMAIN}: { bundle: ${JSON.stringify(files.trustBundleFile)}, max_lifetime: 24h }
    jwt_svid: { audiences: [${JSON.stringify(AUDIENCE)}], forward: strip }
    deny_list: ${JSON.stringify(files.denyListFile)}
`;

const toDenyList = (spiffeIds: readonly string[]): string =>
  `${JSON.stringify({
    entries: spiffeIds.map((id) => ({ id: "DEMO-1", spiffe_id: id, reason: "revoked by the demo", expires: "never" })),
  })}\n`;

/** Entries of the deny list in force, as `GET /status` tells. */
async function deniedNow(app: App): Promise<number> {
  const status = (await (await fetch(`http://${app.adminAddress}/status`)).json()) as {
    identity: { deny_list: { entries: number } };
  };
  return status.identity.deny_list.entries;
}

async function start(configFile: string): Promise<App> {
  // The reader's own SVIDGATE_… variables are for the reader's own svidgate.
  const loaded = loadConfig({ file: configFile, flags: new Map(), set: [], env: {} });
  if (!loaded.ok) throw new DemoFault(loaded.problems.join("\n"));
  const resolved = resolveSettings(loaded.config, loaded.given);
  if (!resolved.ok) throw new DemoFault(resolved.problems.join("\n"));
  const lines: string[] = [];
  const log = createLog({ level: "warn", write: (text) => void lines.push(text), clock: systemClock });
  const started = await startApp(resolved.settings, { clock: systemClock, log });
  if (!started.ok) throw new DemoFault([...started.problems, ...lines].join("\n"));
  return started.app;
}

/** Sums `svidgate_decisions_total` of a Prometheus text by outcome. */
export function toCounts(metrics: string): DecisionCounts {
  const counts = { allow: 0, deny: 0, error: 0 };
  for (const [, labels = "", value = ""] of metrics.matchAll(/^svidgate_decisions_total\{([^}]*)\} (\d+)$/gm)) {
    const outcome = /outcome="(allow|deny|error)"/.exec(labels)?.[1] as keyof typeof counts | undefined;
    if (outcome !== undefined) counts[outcome] += Number(value);
  }
  return counts;
}

/** Reads audit lines; the last event of a request id counts. */
export function toAudited(text: string): ReadonlyMap<string, AuditedDecision> {
  const events = text
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ line, event: JSON.parse(line) as Record<string, string | number | undefined> }));
  return new Map(
    events.map(({ line, event }) => [
      String(event["request_id"] ?? ""),
      {
        outcome: String(event["outcome"]),
        reason: String(event["reason"]),
        totalUs: Number(event["total_us"]),
        line,
      },
    ]),
  );
}
