// One Envoy with a listener for each way of handling client certificates (`envoy-mode-config.ts`), an ext_authz server behind it
// that keeps every CheckRequest, and callers. The server allows everything, or asks a handler of svidgate's.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import type { CheckHandler } from "../../src/authz/check-handler.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { startEnvoy } from "../../src/cli/demo/envoy-process.ts";
import { openCheckServer } from "../../src/server/check-server.ts";
import { createHealth } from "../../src/server/health.ts";
import { createLineRateListener } from "../../src/server/line-rate-listener.ts";
import { parseListenAddress } from "../../src/server/listen-address.ts";
import { type DecodedCheckRequest, decodeCheckRequest } from "./check-messages.ts";
import { portOf, SERVER_ID } from "./envoy.ts";
import { type CertificateFiles, type ModeName, toModeConfig } from "./envoy-mode-config.ts";
import { createWireCallers, TRUST_DOMAIN, type WireCallers } from "./wire-callers.ts";

/** What a request came to: Envoy's status, and the check that it made of it. */
export interface Asked {
  /** Undefined where there was no answer: the handshake or the connection failed, `why`. */
  readonly status: number | undefined;
  readonly why?: string;
  /** The bytes that Envoy sent, for a handler; undefined when it did not ask. */
  readonly bytes: Uint8Array | undefined;
  /** The same, decoded by another codec than svidgate's. */
  readonly check: DecodedCheckRequest;
  /** The header `x-forwarded-client-cert` that the check shows. */
  readonly xfcc: string | undefined;
}

/** Headers of one request; a list is several lines. */
export type Headers = Readonly<Record<string, string | string[]>>;

/** A connection to a listener that stays open. */
export interface ModeConnection {
  ask(headers?: Headers): Promise<Asked>;
  /** The newest TLS session, to resume by; undefined before the first answer. */
  session(): Buffer | undefined;
  /** Whether the handshake resumed one. */
  resumed(): boolean;
  /** How many connections were opened: 1 as long as it stays open. */
  opened(): number;
  close(): void;
}

export interface EnvoyModes {
  readonly callers: WireCallers;
  /** Envoy's own SPIFFE ID. */
  readonly serverId: string;
  /** One request on a connection of its own. */
  ask(mode: ModeName, certificate: IssuedCertificate | undefined, headers?: Headers): Promise<Asked>;
  connect(mode: ModeName, certificate: IssuedCertificate | undefined, session?: Buffer): ModeConnection;
  close(): Promise<void>;
}

export interface EnvoyModesOptions {
  readonly binary: string;
  /** Whether this Envoy knows `set_current_client_cert_details.format`. */
  readonly json: boolean;
  /** Who decides; by default everything is allowed. */
  readonly handler?: CheckHandler;
}

/** A CheckResponse with an OK status and nothing else. */
const ALLOW = Buffer.from("0a00", "hex");

