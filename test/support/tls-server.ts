// A check server behind TLS for one test: its material, what it refused, trust bundles that can change under it, and a client
// whose TLS can be anything.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { CheckHandler, Pep } from "../../src/authz/check-handler.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { parseTrustBundle } from "../../src/identity/trust-bundle.ts";
import type { HeldBundle, TrustBundleSource } from "../../src/identity/trust-bundles.ts";
import type { AcceptOptions } from "../../src/server/accept.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import type { Refusal } from "../../src/server/refusals.ts";
import { loadTlsMaterial, type TlsFiles } from "../../src/server/tls-files.ts";
import type { TlsMaterial } from "../../src/server/tls-material.ts";
import { makeFolder, openTestServer, type TestServer } from "./open-check-server.ts";

/** Writes the certificate into files and loads them as `serve` does; `changes` name other files or rules. */
export async function loadMaterial(
  t: TestContext,
  own: IssuedCertificate,
  changes: Partial<TlsFiles> & { readonly clientCaPem?: string } = {},
): Promise<TlsMaterial> {
  const folder = makeFolder(t);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const { clientCaPem, ...files } = changes;
  const loaded = await loadTlsMaterial(
    {
      certificate: file("cert.pem", own.certificatePem),
      privateKey: file("key.pem", own.privateKeyPem),
      ...(clientCaPem === undefined ? {} : { clientCa: file("ca.pem", clientCaPem) }),
      clientSpiffeIds: [],
      minVersion: "1.2",
      ...files,
    },
    Date.now(),
  );
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.join("\n"));
  return loaded.material;
}

export interface TlsWorld extends TestServer {
  /** Who asked, in order. */
  readonly peps: Pep[];
  readonly refusals: Refusal[];
  /** The first refusal, once there is one. */
  refused(): Promise<Refusal>;
}

/** Answers every check with its bytes. */
export async function openTlsWorld(
  t: TestContext,
  tls: TlsMaterial,
  accept: AcceptOptions = {},
  address = "127.0.0.1:0",
): Promise<TlsWorld> {
  const peps: Pep[] = [];
  const refusals: Refusal[] = [];
  const waiting: ((refusal: Refusal) => void)[] = [];
  const handler: CheckHandler = (bytes, call) => {
    peps.push(call.pep);
    return { kind: "message", bytes };
  };
  const onRefused = (refusal: Refusal): void => {
    refusals.push(refusal);
    for (const wake of waiting.splice(0)) wake(refusal);
  };
  const opened = await openTestServer(t, handler, { accept: { tls, onRefused, ...accept }, addresses: [address] });
  return {
    ...opened,
    peps,
    refusals,
    refused: () => {
      const [first] = refusals;
      return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
    },
  };
}

/** Trust bundles of PEM certificates. */
export interface TestBundles extends TrustBundleSource {
  /** A new generation; without certificates, one that revokes everything. */
  set(trustDomain: string, ...pems: readonly string[]): void;
  withdraw(trustDomain: string): void;
  /** How often a bundle was asked for. */
  readonly asked: number;
}

/** Begins with `entries`. */
export function createTestBundles(entries: Readonly<Record<string, readonly string[]>>): TestBundles {
  const held = new Map<string, HeldBundle>();
  let generation = 0;
  let asked = 0;
  const set = (trustDomain: string, ...pems: readonly string[]): void => {
    const parsed = parseTrustBundle(pems.length === 0 ? '{"keys":[]}' : pems.join(""), { trustDomain });
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.code);
    held.set(trustDomain, {
      bundle: parsed.value,
      generation: ++generation,
      source: "file",
      lastSuccessUnixMs: Date.now(),
    });
  };
  for (const [trustDomain, pems] of Object.entries(entries)) set(trustDomain, ...pems);
  return {
    set,
    withdraw: (trustDomain) => void held.delete(trustDomain),
    get asked() {
      return asked;
    },
    find: (trustDomain) => {
      asked++;
      return held.get(trustDomain);
    },
  };
}

/** How a test's client speaks TLS: any certificates behind its leaf, any version. */
export type TlsClient = Omit<ConnectionOptions, "cert" | "key"> & {
  readonly certificate?: IssuedCertificate | undefined;
  /** PEM of what it sends behind its leaf. */
  readonly behind?: readonly string[];
};

/** One connection, which speaks HTTP/2 when it is asked to. */
export interface TlsDialed {
  readonly socket: TLSSocket;
  readonly session: ClientHttp2Session;
  /** The gRPC status of one check, or `closed` when the connection ends instead. */
  check(): Promise<string>;
  /** A check whose message is sent in two parts, the second one when `meanwhile` is done. */
  checkAround(meanwhile: () => Promise<void>): Promise<string>;
}

/** Connects and says nothing yet but its handshake. */
export function dial(t: TestContext, address: string, client: TlsClient): TlsDialed {
  const { certificate, behind = [], ...options } = client;
  const target = address.startsWith("unix:")
    ? { path: address.slice("unix:".length) }
    : { host: address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, ""), port: portOf(address) };
  const socket = connectTls({
    ...target,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    ...(certificate && { cert: [certificate.certificatePem, ...behind].join(""), key: certificate.privateKeyPem }),
    ...options,
  });
  socket.on("error", () => undefined);
  const session = connectHttp2("https://svidgate", { createConnection: () => socket });
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  const call = async (send: (write: (part: Buffer, isLast: boolean) => void) => void): Promise<string> => {
    if (session.closed || session.destroyed) return "closed";
    const stream = session.request({
      ":method": "POST",
      ":path": CHECK_PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status = "closed";
    const read = (headers: Record<string, unknown>): void => {
      if (typeof headers["grpc-status"] === "string") status = headers["grpc-status"];
    };
    stream
      .on("response", read)
      .on("trailers", read)
      .on("error", () => undefined)
      .resume();
    send((part, isLast) => void (isLast ? stream.end(part) : stream.write(part)));
    await new Promise((resolve) => stream.once("close", resolve));
    return status;
  };
  return {
    socket,
    session,
    check: () => call((write) => write(MESSAGE, true)),
    checkAround: (meanwhile) =>
      call((write) => {
        write(MESSAGE.subarray(0, 3), false);
        void meanwhile().then(() => write(MESSAGE.subarray(3), true));
      }),
  };
}

/** A gRPC frame around `0a 00`. */
const MESSAGE = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x00]);

/** Of `host:port`. */
export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));
