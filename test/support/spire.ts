// A real SPIRE in a folder of its own: server and agent as processes, registration entries, SVIDs for clients, rotation of the
// authorities, restarts. Tests that use it skip, with the reason, when `SPIRE_SERVER` and `SPIRE_AGENT` name no binaries.
// The agent attests callers by user and by the path of their program (unix workload attestor), so that one test can be several
// workloads: svidgate is node's path, a client of `fetchX509Svid` the agent's own, an Envoy its binary's.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { type LoggedProcess, startLoggedProcess } from "./logged-process.ts";
import { programPath } from "./program-path.ts";
import { agentConfig, serverConfig } from "./spire-config.ts";

const run = promisify(execFile);

/** Why SPIRE cannot run here; false when it can. Value for node:test's `skip`. */
export function spireMissing(): string | false {
  const missing = ["SPIRE_SERVER", "SPIRE_AGENT"].filter((name) => !process.env[name]);
  return missing.length === 0
    ? false
    : `${missing.join(" and ")} name${missing.length === 1 ? "s" : ""} no SPIRE binary`;
}

/** One registration entry. */
export interface SpireEntry {
  /** From its `/` on. */
  readonly path: string;
  /** Path of the program that is this workload; any program of this user when it is not given. */
  readonly program?: string;
  readonly x509TtlSeconds?: number;
  readonly jwtTtlSeconds?: number;
  readonly dnsNames?: readonly string[];
  readonly hint?: string;
  /** Trust domains whose bundles this workload is given too. */
  readonly federatesWith?: readonly string[];
}

/** What to start. */
export interface SpireOptions {
  /** `example.org` unless given. */
  readonly trustDomain?: string;
  /** Whether to start an agent; true unless given. Without one, SVIDs can be minted only. */
  readonly agent?: boolean;
  /** Whether the server offers its bundle over https_spiffe. */
  readonly bundleEndpoint?: boolean;
}

export type AuthorityKind = "x509" | "jwt";

/** A client's X.509-SVID, and what it was given to trust. */
export interface FetchedSvid extends IssuedCertificate {
  readonly spiffeId: string;
  readonly bundlePem: string;
}

