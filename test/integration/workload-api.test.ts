// The client of the SPIFFE Workload API against a gRPC server whose streams the test feeds: what becomes of each message, each end
// of a stream, and each code. The real agent is in test/e2e/spire-workload-api.test.ts.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { status as STATUS } from "../../src/base/grpc.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { createTestAuthority } from "../support/ca.ts";
import { jwks, makeSocketFolder, startTestedClient, type TestedClient, toDer } from "../support/workload-api-client.ts";
import {
  jwtBundles,
  type OpenedStream,
  type SvidFields,
  startWorkloadApiServer,
  type WorkloadApiServer,
  x509Bundles,
  x509Svids,
} from "../support/workload-api-server.ts";

const TD = "spiffe://example.org";
const OTHER = "spiffe://other.test";
const [authority, foreign] = await Promise.all([createTestAuthority(), createTestAuthority("other.test")]);
const [one, two] = [toDer(authority.certificatePem), toDer(foreign.certificatePem)];
const KEYS = jwks("k1");
const leaf = toDer((await authority.svid("/a")).certificatePem);

interface World extends TestedClient {
  readonly server: WorkloadApiServer;
  readonly x509: OpenedStream;
  readonly jwt: OpenedStream;
}

async function start(t: TestContext): Promise<World> {
  const server = await startWorkloadApiServer(t, makeSocketFolder(t));
  const client = startTestedClient(t, server.socket);
  const [x509, jwt] = await Promise.all([server.next("FetchX509Bundles"), server.next("FetchJWTBundles")]);
  return { ...client, server, x509, jwt };
}

/** Both halves of one trust domain, in force. */
async function startWithBundle(t: TestContext): Promise<World> {
  const world = await start(t);
  world.x509.send(x509Bundles({ [TD]: one }));
  await world.log.next(/^stream x509_bundles connected/);
  world.jwt.send(jwtBundles({ [TD]: KEYS }));
  await world.log.next(/^stream jwt_bundles connected/);
  return world;
}

const authorities = ({ bundles }: World, trustDomain = "example.org") => {
  const held = bundles.find(trustDomain)?.bundle;
  return held && { x509: held.x509Authorities.length, jwt: [...held.jwtAuthorities.keys()] };
};

const streamOf = ({ api }: TestedClient, name: string) => {
  const found = api.status().streams.find((stream) => stream.name === name);
  assert.ok(found !== undefined, name);
  return found;
};

describe("what is sent", () => {
  it("opens the two streams of bundles, each with an empty request and the security header once", async (t) => {
    const { x509, jwt, server } = await start(t);
    for (const stream of [x509, jwt]) {
      assert.deepEqual(stream.metadata["workload.spiffe.io"], ["true"]);
      assert.equal(stream.request.length, 0);
    }
    assert.equal(server.opened("FetchX509SVID"), 0);
  });

  it("goes over TCP to an IP address as well", async (t) => {
    const server = await startWorkloadApiServer(t, makeSocketFolder(t), "tcp");
    const { log } = startTestedClient(t, server.socket);
    (await server.next("FetchX509Bundles")).send(x509Bundles({ [TD]: one }));
    await log.next(/^live example.org true/);
  });
});