/** Starts server and Envoy. `close` ends both. */
export async function startEnvoyModes(options: EnvoyModesOptions): Promise<EnvoyModes> {
  const folder = await mkdtemp(join(tmpdir(), "svidgate-modes-"));
  const undos: (() => Promise<void> | void)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
  };
  try {
    const callers = await createWireCallers();
    const checks = new Map<string, Uint8Array>();
    const checkPort = await openRecorder(checks, options.handler, undos);
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const files = async (name: string, uris: readonly string[]): Promise<CertificateFiles> => {
      const made = await callers.authority.svid("", { uris, dnsNames: ["localhost"] });
      const [certificate, privateKey] = [
        file(`${name}.pem`, made.certificatePem),
        file(`${name}.key`, made.privateKeyPem),
      ];
      return { certificate: await certificate, privateKey: await privateKey };
    };
    const config = toModeConfig({
      json: options.json,
      server: await files("server", [SERVER_ID]),
      dnsServer: await files("dns_server", []),
      bundleFile: await file("bundle.pem", callers.authority.certificatePem + callers.chainRootPem),
      trustDomain: TRUST_DOMAIN,
      checkPort,
    });
    const envoy = await startEnvoy({ binary: options.binary, config, folder }, (stop) => void undos.push(stop));
    let requests = 0;
    const connect = (mode: ModeName, certificate: IssuedCertificate | undefined, session?: Buffer): ModeConnection => {
      const tls = mode.startsWith("plaintext")
        ? undefined
        : { ca: callers.authority.certificatePem, certificate, session };
      return openConnection(envoy.port(mode), tls, checks, () => `/${++requests}`);
    };
    return {
      callers,
      serverId: SERVER_ID,
      connect,
      ask: async (mode, certificate, headers) => {
        const connection = connect(mode, certificate);
        const asked = await connection.ask(headers);
        connection.close();
        return asked;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** An ext_authz server on a free port that keeps requests by their path. */
async function openRecorder(
  checks: Map<string, Uint8Array>,
  handler: CheckHandler | undefined,
  undos: (() => Promise<void> | void)[],
): Promise<number> {
  const address = parseListenAddress("127.0.0.1:0");
  assert.ok(address.ok);
  const opened = await openCheckServer({
    addresses: [address.value],
    accept: {},
    listener: {
      handler: (bytes, call) => {
        const kept = Uint8Array.from(bytes);
        checks.set(decodeCheckRequest(kept).attributes?.request?.http?.path ?? "", kept);
        return handler?.(bytes, call) ?? { kind: "message", bytes: ALLOW };
      },
      clock: systemClock,
      health: createHealth(),
      limits: {},
      onFault: (error) => {
        throw error;
      },
    },
    createListener: (listener) => createLineRateListener(listener),
  });
  assert.ok(opened.ok, opened.ok ? "" : opened.detail);
  undos.push(() => opened.value.close());
  return portOf(opened.value.acceptors[0]?.text ?? "");
}

interface ClientTls {
  readonly ca: string;
  readonly certificate: IssuedCertificate | undefined;
  readonly session: Buffer | undefined;
}

function openConnection(
  port: number,
  tls: ClientTls | undefined,
  checks: ReadonlyMap<string, Uint8Array>,
  nextPath: () => string,
): ModeConnection {
  let session: Buffer | undefined;
  let socket: TLSSocket | undefined;
  let opened = 0;
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
  const options = {
    host: "127.0.0.1",
    port,
    // Longer than a connection waits for its certificate to end.
    timeout: 60_000,
    ...(tls === undefined
      ? { agent: false as const }
      : { agent, servername: "localhost", ca: tls.ca, session: tls.session }),
    ...(tls?.certificate && { cert: tls.certificate.certificatePem, key: tls.certificate.privateKeyPem }),
  };
  return {
    session: () => session,
    resumed: () => socket?.isSessionReused() === true,
    opened: () => opened,
    close: () => agent.destroy(),
    ask: (headers = {}) =>
      new Promise((resolve) => {
        const path = nextPath();
        const done = (status: number | undefined, why?: string): void => {
          const bytes = checks.get(path);
          const check = bytes === undefined ? {} : decodeCheckRequest(bytes);
          const xfcc = check.attributes?.request?.http?.headers?.["x-forwarded-client-cert"];
          resolve({ status, ...(why !== undefined && { why }), bytes, check, xfcc });
        };
        const call = tls === undefined ? httpRequest : httpsRequest;
        const request = call({ ...options, path, headers: { ...headers } }, (response) => {
          response.resume();
          response.once("end", () => done(response.statusCode));
        });
        request.once("socket", (used) => {
          if (!(used instanceof TLSSocket) || used === socket) return;
          socket = used;
          opened++;
          used.on("session", (made: Buffer) => {
            session = made;
          });
        });
        request.once("timeout", () => request.destroy(new Error("no answer in time")));
        request.on("error", (error) => done(undefined, error.message));
        request.end();
      }),
  };
}
