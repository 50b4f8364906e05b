// The whole product as it runs beside SPIRE: server and agent, `svidgate serve` with bundles and its own SVID from the agent, an Envoy
// with its own from the same agent that asks over mTLS, a service behind it, and workloads that call.

import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { packageRoot } from "../../src/base/package-root.ts";
import type { Envoy } from "../../src/cli/demo/envoy-process.ts";
import { type Answer, callOverMtls, type HttpRequest } from "../../src/cli/demo/mtls-client.ts";
import { startUpstream } from "../../src/cli/demo/upstream.ts";
import { findLine } from "./envoy.ts";
import { type MtlsConnection, openMtlsConnection } from "./mtls-connection.ts";
import { type Serving, startServe } from "./serve.ts";
import { type FetchedSvid, type Spire, startSpire } from "./spire.ts";
import { type SpireEnvoyListener, startSpireEnvoy } from "./spire-envoy.ts";

/** Paths of the workloads. */
export const ENVOY = "/ns/edge/sa/envoy";
export const SVIDGATE = "/ns/authz/sa/svidgate";
/** May call `/orders`. */
export const CHECKOUT = "/ns/shop/sa/checkout";
/** May not. */
export const REPORTS = "/ns/shop/sa/reports";

export const AUDIENCE = "spiffe://example.org/ns/authz/sa/svidgate";
export const idOf = (path: string): string => `spiffe://example.org${path}`;

const POLICY = `package envoy.authz

import data.svidgate.spiffe.identity

default allow := false

allow if {
	input.identity.verified_by == "pdp"
	identity.in("example.org", ["ns", "shop", "sa", "checkout"])
	input.parsed_path[0] == "orders"
}
`;

/** `GET /status`, as far as it is looked at. */
export interface Status {
  readonly listener: {
    readonly connections: number;
    readonly connections_accepted: number;
    readonly connections_refused: Readonly<Record<string, number>>;
    readonly tls: {
      readonly certificate: { readonly spiffe_id: string; readonly sha256: string; readonly not_after: string };
    };
  };
  readonly identity: {
    readonly state_epoch: number;
    readonly trust_domains: readonly {
      readonly trust_domain: string;
      readonly state: string;
      readonly source: string;
      readonly age_seconds: number;
      readonly x509_authorities: number;
      readonly jwt_authorities: number;
    }[];
    readonly workload_api: {
      readonly own_svid: { readonly not_after: string };
      readonly streams: readonly { readonly stream: string; readonly state: string; readonly problem: string | null }[];
    };
    readonly deny_list: { readonly entries: number };
  };
}

export type AuditEvent = Readonly<Record<string, unknown>>;

/** Requests one after the other, each on a connection of its own and with the newest SVID. */
export interface Trickle {
  /** Ends it; gives what came back. */
  stop(): Promise<readonly Answer[]>;
}