describe("bundles", () => {
  it("take certificates without keys for tokens, and the other way round, and join them", async (t) => {
    const world = await start(t);
    world.x509.send(x509Bundles({ [TD]: one }));
    await world.log.next(/^live example.org true/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: [] });
    world.jwt.send(jwtBundles({ [OTHER]: KEYS, [TD]: KEYS }));
    await world.log.next(/^stream jwt_bundles connected/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
    assert.deepEqual(authorities(world, "other.test"), { x509: 0, jwt: ["k1"] });
    await world.api.ready;
  });

  it("hold the message's certificates and no others, and raise the generation", async (t) => {
    const world = await startWithBundle(t);
    const before = world.bundles.generation;
    world.x509.send(x509Bundles({ [TD]: Buffer.concat([two, one]) }));
    await world.log.next(/^replace example.org x509=2 jwt=1 taken/);
    assert.ok(world.bundles.generation > before);
    world.x509.send(x509Bundles({ [TD]: two }));
    await world.log.next(/^replace example.org x509=1 jwt=1 taken/);
    assert.deepEqual(world.bundles.find("example.org")?.bundle.x509Authorities[0]?.der, two);
  });

  it("are confirmed, without a new generation, when a message repeats them", async (t) => {
    const world = await startWithBundle(t);
    const before = world.bundles.generation;
    world.x509.send(x509Bundles({ [TD]: one }));
    await world.log.next(/^confirm example.org/);
    assert.equal(world.bundles.generation, before);
  });

  it("lose a trust domain that is in neither half any more", async (t) => {
    const world = await startWithBundle(t);
    world.x509.send(x509Bundles({ [OTHER]: two }));
    await world.log.next(/^replace example.org x509=0 jwt=1 taken/);
    assert.deepEqual(authorities(world), { x509: 0, jwt: ["k1"] });
    world.jwt.send(jwtBundles({ [OTHER]: KEYS }));
    await world.log.next(/^withdraw example.org/);
    assert.equal(authorities(world), undefined);
    assert.deepEqual(authorities(world, "other.test"), { x509: 1, jwt: ["k1"] });
  });

  it("revoke what an empty value empties", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.send(jwtBundles({ [TD]: '{"keys":[]}' }));
    await world.log.next(/^replace example.org x509=1 jwt=0 taken/);
    world.x509.send(x509Bundles({ [TD]: new Uint8Array(0) }));
    await world.log.next(/^replace example.org x509=0 jwt=0 taken/);
    assert.deepEqual(authorities(world), { x509: 0, jwt: [] });
  });

  for (const [why, half, message] of [
    ["is no protobuf", "x509", Buffer.from("ffff", "hex")],
    ["is empty, though bundles are mandatory", "x509", new Uint8Array(0)],
    ["has certificates with a byte behind them", "x509", x509Bundles({ [TD]: Buffer.concat([one, Buffer.of(0)]) })],
    ["has certificates that are cut short", "x509", x509Bundles({ [TD]: one.subarray(0, -1) })],
    ["has only certificates that may not sign", "x509", x509Bundles({ [TD]: leaf })],
    ["has keys that are no JSON", "jwt", jwtBundles({ [TD]: "{" })],
    ["has keys without a list", "jwt", jwtBundles({ [TD]: "{}" })],
    ["has no keys at all, not even an empty list", "jwt", jwtBundles({ [TD]: "" })],
    ["names one key twice", "jwt", jwtBundles({ [TD]: '{"keys":[],"keys":[]}' })],
  ] as const) {
    it(`stay as they were when a message ${why}`, async (t) => {
      const world = await startWithBundle(t);
      const before = world.bundles.generation;
      world[half].send(message);
      const name = half === "x509" ? "x509_bundles" : "jwt_bundles";
      await world.log.next(new RegExp(`^stream ${name} connected: .`));
      assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
      assert.equal(world.bundles.generation, before);
      assert.match(world.bundles.list(world.clock.unixMs())[0]?.problem ?? "", /^svidgate.identity.workload_api: /);
      world[half].send(half === "x509" ? x509Bundles({ [TD]: one }) : jwtBundles({ [TD]: KEYS }));
      await world.log.next(new RegExp(`^stream ${name} connected$`));
      assert.equal(streamOf(world, name).problem, undefined);
      assert.equal(world.bundles.list(world.clock.unixMs())[0]?.problem, undefined);
    });
  }

  it("take what is good of a message when another trust domain's part is not", async (t) => {
    const world = await startWithBundle(t);
    world.x509.send(x509Bundles({ [TD]: Buffer.concat([one, two]), [OTHER]: Buffer.of(1), "not an id": two }));
    const line = await world.log.next(/^stream x509_bundles connected: /);
    assert.match(line, /other\.test/);
    assert.match(line, /`not an id` is no trust domain/);
    assert.deepEqual(authorities(world), { x509: 2, jwt: ["k1"] });
    assert.equal(authorities(world, "other.test"), undefined);
  });

  it("refuse the ID of a workload as the name of a trust domain", async (t) => {
    const world = await startWithBundle(t);
    world.x509.send(x509Bundles({ [TD]: one, [`${OTHER}/a`]: two }));
    await world.log.next(/^stream x509_bundles connected: the key `spiffe:\/\/other.test\/a` is no trust domain/);
    assert.equal(authorities(world, "other.test"), undefined);
  });

  it("may be larger than gRPC's usual 4 MiB, and have a limit all the same", async (t) => {
    const world = await startWithBundle(t);
    const padded = (bytes: number): string => KEYS.replace("}]}", `}],"pad":"${"x".repeat(bytes)}"}`);
    const many = Object.fromEntries([1, 2, 3].map((n) => [`spiffe://td${n}`, padded(2 * 1024 * 1024)]));
    world.jwt.send(jwtBundles({ [TD]: KEYS, ...many }));
    await world.log.next(/^replace td3 x509=0 jwt=1 taken/);
    world.jwt.send(jwtBundles({ [TD]: padded(16 * 1024 * 1024) }));
    await world.log.next(/^stream jwt_bundles connecting: resource_exhausted/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
  });
});

