// What a soak runs against: a real `svidgate serve` with a policy that is replaced, an audit file that is rotated, and the checks that
// ordinary peers ask with the answers that are right under every revision of that policy.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/base/package-root.ts";
import { createAuthority } from "../../src/base/x509.ts";
import { encodeCheckRequest } from "../../test/support/check-messages.ts";
import { toBenchRequest, toGrpcMessage } from "../check-request.ts";
import type { OrdinaryCheck } from "./ordinary.ts";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const START_MS = 30_000;
const STOP_MS = 20_000;
const DAY_MS = 86_400_000;

export interface SoakOptions {
  readonly listener: string;
  readonly tls: boolean;
  /** More words for `svidgate serve`. */
  readonly flags: readonly string[];
  /** Pins the server to a core; undefined where nothing is pinned. */
  readonly core: number | undefined;
}

export interface SoakServer {
  readonly pid: number;
  readonly port: number;
  /** A file with the authority's certificate; undefined for plaintext. */
  readonly caFile: string | undefined;
  /** The metrics now: full name with labels, and value. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Replaces the policy, rotates the audit file, and says so (SIGHUP). */
  reload(): void;
  /** What it logged. */
  log(): string;
  /** Ends it as an operator would; gives its exit code. */
  stop(): Promise<number | null>;
}

const basic = (user: string): string => `Basic ${Buffer.from(`${user}:password`).toString("base64")}`;

/** Allowed by the role, denied by the role, denied for want of credentials, and a message that says nothing. */
export function ordinaryChecks(): readonly OrdinaryCheck[] {
  const post = (authorization: string) =>
    encodeCheckRequest({
      attributes: { request: { http: { method: "POST", path: "/people", headers: { authorization } } } },
    });
  const checks: readonly (readonly [Uint8Array, OrdinaryCheck["expected"]])[] = [
    [toBenchRequest(), "allowed"],
    [toBenchRequest({ authorization: basic("admin") }), "allowed"],
    [toBenchRequest({ authorization: basic("stranger") }), "denied"],
    [toBenchRequest(), "allowed"],
    [post(basic("admin")), "allowed"],
    [post(basic("guest")), "denied"],
  ];
  return checks.map(([bytes, expected]) => ({ message: toGrpcMessage(bytes), expected }));
}

/** Starts it in `folder`, and waits until it serves. */
export async function startSoakServer(folder: string, options: SoakOptions): Promise<SoakServer> {
  const inFolder = (name: string): string => join(folder, name);
  const rego = readFileSync(join(packageRoot(), "bench", "rbac.rego"), "utf8");
  let revision = 0;
  const writePolicy = (): void => {
    // Moved into place, as deployments do it; the rule that is added decides nothing.
    writeFileSync(inFolder("policy.new"), `${rego}\nrevision := ${revision++}\n`);
    renameSync(inFolder("policy.new"), inFolder("policy.rego"));
  };
  writePolicy();
  const tls = options.tls ? await writeCertificates(inFolder) : [];
  const words = [
    ...[MAIN, "serve", "--policy", inFolder("policy.rego"), "--audit", `file:${inFolder("audit.jsonl")}`],
    ...["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--listener", options.listener],
    ...["--set", "svidgate.drain.lame_duck=0", ...tls, ...options.flags],
  ];
  const pin = options.core === undefined ? [] : ["taskset", "-c", String(options.core)];
  const [command = "", ...args] = [...pin, process.execPath, ...words];
  const stderr = openSync(inFolder("stderr"), "w");
  const child = spawn(command, args, { env: {}, stdio: ["ignore", "ignore", stderr] });
  closeSync(stderr);
  // A soak that fails must not leave its server running.
  process.once("exit", () => void child.kill("SIGKILL"));
  const log = (): string => readFileSync(inFolder("stderr"), "utf8");
  const { address, admin } = await whenServing(child, log);
  return {
    pid: child.pid ?? 0,
    port: Number(/:(\d+)$/.exec(address)?.[1]),
    caFile: options.tls ? inFolder("ca.pem") : undefined,
    metrics: async () => parseMetrics(await (await fetch(`http://${admin}/metrics`)).text()),
    reload: () => {
      writePolicy();
      // The former file is gone with its last line: an hour at full speed would fill a disk.
      rmSync(inFolder("audit.jsonl.1"), { force: true });
      renameSync(inFolder("audit.jsonl"), inFolder("audit.jsonl.1"));
      child.kill("SIGHUP");
    },
    log,
    stop: async () => {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      if (child.exitCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      clearTimeout(timer);
      return child.exitCode;
    },
  };
}

async function whenServing(child: ChildProcess, log: () => string): Promise<{ address: string; admin: string }> {
  const untilMs = performance.now() + START_MS;
  while (child.exitCode === null && performance.now() < untilMs) {
    const line = log()
      .split("\n")
      .find((text) => text.includes('"msg":"serving"') && text.endsWith("}"));
    if (line !== undefined) return JSON.parse(line) as { address: string; admin: string };
    await delay(10);
  }
  throw new Error(`svidgate does not serve: ${log().slice(-4000)}`);
}

async function writeCertificates(inFolder: (name: string) => string): Promise<readonly string[]> {
  const dates = { notBeforeUnixMs: Date.now() - DAY_MS, notAfterUnixMs: Date.now() + DAY_MS };
  const authority = await createAuthority({ uri: "spiffe://example.org", ...dates });
  const server = await authority.issue({ uris: ["spiffe://example.org/svidgate"], ...dates });
  writeFileSync(inFolder("ca.pem"), authority.certificatePem);
  writeFileSync(inFolder("cert.pem"), server.certificatePem);
  writeFileSync(inFolder("key.pem"), server.privateKeyPem, { mode: 0o600 });
  return ["--tls-certificate", inFolder("cert.pem"), "--tls-private-key", inFolder("key.pem")];
}

/** Prometheus' text format, as far as svidgate writes it. */
export function parseMetrics(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf(" ");
    if (at > 0 && !line.startsWith("#")) values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}
