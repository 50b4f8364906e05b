// Who may ask where there is no `client_ca`: clients are judged by the trust bundle of their own trust domain, at the handshake
// and again when the bundle changes. Real authorities, real sockets.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls, createSecureContext, type SecureVersion } from "node:tls";
import { status } from "../../src/base/grpc.ts";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import type { ClientObjection, ClientTrust } from "../../src/server/tls-client.ts";
import { toTlsMaterial } from "../../src/server/tls-material.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { makeFolder } from "../support/open-check-server.ts";
import { Random } from "../support/random.ts";
import { createRoot } from "../support/svid-chain.ts";
import {
  createTestBundles,
  dial,
  loadMaterial,
  openTlsWorld,
  portOf,
  type TestBundles,
  type TlsClient,
  type TlsWorld,
} from "../support/tls-server.ts";

const ENVOY = "spiffe://example.org/ns/edge/sa/envoy";
const PARTNER = "spiffe://partner.example/gateway";
const HOUR_MS = 3_600_000;
const OK = String(status.OK);
const UNAUTHENTICATED = String(status.UNAUTHENTICATED);

const [root, next, partner] = await Promise.all([createRoot(), createRoot("CN=next"), createRoot("CN=partner")]);
const [middle, sameName] = await Promise.all([root.authority("CN=middle"), createRoot("CN=root")]);
const low = await middle.authority("CN=low");
const [own, envoy, fromNext, fromMiddle, fromLow, gateway] = await Promise.all([
  root.leaf(["spiffe://example.org/ns/authz/sa/svidgate"]),
  root.leaf([ENVOY]),
  next.leaf([ENVOY]),
  middle.leaf([ENVOY]),
  low.leaf([ENVOY]),
  partner.leaf([PARTNER]),
]);
const strangers = await Promise.all(Array.from({ length: 30 }, (_, at) => createRoot(`CN=stranger ${at}`)));

interface BundleWorld extends TlsWorld {
  readonly bundles: TestBundles;
}

async function open(
  t: TestContext,
  trust: Partial<ClientTrust> = {},
  more: { clock?: ReturnType<typeof createManualClock>; address?: string } = {},
): Promise<BundleWorld> {
  const bundles = createTestBundles({
    "example.org": [root.certificatePem],
    "partner.example": [partner.certificatePem],
  });
  const material = await loadMaterial(t, own, { clientSpiffeIds: [ENVOY, PARTNER] });
  assert.equal(material.clientProof, "bundles");
  const { clock, address } = more;
  const accept = { trust: { bundles, ...trust }, ...(clock && { clock }) };
  return { ...(await openTlsWorld(t, material, accept, address)), bundles };
}

const replaceTls = (world: TlsWorld, material: Awaited<ReturnType<typeof loadMaterial>>): void => {
  for (const acceptor of world.server.acceptors) acceptor.replaceTls(material);
};