/** SPIRE at work. */
export interface Spire {
  readonly trustDomain: string;
  readonly folder: string;
  /** `unix:///path` of the agent: Workload API and Envoy's SDS. */
  readonly socket: string;
  /** The same as a path. */
  readonly socketPath: string;
  /** `https://127.0.0.1:port` of the server's bundle endpoint; its SPIFFE ID is `spiffe://<trust domain>/spire/server`. */
  readonly bundleEndpoint: string | undefined;
  readonly server: SpireProcess;
  /** Throws when none was asked for. */
  readonly agent: SpireProcess;
  /** Gives its ID. The agent knows of it within about a second. */
  createEntry(entry: SpireEntry): Promise<string>;
  deleteEntry(id: string): Promise<void>;
  /** An SVID over the Workload API, for an entry whose program is `agentProgram` (or any); waits until the agent has it. */
  fetchX509Svid(path: string): Promise<FetchedSvid>;
  /** A JWT-SVID over the Workload API, as above. */
  fetchJwtSvid(path: string, ...audience: readonly string[]): Promise<string>;
  /** Path of the agent's binary, which is what fetches. */
  readonly agentProgram: string;
  /** An SVID that the server signs at once, without entry and agent. */
  mintX509Svid(path: string, ttlSeconds?: number): Promise<FetchedSvid>;
  mintJwtSvid(path: string, audience: string, ttlSeconds?: number): Promise<string>;
  /** IDs: the certificate's subject key identifier, or the key ID. */
  authorities(
    kind: AuthorityKind,
  ): Promise<{ readonly active: string; readonly prepared: string | undefined; readonly old: string | undefined }>;
  /** Steps of a rotation: `prepare` gives the new authority's ID, which joins the bundle; `activate` signs with it. */
  prepareAuthority(kind: AuthorityKind): Promise<string>;
  activateAuthority(kind: AuthorityKind, id: string): Promise<void>;
  /**
   * An old one is tainted (what it signed is signed anew) before it may be revoked (it leaves the bundle). Of certificates, this
   * waits, some 3 s, until the agent has signed in anew.
   */
  taintAuthority(kind: AuthorityKind, id: string): Promise<void>;
  revokeAuthority(kind: AuthorityKind, id: string): Promise<void>;
  /** The own bundle: a SPIFFE bundle document. */
  bundle(): Promise<string>;
  /** Gives the server another trust domain's bundle document. */
  setForeignBundle(trustDomain: string, document: string): Promise<void>;
  deleteForeignBundle(trustDomain: string): Promise<void>;
  /** Any other command of the server's, with its JSON output. */
  command(...words: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** One of the two processes. */
export interface SpireProcess {
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when it serves; an agent serves only once it has reached its server. */
  start(): Promise<void>;
  /** Begins to start, and does not wait. */
  launch(): void;
  /** Resolves when its log has this text since the last start, `from` this mark on. */
  logged(text: string, from?: number): Promise<void>;
  /** How far its log has come since the last start. */
  mark(): number;
}

/** Starts server and agent; about a second. */
export async function startSpire(options: SpireOptions = {}): Promise<Spire> {
  const trustDomain = options.trustDomain ?? "example.org";
  const folder = await mkdtemp(join(tmpdir(), "spire-"));
  const serverBinary = await realpath(process.env["SPIRE_SERVER"] ?? "");
  const agentBinary = await realpath(process.env["SPIRE_AGENT"] ?? "");
  const serverSocket = join(folder, "server.sock");
  const socketPath = join(folder, "agent.sock");
  const [port = 0, endpointPort = 0] = await freePorts(2);
  const bundleEndpointPort = options.bundleEndpoint === true ? endpointPort : undefined;
  await writeFile(join(folder, "server.json"), serverConfig({ folder, trustDomain, port, bundleEndpointPort }));
  await writeFile(join(folder, "agent.json"), agentConfig({ folder, trustDomain, port }));

  const serverProcess = startable(
    serverBinary,
    ["run", "-config", join(folder, "server.json")],
    "Starting Server APIs",
  );
  const agentWords = ["run", "-config", join(folder, "agent.json")];
  const agentProcess = startable(agentBinary, agentWords, "Starting agent APIs");
  const close = async (): Promise<void> => {
    await Promise.all([agentProcess.stop("SIGKILL"), serverProcess.stop("SIGKILL")]);
    await rm(folder, { recursive: true, force: true });
  };

  const command = async (...words: readonly string[]): Promise<string> =>
    (await run(serverBinary, [...words, "-socketPath", serverSocket])).stdout;
  const json = async <T>(...words: readonly string[]): Promise<T> =>
    JSON.parse(await command(...words, "-output", "json")) as T;
  const id = (path: string): string => `spiffe://${trustDomain}${path}`;
  const api = async (...words: readonly string[]): Promise<string> => {
    for (let tries = 1; ; tries++) {
      try {
        return (await run(agentBinary, ["api", ...words, "-socketPath", socketPath, "-timeout", "3s"])).stdout;
      } catch (error) {
        // The agent learns of a new entry when it next asks the server; each try takes its own time.
        if (tries === MAX_TRIES || !/PermissionDenied/.test(String(error))) throw error;
      }
    }
  };

  try {
    await serverProcess.start();
    if (options.agent !== false) {
      await writeFile(join(folder, "bootstrap.pem"), await command("bundle", "show"));
      const { value } = await json<{ value: string }>("token", "generate", "-spiffeID", id(NODE));
      agentWords.push("-joinToken", value);
      await agentProcess.start();
    }
  } catch (error) {
    await close();
    throw error;
  }

  return {
    trustDomain,
    folder,
    socket: `unix://${socketPath}`,
    socketPath,
    bundleEndpoint: bundleEndpointPort === undefined ? undefined : `https://127.0.0.1:${bundleEndpointPort}`,
    server: serverProcess,
    get agent() {
      if (options.agent === false) throw new Error("this SPIRE was started without an agent");
      return agentProcess;
    },
    agentProgram: agentBinary,
    createEntry: async (entry) => {
      const { results } = await json<{ results: { entry: { id: string } }[] }>(
        ...["entry", "create", "-parentID", id(NODE), "-spiffeID", id(entry.path)],
        ...["-selector", `unix:uid:${process.getuid?.() ?? 0}`],
        ...(entry.program === undefined ? [] : ["-selector", `unix:path:${await programPath(entry.program)}`]),
        ...option("-x509SVIDTTL", entry.x509TtlSeconds),
        ...option("-jwtSVIDTTL", entry.jwtTtlSeconds),
        ...option("-hint", entry.hint),
        ...(entry.dnsNames ?? []).flatMap((name) => ["-dns", name]),
        ...(entry.federatesWith ?? []).flatMap((name) => ["-federatesWith", `spiffe://${name}`]),
      );
      const created = results[0]?.entry.id;
      if (created === undefined) throw new Error(`no entry was made for ${entry.path}`);
      return created;
    },
    deleteEntry: async (entryId) => void (await command("entry", "delete", "-entryID", entryId)),
    fetchX509Svid: async (path) => {
      for (let tries = 1; ; tries++) {
        const out = await mkdtemp(join(folder, "fetched-"));
        const told = await api("fetch", "x509", "-write", out);
        const index = [...told.matchAll(/^SPIFFE ID:\s+(\S+)$/gm)].findIndex(([, found]) => found === id(path));
        if (index >= 0) {
          const read = (name: string): Promise<string> => readFile(join(out, name), "utf8");
          const [certificatePem, privateKeyPem, bundlePem] = await Promise.all([
            ...[`svid.${index}.pem`, `svid.${index}.key`, `bundle.${index}.pem`].map(read),
          ]);
          return {
            spiffeId: id(path),
            certificatePem: certificatePem ?? "",
            privateKeyPem: privateKeyPem ?? "",
            bundlePem: bundlePem ?? "",
          };
        }
        if (tries === MAX_TRIES) throw new Error(`the agent gives no SVID for ${id(path)}:\n${told}`);
      }
    },
    fetchJwtSvid: async (path, ...audience) => {
      const told = await api("fetch", "jwt", "-audience", audience.join(","), "-spiffeID", id(path), "-output", "json");
      const token = /"svid":\s*"([^"]+)"/.exec(told)?.[1];
      if (token === undefined) throw new Error(`the agent gives no JWT-SVID for ${id(path)}`);
      return token;
    },
    mintX509Svid: async (path, ttlSeconds = 600) => {
      const out = await mkdtemp(join(folder, "minted-"));
      await command("x509", "mint", "-spiffeID", id(path), "-ttl", `${ttlSeconds}s`, "-write", out);
      const names = await readdir(out);
      const read = (part: string): Promise<string> =>
        readFile(join(out, names.find((name) => name.startsWith(part)) ?? part), "utf8");
      const [certificatePem, privateKeyPem, bundlePem] = await Promise.all([read("svid"), read("key"), read("bundle")]);
      return { spiffeId: id(path), certificatePem, privateKeyPem, bundlePem };
    },
    mintJwtSvid: async (path, audience, ttlSeconds = 300) =>
      (await command("jwt", "mint", "-spiffeID", id(path), "-audience", audience, "-ttl", `${ttlSeconds}s`)).trim(),
    authorities: async (kind) => {
      type Shown = Partial<Record<"active" | "prepared" | "old", { authority_id: string }>>;
      const { active, prepared, old } = await json<Shown>("localauthority", kind, "show");
      return { active: active?.authority_id ?? "", prepared: prepared?.authority_id, old: old?.authority_id };
    },
    prepareAuthority: async (kind) => {
      type Prepared = { prepared_authority: { authority_id: string } };
      return (await json<Prepared>("localauthority", kind, "prepare")).prepared_authority.authority_id;
    },
    activateAuthority: async (kind, authorityId) =>
      void (await command("localauthority", kind, "activate", "-authorityID", authorityId)),
    taintAuthority: async (kind, authorityId) => {
      const mark = agentProcess.mark();
      await command("localauthority", kind, "taint", "-authorityID", authorityId);
      // An agent whose own SVID is still of the old authority when that is revoked gets no further with its server, for good.
      if (kind === "x509" && mark > 0) await agentProcess.logged("Successfully rotated agent SVID", mark);
    },
    revokeAuthority: async (kind, authorityId) =>
      void (await command("localauthority", kind, "revoke", "-authorityID", authorityId)),
    bundle: () => command("bundle", "show", "-format", "spiffe"),
    setForeignBundle: async (name, document) => {
      const path = join(folder, `foreign-${name}.json`);
      await writeFile(path, document);
      await command("bundle", "set", "-id", `spiffe://${name}`, "-format", "spiffe", "-path", path);
    },
    deleteForeignBundle: async (name) =>
      void (await command("bundle", "delete", "-id", `spiffe://${name}`, "-mode", "dissociate")),
    command,
    close,
  };
}

/** Every entry's parent: the ID that the join token gives the agent's node. */
const NODE = "/node";
/** Of one command that takes some 50 ms, until the agent has heard of an entry. */
const MAX_TRIES = 100;

const option = (name: string, value: string | number | undefined): readonly string[] =>
  value === undefined ? [] : [name, String(value)];

function startable(binary: string, words: readonly string[], ready: string): SpireProcess {
  let running: LoggedProcess | undefined;
  const launch = (): LoggedProcess => {
    running = startLoggedProcess(binary, words);
    return running;
  };
  return {
    launch: () => void launch(),
    start: async () => {
      await launch().logged(ready);
    },
    stop: async (signal = "SIGTERM") => {
      await running?.stop(signal);
      running = undefined;
    },
    logged: async (text, from) => {
      if (running === undefined) throw new Error("it does not run");
      await running.logged(text, from);
    },
    mark: () => running?.mark() ?? 0,
  };
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
