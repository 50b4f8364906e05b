import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { status } from "../../src/base/grpc.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { CHECK_PATH } from "../../src/server/listener.ts";
import type { Refusal } from "../../src/server/refusals.ts";
import type { TlsFiles } from "../../src/server/tls-files.ts";
import type { TlsMaterial } from "../../src/server/tls-material.ts";
import { createTestAuthority } from "../support/ca.ts";
import { createManualClock } from "../support/manual-clock.ts";
import type { TestServer } from "../support/open-check-server.ts";
import { loadMaterial, openTlsWorld, portOf } from "../support/tls-server.ts";

const request = Buffer.from([0x0a, 0x00]);
const ENVOY = "spiffe://example.org/ns/edge/sa/envoy";
const HOUR_MS = 3_600_000;
const [authority, stranger] = await Promise.all([createTestAuthority(), createTestAuthority()]);
const [server, envoy, other, forged] = await Promise.all([
  authority.svid("/ns/authz/sa/svidgate"),
  authority.svid("/ns/edge/sa/envoy"),
  authority.svid("/ns/edge/sa/other"),
  stranger.svid("/ns/edge/sa/envoy"),
]);

const material = (t: TestContext, changes: Partial<TlsFiles> = {}, own = server): Promise<TlsMaterial> =>
  loadMaterial(t, own, { clientCaPem: authority.certificatePem, clientSpiffeIds: [ENVOY], ...changes });
const open = openTlsWorld;

const asClient = (certificate?: IssuedCertificate) => ({
  caPem: authority.certificatePem,
  ...(certificate === undefined ? {} : { certificate }),
});
const codeOf = async (calling: Promise<object>): Promise<number | undefined> => {
  const ended = await calling;
  return "code" in ended ? (ended.code as number) : undefined;
};

/** A TLS client that says nothing after its handshake; resolves when its connection is over. */
function dialTls(t: TestContext, { address }: TestServer, options: ConnectionOptions): Promise<void> {
  const socket = connectTls({
    port: portOf(address),
    host: "127.0.0.1",
    ca: authority.certificatePem,
    cert: envoy.certificatePem,
    key: envoy.privateKeyPem,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["h2"],
    ...options,
  });
  t.after(() => socket.destroy());
  socket.on("error", () => undefined).resume();
  return new Promise((resolve) => socket.on("close", () => resolve()));
}

describe("mTLS", () => {
  it("lets the listed client ask, and says who it is", async (t) => {
    const world = await open(t, await material(t));
    const peer = world.connect({}, asClient(envoy));
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    assert.deepEqual(world.peps, [{ address: "127.0.0.1", spiffeId: ENVOY, verified: true }]);
    assert.deepEqual(world.refusals, []);
  });

  const refused: readonly (readonly [
    name: string,
    reason: Refusal["reason"],
    certificate: () => Promise<IssuedCertificate | undefined> | IssuedCertificate | undefined,
  ])[] = [
    ["no certificate", "client_certificate_missing", () => undefined],
    ["the right ID from another authority", "client_certificate_untrusted", () => forged],
    ["an ID that is not listed", "client_not_allowed", () => other],
    [
      "an expired certificate",
      "client_certificate_expired",
      () => authority.svid("/ns/edge/sa/envoy", { notAfterUnixMs: Date.now() - 60_000 }),
    ],
    [
      "two IDs, the first of them listed",
      "client_certificate_invalid",
      () => authority.svid("", { uris: [ENVOY, `${ENVOY}2`] }),
    ],
    ["no ID but a DNS name", "client_certificate_invalid", () => authority.svid("", { uris: [], dnsNames: ["envoy"] })],
    ["a longer ID", "client_not_allowed", () => authority.svid("/ns/edge/sa/envoy/x")],
    ["another spelling of the ID", "client_certificate_invalid", () => authority.svid("", { uris: [`${ENVOY}/`] })],
  ];
  for (const [name, reason, certificate] of refused) {
    it(`refuses ${name} before any check: ${reason}`, async (t) => {
      const world = await open(t, await material(t));
      const peer = world.connect({}, asClient(await certificate()));
      assert.equal(await codeOf(peer.call(CHECK_PATH, request)), status.UNAVAILABLE);
      const refusal = await world.refused();
      assert.equal(refusal.reason, reason, JSON.stringify(refusal));
      assert.equal(refusal.address, "127.0.0.1");
      assert.ok((world.server.acceptors[0]?.refusals.counts[reason] ?? 0) >= 1);
      assert.deepEqual(world.peps, []);
      assert.equal(world.server.listener.connections, 0);
    });
  }

  it("refuses a client that offers no h2, another protocol, or TLS 1.1", async (t) => {
    for (const [options, reason] of [
      [{ ALPNProtocols: [] }, "no_alpn_h2"],
      [{ ALPNProtocols: ["http/1.1"] }, "no_alpn_h2"],
      [{ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }, "handshake_failed"],
    ] as const) {
      const world = await open(t, await material(t));
      await dialTls(t, world, options as ConnectionOptions);
      assert.equal((await world.refused()).reason, reason);
    }
  });

  it("refuses checks once the certificate of a living connection has expired, and ends the connection", async (t) => {
    const clock = createManualClock(Date.now());
    const world = await open(t, await material(t), { clock });
    const peer = world.connect({}, asClient(envoy));
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    clock.advanceMs(HOUR_MS + 1000);
    const ended = await peer.call(CHECK_PATH, request);
    assert.deepEqual(ended, { code: status.UNAUTHENTICATED, details: "the client certificate has expired" });
    assert.equal((await world.refused()).reason, "client_certificate_expired");
    assert.equal((await codeOf(peer.call(CHECK_PATH, request))) === undefined, false);
    assert.equal(world.peps.length, 1);
  });

  it("asks a connection to leave when its certificate ends", async (t) => {
    const clock = createManualClock(Date.now());
    const brief = await authority.svid("/ns/edge/sa/envoy", { notAfterUnixMs: clock.unixMs() + 2000 });
    const world = await open(t, await material(t), { clock });
    const peer = world.connect({}, asClient(brief));
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    await new Promise<void>((resolve) => {
      const look = (): void => void (world.server.listener.connections === 0 ? resolve() : setTimeout(look, 20));
      look();
    });
  });
});