describe("a client without client_ca", () => {
  const admitted: readonly (readonly [name: string, client: TlsClient, spiffeId: string])[] = [
    ["signed by an authority of the bundle", { certificate: envoy }, ENVOY],
    ["of another trust domain, by that one's bundle", { certificate: gateway }, PARTNER],
    ["below an intermediate that it sends", { certificate: fromMiddle, behind: [middle.certificatePem] }, ENVOY],
    [
      "below two intermediates, with strangers before and between them and the root behind",
      {
        certificate: fromLow,
        behind: [
          ...strangers.slice(0, 3).map(({ certificatePem }) => certificatePem),
          low.certificatePem,
          ...strangers.slice(3, 5).map(({ certificatePem }) => certificatePem),
          middle.certificatePem,
          root.certificatePem,
        ],
      },
      ENVOY,
    ],
    [
      "with its intermediate behind more certificates than are looked at",
      {
        certificate: fromMiddle,
        behind: [...strangers.map(({ certificatePem }) => certificatePem), middle.certificatePem],
      },
      ENVOY,
    ],
  ];
  for (const [name, client, spiffeId] of admitted) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const satisfies readonly SecureVersion[]) {
      it(`is let in when it is ${name}, over ${version}`, async (t) => {
        const world = await open(t);
        const dialed = dial(t, world.address, { ...client, minVersion: version, maxVersion: version });
        assert.equal(await dialed.check(), OK, JSON.stringify(world.refusals));
        assert.equal(dialed.socket.getProtocol(), version);
        assert.deepEqual(world.peps, [{ address: "127.0.0.1", spiffeId, verified: true }]);
        assert.deepEqual(world.refusals, []);
      });
    }
  }

  const late = { notAfterUnixMs: Date.now() - 1000 };
  const refused: readonly (readonly [
    name: string,
    reason: string,
    detail: RegExp,
    client: () => Promise<TlsClient> | TlsClient,
  ])[] = [
    ["no certificate", "client_certificate_missing", /^$/, () => ({})],
    [
      "the right ID from a stranger",
      "client_certificate_untrusted",
      /^untrusted/,
      async () => ({ certificate: await strangers[0]?.leaf([ENVOY]) }),
    ],
    [
      "the right ID from an authority of the right name",
      "client_certificate_untrusted",
      /^untrusted/,
      async () => ({ certificate: await sameName.leaf([ENVOY]) }),
    ],
    [
      "the right ID from another trust domain's authority",
      "client_certificate_untrusted",
      /^untrusted/,
      async () => ({ certificate: await partner.leaf([ENVOY]), behind: [root.certificatePem] }),
    ],
    [
      "an intermediate that it does not send",
      "client_certificate_untrusted",
      /^untrusted/,
      () => ({ certificate: fromMiddle }),
    ],
    [
      "its intermediates in the wrong order, which TLS 1.2 forbids and Node does not mend",
      "client_certificate_untrusted",
      /^untrusted/,
      () => ({ certificate: fromLow, behind: [middle.certificatePem, low.certificatePem] }),
    ],
    [
      "an ID that is not listed, unproven",
      "client_not_allowed",
      /^not verified: spiffe:\/\/example\.org\/ns\/edge\/sa\/other$/,
      async () => ({ certificate: await strangers[0]?.leaf(["spiffe://example.org/ns/edge/sa/other"]) }),
    ],
    [
      "two IDs, both listed",
      "client_certificate_invalid",
      /^uri_san_count: 2 URI names/,
      async () => ({ certificate: await root.leaf([ENVOY, PARTNER]) }),
    ],
    [
      "no ID",
      "client_certificate_invalid",
      /^uri_san_count: 0 URI names/,
      async () => ({
        certificate: await root.leaf([], {
          extensions: (x509) => [
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
            new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "envoy" }]),
          ],
        }),
      }),
    ],
    [
      "another spelling of its ID",
      "client_certificate_invalid",
      /^spiffe_id: trailing_slash/,
      async () => ({ certificate: await root.leaf([`${ENVOY}/`]) }),
    ],
    [
      "an expired certificate",
      "client_certificate_expired",
      /^expired/,
      async () => ({ certificate: await root.leaf([ENVOY], late) }),
    ],
    [
      "a certificate that has not begun",
      "client_certificate_expired",
      /^not_yet_valid/,
      async () => ({ certificate: await root.leaf([ENVOY], { notBeforeUnixMs: Date.now() + 120_000 }) }),
    ],
    [
      "an expired intermediate",
      "client_certificate_expired",
      /^expired/,
      async () => {
        const old = await root.authority("CN=old", late);
        return { certificate: await old.leaf([ENVOY]), behind: [old.certificatePem] };
      },
    ],
    [
      "a leaf as its intermediate",
      "client_certificate_untrusted",
      /^(ca_flags|untrusted)/,
      async () => {
        const leaf = await root.authority("O=SPIRE", {
          extensions: (x509) => [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          ],
        });
        return { certificate: await leaf.leaf([ENVOY]), behind: [leaf.certificatePem] };
      },
    ],
    [
      "two subject alternative names, the listed one first",
      "client_certificate_invalid",
      /^dup_extension/,
      async () => ({
        certificate: await root.leaf([], {
          extensions: (x509) =>
            [ENVOY, PARTNER].map(
              (value) => new x509.SubjectAlternativeNameExtension([{ type: "url", value }]) as never,
            ),
        }),
      }),
    ],
  ];
  for (const [name, reason, detail, client] of refused) {
    it(`is refused before any check with ${name}: ${reason}`, async (t) => {
      const world = await open(t);
      assert.equal(await dial(t, world.address, await client()).check(), "closed");
      const refusal = await world.refused();
      assert.equal(refusal.reason, reason, JSON.stringify(refusal));
      assert.match(refusal.detail ?? "", detail);
      assert.equal(refusal.spiffeId, undefined);
      assert.deepEqual(world.peps, []);
      assert.equal(world.server.acceptors[0]?.accepted, 0);
    });
  }

  it("is refused where its trust domain has no bundle, one without keys, or nobody has bundles", async (t) => {
    const world = await open(t);
    world.bundles.withdraw("partner.example");
    assert.equal(await dial(t, world.address, { certificate: gateway }).check(), "closed");
    world.bundles.set("partner.example");
    assert.equal(await dial(t, world.address, { certificate: gateway }).check(), "closed");
    const without = await openTlsWorld(t, await loadMaterial(t, own, { clientSpiffeIds: [ENVOY] }));
    assert.equal(await dial(t, without.address, { certificate: envoy }).check(), "closed");
    const reasons = [...world.refusals, ...without.refusals].map(({ reason }) => reason);
    assert.deepEqual(reasons, ["no_client_bundle", "no_client_bundle", "no_client_bundle"]);
  });

  it("is refused with any byte of its certificate changed", async (t) => {
    const world = await open(t);
    const random = new Random(20_261_122);
    const der = new X509Certificate(envoy.certificatePem).raw;
    let tried = 0;
    while (tried < 60) {
      const bytes = Buffer.from(der);
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      const certificatePem = `-----BEGIN CERTIFICATE-----\n${bytes.toString("base64")}\n-----END CERTIFICATE-----\n`;
      if (!isUsable(certificatePem, envoy)) continue;
      tried++;
      const ended = await dial(t, world.address, { certificate: { ...envoy, certificatePem } }).check();
      assert.equal(ended, "closed", `byte ${at}`);
    }
    assert.equal(world.refusals.length, tried);
    assert.equal(await dial(t, world.address, { certificate: envoy }).check(), OK);
  });

  it("is not let back in by a session: each connection is a whole handshake", async (t) => {
    const world = await open(t);
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const versions = { certificate: envoy, minVersion: version, maxVersion: version };
      const first = dial(t, world.address, versions);
      let session: Buffer | undefined;
      first.socket.on("session", (given) => {
        session = given;
      });
      assert.equal(await first.check(), OK);
      session ??= first.socket.getSession();
      const again = dial(t, world.address, { ...versions, ...(session && { session }) });
      assert.equal(await again.check(), OK);
      assert.equal(again.socket.isSessionReused(), false);
    }
  });

  it("cannot change who it is by renegotiating", async (t) => {
    const world = await open(t);
    // Without HTTP/2 on the client's side, which does not bear it.
    const socket = connectTls({
      port: portOf(world.address),
      rejectUnauthorized: false,
      cert: envoy.certificatePem,
      key: envoy.privateKeyPem,
      maxVersion: "TLSv1.2",
      ALPNProtocols: ["h2"],
    });
    t.after(() => socket.destroy());
    await new Promise((resolve) => socket.resume().once("secureConnect", resolve));
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once("error", resolve));
    socket.renegotiate({ rejectUnauthorized: false }, () => undefined);
    assert.equal((await failed).code, "ERR_SSL_NO_RENEGOTIATION");
    assert.equal(await dial(t, world.address, { certificate: envoy }).check(), OK);
  });

  it("is served over IPv6 and over a unix socket", async (t) => {
    for (const [address, shown] of [
      ["[::1]:0", "::1"],
      [`unix:${join(makeFolder(t), "s")}`, "unix"],
    ] as const) {
      const world = await open(t, {}, { address });
      assert.equal(await dial(t, world.address, { certificate: envoy }).check(), OK);
      assert.deepEqual(world.peps, [{ address: shown, spiffeId: ENVOY, verified: true }]);
      assert.equal(await dial(t, world.address, {}).check(), "closed");
      assert.equal((await world.refused()).reason, "client_certificate_missing");
    }
  });

  it("that speaks no TLS, or sends a flood of certificates, harms nobody", async (t) => {
    const world = await open(t);
    const socket = connectSocket(portOf(world.address), "127.0.0.1");
    socket.on("error", () => undefined).resume();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await new Promise((resolve) => socket.on("close", resolve));
    const flood = Array.from({ length: 10 }, () => strangers.map(({ certificatePem }) => certificatePem)).flat();
    assert.equal(await dial(t, world.address, { certificate: envoy, behind: flood }).check(), "closed");
    assert.deepEqual(
      world.refusals.map(({ reason }) => reason),
      ["handshake_failed", "handshake_failed"],
    );
    assert.equal(await dial(t, world.address, { certificate: envoy }).check(), OK);
  });
});