describe("svidgate's own SVID", () => {
  const wire = ({ certificatePem, privateKeyPem }: IssuedCertificate): SvidFields => ({
    spiffe_id: `${TD}/ns/authz/sa/svidgate`,
    x509_svid: toDer(certificatePem),
    x509_svid_key: createPrivateKey(privateKeyPem).export({ format: "der", type: "pkcs8" }),
    bundle: one,
  });
  const startForSvid = async (t: TestContext) => {
    const server = await startWorkloadApiServer(t, makeSocketFolder(t));
    const client = startTestedClient(t, server.socket, true);
    return { ...client, server, stream: await server.next("FetchX509SVID") };
  };

  it("is the first of several, and each new one is told once", async (t) => {
    const [first, second, stranger] = await Promise.all([
      authority.svid("/ns/authz/sa/svidgate"),
      authority.svid("/ns/authz/sa/svidgate"),
      authority.svid("/ns/authz/sa/other"),
    ]);
    const { api, log, stream } = await startForSvid(t);
    assert.equal(api.ownSvid(), undefined);
    assert.equal(api.status().ownSvid, undefined);
    stream.send(
      x509Svids({ ...wire(first), hint: "internal" }, { ...wire(stranger), spiffe_id: `${TD}/ns/authz/sa/other` }),
    );
    await log.next(/^svid spiffe:\/\/example.org\/ns\/authz\/sa\/svidgate/);
    assert.deepEqual(api.ownSvid()?.certificateChain[0], toDer(first.certificatePem));
    assert.deepEqual(Object.keys(api.status().ownSvid ?? {}), [
      "spiffeId",
      "hint",
      "notBeforeUnixMs",
      "notAfterUnixMs",
    ]);
    let told = 0;
    const stop = api.onSvid(() => told++);
    stream.send(x509Svids({ ...wire(first), hint: "internal" }));
    stream.send(x509Svids(wire(second)));
    await log.next(/^svid/);
    assert.deepEqual(api.ownSvid()?.certificateChain[0], toDer(second.certificatePem));
    assert.equal(told, 1);
    stop();
    stream.send(x509Svids(wire(first)));
    await log.next(/^svid/);
    assert.equal(told, 1);
  });

  it("stays when a message is no good, when it is denied and when the stream ends; no line holds its key", async (t) => {
    const [good, bad] = await Promise.all([authority.svid("/ns/authz/sa/svidgate"), authority.svid("/x")]);
    const { api, log, stream, server, clock } = await startForSvid(t);
    stream.send(x509Svids(wire(good)));
    await log.next(/^svid/);
    const held = api.ownSvid();
    stream.send(x509Svids({ ...wire(good), x509_svid_key: wire(bad).x509_svid_key }));
    await log.next(/^stream x509_svid connected: the own SVID was discarded: the key is not the certificate's/);
    stream.send(x509Svids());
    await log.next(/^stream x509_svid connected: the message was discarded: no_svids/);
    stream.fail(STATUS.PERMISSION_DENIED, "no identity issued");
    await log.next(/^stream x509_svid denied/);
    clock.advanceMs(1_000);
    (await server.next("FetchX509SVID")).end();
    await log.next(/^stream x509_svid connecting: the server ended the stream/);
    assert.equal(api.ownSvid(), held);
    const text = JSON.stringify(api.status()) + log.lines.join("\n");
    for (const pem of [good.privateKeyPem, bad.privateKeyPem]) assert.ok(!text.includes(pem.split("\n")[2] ?? "?"));
  });
});

describe("a fault of our own while a message is taken", () => {
  it("is told as one and ends neither the process nor the stream", async (t) => {
    const server = await startWorkloadApiServer(t, makeSocketFolder(t));
    const { api, log } = startTestedClient(t, server.socket, true);
    const issued = await authority.svid("/svidgate");
    const message = x509Svids({
      spiffe_id: `${TD}/svidgate`,
      x509_svid: toDer(issued.certificatePem),
      x509_svid_key: createPrivateKey(issued.privateKeyPem).export({ format: "der", type: "pkcs8" }),
    });
    const stop = api.onSvid(() => {
      throw new Error("listener\u001b[2J");
    });
    const stream = await server.next("FetchX509SVID");
    stream.send(message);
    const line = await log.next(/^stream x509_svid connected: a fault of svidgate's own: Error: listener/);
    assert.ok(!line.includes("\u001b"));
    stop();
    stream.send(message);
    await log.next(/^stream x509_svid connected$/);
    assert.equal(server.opened("FetchX509SVID"), 1);
  });
});

describe("a lost server", () => {
  it("leaves the bundles, as no longer live, and is asked again after 1, 2, 4 … 30 s, and after 1 s when it was back", async (t) => {
    const world = await startWithBundle(t);
    await world.server.stop();
    const refused = async (): Promise<void> => {
      await world.log.next(/^failed \* /);
      await world.log.next(/^failed \* /);
    };
    await refused();
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
    world.clock.advanceMs(500);
    assert.equal(world.bundles.ageSeconds("example.org", world.clock.unixMs()), 0.5);
    assert.equal(world.clock.timers.nextMs, 500);
    world.clock.advanceMs(500);
    for (const nextMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      await refused();
      assert.equal(world.clock.timers.nextMs, nextMs);
      assert.equal(world.clock.timers.pending, 2);
      if (streamOf(world, "x509_bundles").attempts < 7) world.clock.advanceMs(nextMs);
    }
    const again = await startWorkloadApiServer(t, world.server.socket.slice("unix://".length).replace(/\/[^/]*$/, ""));
    world.clock.advanceMs(30_000);
    (await again.next("FetchX509Bundles")).send(x509Bundles({ [TD]: one }));
    const jwt = await again.next("FetchJWTBundles");
    jwt.send(jwtBundles({ [TD]: KEYS }));
    await world.log.next(/^live example.org true/);
    assert.equal(world.bundles.ageSeconds("example.org", world.clock.unixMs()), 0);
    jwt.end();
    await world.log.next(/^stream jwt_bundles connecting: the server ended the stream/);
    assert.equal(world.clock.timers.nextMs, 1_000);
    world.clock.advanceMs(1_000);
    await again.next("FetchJWTBundles");
  });

  it("is no obstacle to the start: ready resolves when it has refused, and nothing is trusted", async (t) => {
    const world = startTestedClient(t, `unix://${makeSocketFolder(t)}/nobody.sock`, true);
    await world.api.ready;
    assert.deepEqual(
      world.api.status().streams.map(({ name, state, attempts }) => ({ name, state, attempts })),
      ["x509_bundles", "jwt_bundles", "x509_svid"].map((name) => ({ name, state: "connecting", attempts: 1 })),
    );
    assert.deepEqual(world.bundles.list(world.clock.unixMs()), []);
  });

  it("that says nothing holds the start up for 10 s and is left after 60 s", async (t) => {
    const world = await start(t);
    world.clock.advanceMs(10_000);
    await world.api.ready;
    assert.equal(streamOf(world, "jwt_bundles").state, "connecting");
    world.clock.advanceMs(50_000);
    await Promise.all([world.x509.left, world.jwt.left]);
    assert.match(streamOf(world, "jwt_bundles").problem ?? "", /^deadline_exceeded: no message within 60 s/);
    world.clock.advanceMs(1_000);
    await world.server.next("FetchX509Bundles");
  });
});

describe("one lost stream of two", () => {
  it("makes the whole trust domain age, though the other one repeats itself", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.end();
    await world.log.next(/^stream jwt_bundles connecting/);
    world.clock.advanceMs(700);
    world.x509.send(x509Bundles({ [TD]: one, [OTHER]: two }));
    await world.log.next(/^live other.test true/);
    assert.equal(world.bundles.ageSeconds("example.org", world.clock.unixMs()), 0.7);
    assert.equal(world.bundles.ageSeconds("other.test", world.clock.unixMs() + 5_000), 0);
    world.clock.advanceMs(300);
    (await world.server.next("FetchJWTBundles")).send(jwtBundles({ [TD]: KEYS }));
    await world.log.next(/^live example.org true/);
    assert.equal(world.bundles.ageSeconds("example.org", world.clock.unixMs() + 5_000), 0);
  });

  it("that never gave anything keeps the other's trust domains from nothing", async (t) => {
    const world = await start(t);
    world.jwt.fail(STATUS.PERMISSION_DENIED, "no");
    await world.log.next(/^stream jwt_bundles denied/);
    world.x509.send(x509Bundles({ [TD]: one }));
    await world.log.next(/^live example.org true/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: [] });
  });
});

