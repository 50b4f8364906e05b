// Real Envoys for end-to-end tests: which ones there are, the shipped configurations before a test's upstream, and requests
// through them.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { packageRoot } from "../../src/base/package-root.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { type EnvoyConfig, type JsonValue, readShippedConfig } from "../../src/cli/demo/envoy-config.ts";
import { type Envoy, startEnvoy } from "../../src/cli/demo/envoy-process.ts";
import { findEnvoy } from "../../src/cli/demo/find-envoy.ts";
import { type Answer, callOverMtls, type HttpRequest } from "../../src/cli/demo/mtls-client.ts";
import { startUpstream, type Upstream } from "../../src/cli/demo/upstream.ts";
import { createTestAuthority, type TestAuthority } from "./ca.ts";

/** An Envoy to test with, or why there is none. */
export interface TestedEnvoy {
  readonly name: string;
  readonly binary: string;
  /** Value for node:test's `skip`. */
  readonly skip: string | false;
}

/** The newest Envoy (`ENVOY`, the PATH, `.cache/envoy`) and, as `ENVOY_OLD`, one a minor version older. */
export async function envoysToTest(): Promise<readonly TestedEnvoy[]> {
  const found = await findEnvoy({
    named: process.env["ENVOY"] || undefined,
    env: process.env,
    cacheFolder: join(packageRoot(), ".cache"),
    offline: true,
    say: () => undefined,
    onStarted: () => undefined,
  });
  const newest: TestedEnvoy = found.ok
    ? { name: `Envoy ${found.version}`, binary: found.binary, skip: false }
    : { name: "Envoy", binary: "", skip: `${found.why}; set ENVOY, or run \`npm run demo\` once` };
  const named = process.env["ENVOY_OLD"] || undefined;
  if (named === undefined) return [newest];
  const older = await findEnvoy({
    named,
    env: process.env,
    cacheFolder: "",
    offline: true,
    say: () => undefined,
    onStarted: () => undefined,
  });
  return older.ok
    ? [newest, { name: `Envoy ${older.version}`, binary: older.binary, skip: false }]
    : [newest, { name: "older Envoy", binary: "", skip: older.why }];
}

export const SERVER_ID = "spiffe://example.org/ns/shop/sa/orders";

/** A test's world: a folder, an authority, a service, and later an Envoy before it. */
export interface World {
  readonly folder: string;
  readonly authority: TestAuthority;
  readonly upstream: Upstream;
  file(name: string, content: string): Promise<string>;
  /**
   * A shipped configuration for this world; `svidgate` is where checks go. A check may take 2 s unless told otherwise, so
   * that a busy machine fails no test that is about something else.
   */
  config(name: "sidecar" | "ingress", svidgate: string, checkTimeout?: string): Promise<EnvoyConfig>;
  startEnvoy(binary: string, config: EnvoyConfig): Promise<Envoy>;
  /** One request to Envoy over TLS. */
  call(envoy: Envoy, request: Partial<HttpRequest>, certificate?: IssuedCertificate): Promise<Answer>;
  onClose(undo: () => Promise<void> | void): void;
  close(): Promise<void>;
}

/** Where the ext_authz filter's options are, in both configurations. */
export const EXT_AUTHZ: readonly (string | number)[] = [
  ...["static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config"],
  ...["http_filters", 0, "typed_config"],
];

const LISTENER = { sidecar: "inbound", ingress: "edge" } as const;

export async function createWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "svidgate-e2e-"));
  const undos: (() => Promise<void> | void)[] = [() => rm(folder, { recursive: true, force: true })];
  const [authority, upstream] = await Promise.all([createTestAuthority(), startUpstream()]);
  undos.push(() => upstream.close());
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const server = await authority.svid("/ns/shop/sa/orders");
  const [certificate, key, bundle] = await Promise.all([
    file("server.pem", server.certificatePem),
    file("server_key.pem", server.privateKeyPem),
    file("bundle.pem", authority.certificatePem),
  ]);
  let listener: string = LISTENER.ingress;
  let envoys = 0;
  return {
    folder,
    authority,
    upstream,
    file,
    config: async (name, svidgate, checkTimeout = "2s") => {
      listener = LISTENER[name];
      const timed = (config: EnvoyConfig): EnvoyConfig =>
        withChanges(config, [...EXT_AUTHZ, "grpc_service"], { timeout: checkTimeout });
      const common = { "0.0.0.0": "127.0.0.1" };
      if (name === "sidecar") {
        const sidecar = await readShippedConfig("sidecar", {
          ports: { 15006: 0, 15000: 0, 8080: upstream.port },
          texts: {
            ...common,
            "/run/svidgate/ext_authz.sock": svidgate.replace(/^unix:/, ""),
            "/etc/svidgate/tls/svid.pem": certificate,
            "/etc/svidgate/tls/svid_key.pem": key,
            "/etc/svidgate/tls/bundle.pem": bundle,
          },
        });
        return timed(sidecar);
      }
      const ingress = await readShippedConfig("ingress", {
        ports: { 8443: 0, 9901: 0, 8080: upstream.port, 9191: portOf(svidgate) },
        texts: {
          ...common,
          "/etc/svidgate/tls/server.pem": certificate,
          "/etc/svidgate/tls/server_key.pem": key,
          "/etc/svidgate/tls/clients.pem": bundle,
        },
      });
      return timed(ingress);
    },
    startEnvoy: async (binary, config) => {
      const own = join(folder, `envoy-${envoys++}`);
      await mkdir(own);
      return startEnvoy({ binary, config, folder: own }, (stop) => void undos.push(stop));
    },
    call: (envoy, request, ofCaller) =>
      callOverMtls(
        {
          port: envoy.port(listener),
          bundlePem: authority.certificatePem,
          serverId: SERVER_ID,
          certificate: ofCaller,
        },
        { method: "GET", path: "/", ...request },
      ),
    onClose: (undo) => void undos.push(undo),
    close: async () => {
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
    },
  };
}

/** The port of `host:port`. */
export const portOf = (address: string): number => Number(/:(\d+)$/.exec(address)?.[1]);

/** A copy of `value` in which the object at `path` has `changes`. */
export function withChanges<T extends JsonValue>(
  value: T,
  path: readonly (string | number)[],
  changes: Readonly<Record<string, JsonValue>>,
): T {
  const copy = structuredClone(value);
  let at: unknown = copy;
  for (const step of path) at = (at as Record<string | number, unknown>)[step];
  if (typeof at !== "object" || at === null) throw new Error(`no object at ${path.join(".")}`);
  Object.assign(at, changes);
  return copy;
}

/** The access log's entry, or the audit event, of one request; both come a moment after the answer. */
export async function findLine(
  read: () => Promise<string>,
  requestId: string | string[] | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const text = await read().catch(() => "");
    const line = text
      .split("\n")
      .find((candidate) => candidate.startsWith("{") && candidate.includes(`"${String(requestId)}"`));
    if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
    if (performance.now() > deadlineMs)
      throw new Error(`no line of request ${String(requestId)}\n${text.slice(-2000)}`);
    await delay(10);
  }
}

/** The lines of an audit file. */
export const readAudit = (world: World): Promise<string> => readFile(join(world.folder, "audit.jsonl"), "utf8");