describe("a connection whose trust bundle changes", () => {
  it("goes on while an authority of the new bundle has signed it, and is asked about once for each generation", async (t) => {
    const world = await open(t);
    const dialed = dial(t, world.address, { certificate: envoy });
    assert.equal(await dialed.check(), OK);
    world.bundles.set("example.org", root.certificatePem, next.certificatePem);
    assert.equal(await dialed.check(), OK);
    assert.equal(await dial(t, world.address, { certificate: fromNext }).check(), OK);
    const { asked } = world.bundles;
    assert.equal(await dialed.check(), OK);
    assert.equal(world.bundles.asked, asked + 1, "the generation is looked at, the path is not searched");
    assert.deepEqual(world.refusals, []);
  });

  const ends: readonly (readonly [
    name: string,
    change: (bundles: TestBundles) => void,
    reason: string,
    sentence: RegExp,
  ])[] = [
    [
      "its authority is gone",
      (bundles) => bundles.set("example.org", next.certificatePem),
      "client_certificate_untrusted",
      /^the client certificate is not trusted$/,
    ],
    [
      "the bundle revokes everything",
      (bundles) => bundles.set("example.org"),
      "no_client_bundle",
      /^nothing vouches for the client's trust domain$/,
    ],
    [
      "the trust domain is withdrawn",
      (bundles) => bundles.withdraw("example.org"),
      "no_client_bundle",
      /^nothing vouches for the client's trust domain$/,
    ],
  ];
  for (const [name, change, reason, sentence] of ends) {
    it(`is refused at its next check when ${name}, is told so, counted once, and ends`, async (t) => {
      const world = await open(t);
      const peer = world.connect({}, { caPem: root.certificatePem, certificate: envoy });
      const other = dial(t, world.address, { certificate: gateway });
      assert.ok("bytes" in (await peer.call("/envoy.service.auth.v3.Authorization/Check", Buffer.alloc(0))));
      assert.equal(await other.check(), OK);
      change(world.bundles);
      const [ended, again] = await Promise.all(
        [0, 1].map(() => peer.call("/envoy.service.auth.v3.Authorization/Check", Buffer.alloc(0))),
      );
      assert.ok(ended !== undefined && "code" in ended && ended.code === status.UNAUTHENTICATED);
      assert.match(ended.details, sentence);
      assert.ok(again !== undefined && "code" in again);
      assert.deepEqual(
        world.refusals.map((refusal) => [refusal.reason, refusal.spiffeId]),
        [[reason, ENVOY]],
      );
      assert.equal(await dial(t, world.address, { certificate: envoy }).check(), "closed");
      assert.equal(await other.check(), OK, "another trust domain is not touched");
      assert.equal(world.peps.length, 3);
    });
  }

  it("is asked to come back without a check, where connections are reviewed after the change", async (t) => {
    const world = await open(t);
    const [mine, other] = [
      dial(t, world.address, { certificate: envoy }),
      dial(t, world.address, { certificate: gateway }),
    ];
    assert.deepEqual([await mine.check(), await other.check()], [OK, OK]);
    await world.server.listener.review();
    assert.deepEqual([await mine.check(), await other.check()], [OK, OK]);
    const goaway = new Promise((resolve) => mine.session.once("goaway", resolve));
    world.bundles.set("example.org", next.certificatePem);
    await world.server.listener.review();
    await goaway;
    await new Promise((resolve) => mine.session.once("close", resolve));
    assert.deepEqual(
      world.refusals.map(({ reason, spiffeId }) => [reason, spiffeId]),
      [["client_certificate_untrusted", ENVOY]],
    );
    assert.equal(await other.check(), OK, "another trust domain is not touched");
    assert.equal(await dial(t, world.address, { certificate: fromNext }).check(), OK);
  });

  it("is reviewed by what counts at the end, however many changes come during a review", async (t) => {
    const world = await open(t);
    const mine = dial(t, world.address, { certificate: envoy });
    const other = dial(t, world.address, { certificate: gateway });
    assert.deepEqual([await mine.check(), await other.check()], [OK, OK]);
    const closed = new Promise((resolve) => mine.session.once("close", resolve));
    const first = world.server.listener.review();
    world.bundles.set("example.org", next.certificatePem);
    const second = world.server.listener.review();
    assert.equal(first, second, "one at a time");
    await second;
    await closed;
    assert.equal(await other.check(), OK);
  });

  it("is reviewed though another one's review fails by our fault", async (t) => {
    let isBroken = false;
    const held = createTestBundles({
      "example.org": [root.certificatePem],
      "partner.example": [partner.certificatePem],
    });
    const find: typeof held.find = (trustDomain) => {
      if (isBroken && trustDomain === "partner.example") throw new Error("a fault");
      return held.find(trustDomain);
    };
    const world = await open(t, { bundles: { find } });
    const other = dial(t, world.address, { certificate: gateway });
    assert.equal(await other.check(), OK);
    const mine = dial(t, world.address, { certificate: envoy });
    assert.equal(await mine.check(), OK);
    const closed = new Promise((resolve) => mine.session.once("close", resolve));
    isBroken = true;
    held.set("example.org", next.certificatePem);
    await world.server.listener.review();
    await closed;
    assert.deepEqual(world.faults.map(String), ["Error: a fault"]);
  });

  it("stays refused when the bundle comes back, and a new connection is let in", async (t) => {
    const world = await open(t);
    const dialed = dial(t, world.address, { certificate: envoy });
    assert.equal(await dialed.check(), OK);
    world.bundles.set("example.org");
    assert.equal(await dialed.check(), UNAUTHENTICATED);
    world.bundles.set("example.org", root.certificatePem);
    assert.equal(await dial(t, world.address, { certificate: envoy }).check(), OK);
  });
});