describe("codes of the server", () => {
  it("PERMISSION_DENIED: no entry yet, asked again until there is one", async (t) => {
    const world = await start(t);
    world.x509.fail(STATUS.PERMISSION_DENIED, "no identity issued");
    world.jwt.fail(STATUS.PERMISSION_DENIED, "no identity issued");
    await world.log.next(/^stream x509_bundles denied: .*registration entry.*: no identity issued/);
    await world.api.ready;
    world.clock.advanceMs(1_000);
    (await world.server.next("FetchX509Bundles")).send(x509Bundles({ [TD]: one }));
    await world.log.next(/^stream x509_bundles connected/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: [] });
    assert.equal(streamOf(world, "x509_bundles").attempts, 0);
  });

  it("PERMISSION_DENIED for a minute on end takes away what was given", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.fail(STATUS.PERMISSION_DENIED, "no identity issued");
    for (const nextMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]) {
      await world.log.next(/^failed \* .*denied/);
      assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
      world.clock.advanceMs(nextMs);
      (await world.server.next("FetchJWTBundles")).fail(STATUS.PERMISSION_DENIED, "no identity issued");
    }
    await world.log.next(/^replace example.org x509=1 jwt=0/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: [] });
    assert.equal(streamOf(world, "jwt_bundles").state, "denied");
  });

  it("UNIMPLEMENTED for a minute on end takes away what was given, and is asked again each five minutes", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.fail(STATUS.UNIMPLEMENTED, "no");
    for (const nextMs of [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]) {
      await world.log.next(/^failed \* .*not offered/);
      assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
      assert.equal(world.clock.timers.nextMs, nextMs);
      world.clock.advanceMs(nextMs);
      (await world.server.next("FetchJWTBundles")).fail(STATUS.UNIMPLEMENTED, "no");
    }
    await world.log.next(/^replace example.org x509=1 jwt=0/);
    assert.equal(streamOf(world, "jwt_bundles").state, "stopped");
    assert.equal(
      world.bundles.ageSeconds("example.org", world.clock.unixMs() + 5_000),
      0,
      "certificates are still live",
    );
    assert.equal(world.clock.timers.nextMs, 300_000);
    world.clock.advanceMs(300_000);
    (await world.server.next("FetchJWTBundles")).send(jwtBundles({ [TD]: KEYS }));
    await world.log.next(/^stream jwt_bundles connected/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
  });

  it("UNIMPLEMENTED of a wrong server on the socket for a moment costs nothing", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.fail(STATUS.UNIMPLEMENTED, "no");
    await world.log.next(/^stream jwt_bundles stopped/);
    world.clock.advanceMs(1_000);
    (await world.server.next("FetchJWTBundles")).send(jwtBundles({ [TD]: KEYS }));
    await world.log.next(/^stream jwt_bundles connected/);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
    assert.ok(!world.log.lines.some((line) => line.startsWith("withdraw")));
  });

  it("INVALID_ARGUMENT: a fault of ours or a wrong server, the bundles stay, and after a minute it is asked rarely", async (t) => {
    const world = await startWithBundle(t);
    world.x509.fail(STATUS.INVALID_ARGUMENT, "security header missing");
    await world.log.next(/^stream x509_bundles stopped: refused as a wrong request.*security header missing/);
    for (const nextMs of [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000]) {
      assert.equal(world.clock.timers.nextMs, nextMs);
      world.clock.advanceMs(nextMs);
      (await world.server.next("FetchX509Bundles")).fail(STATUS.INVALID_ARGUMENT, "security header missing");
      await world.log.next(/^failed \* .*refused as a wrong request/);
    }
    assert.equal(world.clock.timers.nextMs, 300_000);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
  });

  it("details that would disturb a terminal are escaped and cut", async (t) => {
    const world = await start(t);
    world.x509.fail(STATUS.RESOURCE_EXHAUSTED, `\u001b[2J${"x".repeat(500)}`);
    const line = await world.log.next(/^stream x509_bundles connecting: resource_exhausted: /);
    assert.match(line, /\\u001b\[2Jx+$/);
    assert.ok(line.length < 300);
  });
});