export interface SpireWorld {
  readonly spire: Spire;
  readonly envoy: Envoy;
  status(): Promise<Status>;
  /** Asks until it is so. The test's own time limit ends a wait that is in vain. */
  until(isSo: (status: Status) => boolean): Promise<Status>;
  /** One request with this SVID; without one, and with a token, at the listener for tokens. */
  ask(svid: FetchedSvid | undefined, request?: Partial<HttpRequest>): Promise<Answer>;
  /** A connection that stays open. */
  connect(svid: FetchedSvid): MtlsConnection;
  /** Calls `/orders` as `CHECKOUT` all the time, from now on; the agent must be there at the start, and may go later. */
  trickle(): Promise<Trickle>;
  /** The event of a request, by its `x-request-id`. */
  audited(answer: Answer): Promise<AuditEvent>;
  /** Envoy's access log line of a request. */
  logged(answer: Answer): Promise<AuditEvent>;
  /** Replaces the deny list by a rename. */
  deny(entries: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

/** Lives of the SVIDs, seconds; an hour where none is given. */
export interface SpireWorldOptions {
  readonly binary: string;
  readonly svidgateTtlSeconds?: number;
  readonly checkoutTtlSeconds?: number;
}

/** Starts everything; some three seconds. */
export async function startSpireWorld(options: SpireWorldOptions): Promise<SpireWorld> {
  const undos: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
  };
  try {
    return await start(options, undos, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  { binary, svidgateTtlSeconds, checkoutTtlSeconds }: SpireWorldOptions,
  undos: (() => Promise<void> | void)[],
  close: () => Promise<void>,
): Promise<SpireWorld> {
  const folder = await mkdtemp(join(tmpdir(), "svidgate-spire-"));
  undos.push(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  const spire = await startSpire();
  undos.push(() => spire.close());
  const life = (seconds: number | undefined): object => (seconds === undefined ? {} : { x509TtlSeconds: seconds });
  // Envoy's first: an agent that knows nothing of it when it asks for secrets lets it wait for long.
  await spire.createEntry({ path: ENVOY, program: binary });
  await spire.createEntry({ path: SVIDGATE, program: process.execPath, ...life(svidgateTtlSeconds) });
  await spire.createEntry({ path: REPORTS, program: spire.agentProgram });
  await spire.createEntry({ path: CHECKOUT, program: spire.agentProgram, ...life(checkoutTtlSeconds) });
  await spire.fetchX509Svid(CHECKOUT);

  const deny = async (entries: readonly object[]): Promise<void> => {
    await writeFile(file("deny.new"), JSON.stringify({ entries }));
    await rename(file("deny.new"), file("deny.json"));
  };
  await deny([]);
  await writeFile(file("policy.rego"), POLICY);
  const config = {
    policy: { paths: [file("policy.rego"), join(packageRoot(), "policies/lib")] },
    listen: "127.0.0.1:0",
    admin: "127.0.0.1:0",
    audit: { sink: `file:${file("audit.jsonl")}` },
    tls: { source: "workload_api", client_spiffe_ids: [idOf(ENVOY)] },
    identity: {
      workload_api: spire.socket,
      jwt_svid: { audiences: [AUDIENCE], forward: "strip" },
      xfcc: { enabled: true },
      deny_list: file("deny.json"),
    },
  };
  await writeFile(file("svidgate.yaml"), JSON.stringify({ svidgate: config }));
  const serving: Serving = await startServe(["--config", file("svidgate.yaml")]);
  undos.push(() => serving.kill());
  const upstream = await startUpstream();
  undos.push(() => upstream.close());
  const parts = {
    agentSocket: spire.socketPath,
    svidgate: serving.address,
    svidgateId: idOf(SVIDGATE),
    servicePort: upstream.port,
  };
  const envoy = await startSpireEnvoy(binary, folder, parts, (stop) => void undos.push(stop));

  const status = async (): Promise<Status> =>
    (await (await fetch(`http://${serving.adminAddress}/status`)).json()) as Status;
  const target = (listener: SpireEnvoyListener, bundlePem: string, certificate: FetchedSvid | undefined) => ({
    ...{ port: envoy.port(listener), serverId: idOf(ENVOY) },
    ...{ bundlePem, certificate },
  });
  const ask = async (svid: FetchedSvid | undefined, request: Partial<HttpRequest> = {}): Promise<Answer> => {
    const bundlePem = svid?.bundlePem ?? (await spire.fetchX509Svid(CHECKOUT)).bundlePem;
    const listener = svid === undefined ? "tokens" : "inbound";
    return callOverMtls(target(listener, bundlePem, svid), { method: "GET", path: "/orders/1", ...request });
  };
  const find = (read: () => Promise<string>, answer: Answer): Promise<AuditEvent> => {
    if (!answer.ok) throw new Error(`there was no answer: ${answer.why}`);
    return findLine(read, answer.headers["x-request-id"]);
  };
  return {
    spire,
    envoy,
    status,
    until: async (isSo) => {
      for (;;) {
        const found = await status();
        if (isSo(found)) return found;
        await delay(POLL_MS);
      }
    },
    ask,
    connect: (svid) => openMtlsConnection(target("inbound", svid.bundlePem, svid)),
    trickle: async () => {
      const trickle = await startTrickle(spire, ask);
      // For a test that failed before it was stopped.
      undos.push(async () => void (await trickle.stop()));
      return trickle;
    },
    audited: (answer) => find(() => readFile(file("audit.jsonl"), "utf8"), answer),
    logged: (answer) => find(() => envoy.output(), answer),
    deny,
    close,
  };
}

const POLL_MS = 25;
/** Of an SVID that was fetched: short enough to be of the newest authority when that changes. */
const FRESH_MS = 300;

async function startTrickle(spire: Spire, ask: SpireWorld["ask"]): Promise<Trickle> {
  let stopped = false;
  let svid = await spire.fetchX509Svid(CHECKOUT);
  const answers: Answer[] = [];
  const run = async (): Promise<void> => {
    let fetchedMs = performance.now();
    while (!stopped) {
      // While the agent is away, a workload goes on with what it has.
      if (performance.now() - fetchedMs > FRESH_MS) {
        svid = await spire.fetchX509Svid(CHECKOUT).catch(() => svid);
        fetchedMs = performance.now();
      }
      answers.push(await ask(svid));
      await delay(POLL_MS);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped = true;
      await running;
      return answers;
    },
  };
}