describe("a connection that grows old", () => {
  const expiries: readonly (readonly [name: string, client: () => Promise<TlsClient>])[] = [
    ["its leaf", async () => ({ certificate: await root.leaf([ENVOY], { notAfterUnixMs: Date.now() + HOUR_MS / 2 }) })],
    [
      "its intermediate",
      async () => {
        const brief = await root.authority("CN=brief", { notAfterUnixMs: Date.now() + HOUR_MS / 2 });
        return { certificate: await brief.leaf([ENVOY]), behind: [brief.certificatePem] };
      },
    ],
  ];
  for (const [name, client] of expiries) {
    it(`is refused once ${name} has expired`, async (t) => {
      const clock = createManualClock(Date.now());
      const world = await open(t, {}, { clock });
      const dialed = dial(t, world.address, await client());
      assert.equal(await dialed.check(), OK);
      clock.advanceMs(HOUR_MS / 2 - 5000);
      assert.equal(await dialed.check(), OK);
      clock.advanceMs(6000);
      assert.equal(await dialed.check(), UNAUTHENTICATED);
      assert.equal((await world.refused()).reason, "client_certificate_expired");
    });
  }

  it("is asked to come back before the first end in its path", async (t) => {
    const world = await open(t);
    const brief = await root.authority("CN=brief", { notAfterUnixMs: Date.now() + 2000 });
    const dialed = dial(t, world.address, { certificate: await brief.leaf([ENVOY]), behind: [brief.certificatePem] });
    assert.equal(await dialed.check(), OK);
    await new Promise((resolve) => dialed.session.once("goaway", resolve));
    assert.deepEqual(world.refusals, []);
  });

  it("meets what else speaks against it: at the handshake, and at each check", async (t) => {
    let objection: ClientObjection | undefined;
    const seen = new Set<string>();
    const world = await open(t, {
      object: (certificate) => {
        seen.add(`${certificate.spiffeId.id} ${certificate.fingerprintSha256}`);
        return objection;
      },
    });
    const [first, second] = [0, 1].map(() => dial(t, world.address, { certificate: envoy }));
    assert.equal(await first?.check(), OK);
    assert.equal(await second?.check(), OK);
    objection = { code: "revoked", detail: "key stolen" };
    assert.equal(await first?.check(), UNAUTHENTICATED);
    objection = { code: "bundle_stale" };
    assert.equal(await second?.check(), UNAUTHENTICATED);
    assert.equal(await dial(t, world.address, { certificate: envoy }).check(), "closed");
    assert.deepEqual(
      world.refusals.map(({ reason, detail, spiffeId }) => [reason, detail, spiffeId]),
      [
        ["client_not_allowed", "revoked: key stolen", ENVOY],
        ["no_client_bundle", "bundle_stale", ENVOY],
        ["no_client_bundle", "bundle_stale", ENVOY],
      ],
    );
    const fingerprint = new X509Certificate(envoy.certificatePem).fingerprint256.replaceAll(":", "").toLowerCase();
    assert.deepEqual([...seen], [`${ENVOY} ${fingerprint}`]);
  });
});