describe("replacing TLS material", () => {
  it("keeps living connections, and gives new ones the new certificate", async (t) => {
    const world = await open(t, await material(t));
    const peer = world.connect({}, asClient(envoy));
    await peer.call(CHECK_PATH, request);
    const renewed = await authority.svid("/ns/authz/sa/renewed");
    world.server.acceptors[0]?.replaceTls(await material(t, {}, renewed));
    assert.deepEqual(await peer.call(CHECK_PATH, request), { bytes: request });
    assert.equal(world.server.acceptors[0]?.accepted, 1);
    const socket = connectTls({
      port: portOf(world.address),
      ca: authority.certificatePem,
      cert: envoy.certificatePem,
      key: envoy.privateKeyPem,
      checkServerIdentity: () => undefined,
      ALPNProtocols: ["h2"],
    });
    t.after(() => socket.destroy());
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    assert.match(socket.getPeerCertificate().subjectaltname ?? "", /sa\/renewed/);
  });

  it("ends what a client that is not listed any more asks", async (t) => {
    const world = await open(t, await material(t));
    const peer = world.connect({}, asClient(envoy));
    await peer.call(CHECK_PATH, request);
    world.server.acceptors[0]?.replaceTls(await material(t, { clientSpiffeIds: [`${ENVOY}2`] }));
    const ended = await peer.call(CHECK_PATH, request);
    assert.deepEqual(ended, { code: status.UNAUTHENTICATED, details: "this client may not ask" });
    assert.equal(world.refusals[0]?.reason, "client_not_allowed");
  });
});

describe("TLS without client certificates", () => {
  it("encrypts and proves nobody", async (t) => {
    const world = await open(t, await material(t, { clientCa: undefined, clientSpiffeIds: [] }));
    assert.deepEqual(await world.connect({}, asClient(envoy)).call(CHECK_PATH, request), { bytes: request });
    assert.deepEqual(world.peps, [{ address: "127.0.0.1", verified: false }]);
  });
});

describe("slow and silent peers of a TLS listener", () => {
  it("are closed when they say nothing, a byte at a time, or nothing after the handshake", async (t) => {
    const limits = { handshakeTimeoutMs: 300, prefaceTimeoutMs: 300 };
    const world = await open(t, await material(t), limits);
    const dial = (use: (write: (byte: Buffer) => void) => void): Promise<void> =>
      new Promise((resolve) => {
        const socket = connectSocket(portOf(world.address), "127.0.0.1");
        socket.on("error", () => undefined).on("close", () => resolve());
        socket.once("connect", () => use((byte) => void socket.write(byte)));
        socket.resume();
      });
    await dial(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    let at = 0;
    const hello = Buffer.concat([Buffer.from("16030100ff010000fb0303", "hex"), Buffer.alloc(240)]);
    await dial((write) => {
      timer = setInterval(() => write(hello.subarray(at, ++at)), 50);
    });
    clearInterval(timer);
    await dialTls(t, world, {});
    const counts = world.server.acceptors[0]?.refusals.counts;
    assert.equal(counts?.handshake_timeout, 2);
    assert.equal(counts?.no_preface, 1);
  });

  it("are refused over the cap, also while they shake hands", async (t) => {
    const world = await open(t, await material(t), { maxConnections: 1 });
    const first = connectSocket(portOf(world.address), "127.0.0.1");
    t.after(() => first.destroy());
    await new Promise((resolve) => first.once("connect", resolve));
    await dialTls(t, world, {});
    assert.equal((await world.refused()).reason, "connection_limit");
  });

  it("are cut off when they send what is no TLS, and others are served", async (t) => {
    const world = await open(t, await material(t));
    const socket = connectSocket(portOf(world.address), "127.0.0.1");
    socket.on("error", () => undefined).resume();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await new Promise((resolve) => socket.on("close", resolve));
    assert.equal((await world.refused()).reason, "handshake_failed");
    assert.deepEqual(await world.connect({}, asClient(envoy)).call(CHECK_PATH, request), { bytes: request });
  });
});

it("a drain under TLS loses no check, and cuts none", async (t) => {
  const world = await open(t, await material(t));
  const next = await open(t, await material(t));
  const peer = (await import("../support/grpc-peer.ts")).createGrpcPeer(
    `ipv4:${world.address},${next.address}`,
    { "grpc.enable_retries": 1 },
    asClient(envoy),
  );
  t.after(() => peer.close());
  let running = true;
  const failures: object[] = [];
  const loops = Array.from({ length: 8 }, async () => {
    while (running) {
      const ended = await peer.call(CHECK_PATH, request);
      if ("code" in ended) failures.push(ended);
    }
  });
  while (world.peps.length < 100) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await world.server.drain({ lameDuckMs: 20, graceMs: 10_000 }), { cut: 0 });
  while (next.peps.length < 100) await new Promise((resolve) => setImmediate(resolve));
  running = false;
  await Promise.all(loops);
  assert.deepEqual(failures, []);
});