describe("reload", () => {
  it("opens at once what is not connected, and leaves alone what is", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.fail(STATUS.INVALID_ARGUMENT, "no");
    await world.log.next(/^stream jwt_bundles stopped/);
    world.api.reload();
    (await world.server.next("FetchJWTBundles")).send(jwtBundles({ [TD]: KEYS }));
    await world.log.next(/^stream jwt_bundles connected/);
    assert.equal(world.clock.timers.pending, 0);
    assert.deepEqual([world.server.opened("FetchX509Bundles"), world.server.opened("FetchJWTBundles")], [1, 2]);
  });

  it("does nothing after close", async (t) => {
    const world = await start(t);
    world.api.close();
    await world.api.ready;
    world.api.reload();
    assert.equal(world.clock.timers.pending, 0);
    assert.equal(streamOf(world, "x509_bundles").attempts, 1);
  });
});

describe("close", () => {
  it("leaves the server, keeps no timer, tells nothing more, and the bundles are no longer live", async (t) => {
    const world = await startWithBundle(t);
    world.jwt.end();
    await world.log.next(/^stream jwt_bundles connecting/);
    assert.equal(world.clock.timers.pending, 1);
    world.api.close();
    world.api.close();
    await world.x509.left;
    assert.equal(world.clock.timers.pending, 0);
    assert.deepEqual(authorities(world), { x509: 1, jwt: ["k1"] });
    assert.equal(world.bundles.ageSeconds("example.org", world.clock.unixMs() + 5_000), 5);
    assert.match(world.log.lines.at(-1) ?? "", /^(live example.org false|stream jwt_bundles connecting)/);
  });

  it("while the first attempt is under way resolves ready", async (t) => {
    const world = await start(t);
    world.api.close();
    await world.api.ready;
    assert.equal(world.clock.timers.pending, 0);
  });
});

describe("a wrong address", () => {
  it("stops every stream with a sentence that says what to write", async (t) => {
    const world = startTestedClient(t, "127.0.0.1:8081", true);
    await world.api.ready;
    for (const { state, problem } of world.api.status().streams) {
      assert.equal(state, "stopped");
      assert.match(problem ?? "", /`127.0.0.1:8081` is no address of a Workload API: write `unix:/);
    }
    assert.match(world.log.lines.join("\n"), /^failed \* svidgate.identity.workload_api: `127/);
    world.api.close();
    assert.equal(world.clock.timers.pending, 0);
  });
});