describe("replacing material where clients are judged by bundles", () => {
  it("keeps connections and the call in flight when our own SVID rotates, and shows the new one to new clients", async (t) => {
    const world = await open(t);
    const dialed = dial(t, world.address, { certificate: envoy });
    assert.equal(await dialed.check(), OK);
    const renewed = await middle.leaf(["spiffe://example.org/ns/authz/sa/svidgate"]);
    const svid = {
      spiffeId: "spiffe://example.org/ns/authz/sa/svidgate",
      certificateChain: [renewed.certificatePem, middle.certificatePem].map((pem) => new X509Certificate(pem).raw),
      privateKeyPkcs8: createPrivateKey(renewed.privateKeyPem).export({ format: "der", type: "pkcs8" }),
      notBeforeUnixMs: 0,
      notAfterUnixMs: 0,
    };
    const clients = { clientSpiffeIds: [ENVOY], minVersion: "1.2" as const };
    const checked = toTlsMaterial(svid, clients, Date.now(), { problems: [], warnings: [] });
    assert.ok(checked.ok, checked.ok ? "" : checked.problems.join());
    const around = await dialed.checkAround(async () => {
      while (world.server.listener.checksInFlight === 0) await new Promise((resolve) => setImmediate(resolve));
      replaceTls(world, checked.material);
    });
    assert.equal(around, OK);
    assert.equal(await dialed.check(), OK);
    assert.equal(world.server.acceptors[0]?.accepted, 1);
    const fresh = dial(t, world.address, { certificate: envoy, ca: root.certificatePem, checkServerIdentity: noName });
    assert.equal(await fresh.check(), OK);
    assert.equal(fresh.socket.authorized, true, "the intermediate is sent");
    assert.equal(fresh.socket.getPeerCertificate().raw.equals(new X509Certificate(renewed.certificatePem).raw), true);
  });

  it("ends what a client asks that is not listed any more", async (t) => {
    const world = await open(t);
    const dialed = dial(t, world.address, { certificate: envoy });
    assert.equal(await dialed.check(), OK);
    replaceTls(world, await loadMaterial(t, own, { clientSpiffeIds: [PARTNER] }));
    assert.equal(await dialed.check(), UNAUTHENTICATED);
    assert.deepEqual([world.refusals[0]?.reason, world.refusals[0]?.spiffeId], ["client_not_allowed", ENVOY]);
  });

  it("judges clients anew by bundles when client_ca goes, and lets nobody stay who proved nothing", async (t) => {
    const bundles = createTestBundles({ "example.org": [root.certificatePem] });
    const ca = { clientCaPem: next.certificatePem + root.certificatePem, clientSpiffeIds: [ENVOY] };
    const world = await openTlsWorld(t, await loadMaterial(t, own, ca), { trust: { bundles } });
    const [good, bad] = [envoy, fromNext].map((certificate) => dial(t, world.address, { certificate }));
    assert.equal(await good?.check(), OK);
    assert.equal(await bad?.check(), OK);
    replaceTls(world, await loadMaterial(t, own, { clientSpiffeIds: [ENVOY] }));
    assert.equal(await good?.check(), OK);
    assert.equal(await bad?.check(), UNAUTHENTICATED);
    assert.equal(world.refusals[0]?.reason, "client_certificate_untrusted");

    const open = await openTlsWorld(t, await loadMaterial(t, own), { trust: { bundles } });
    const nobody = dial(t, open.address, {});
    assert.equal(await nobody.check(), OK);
    replaceTls(open, await loadMaterial(t, own, { clientSpiffeIds: [ENVOY] }));
    assert.equal(await nobody.check(), UNAUTHENTICATED);
  });
});

const noName = (): undefined => undefined;

/** Whether OpenSSL lets a client show it: the key must still fit. */
function isUsable(certificatePem: string, { privateKeyPem }: IssuedCertificate): boolean {
  try {
    createSecureContext({ cert: certificatePem, key: privateKeyPem });
    return true;
  } catch {
    return false;
  }
}
