// The demo's certificates and tokens under the verifiers that it shows, and its mTLS client against Node's own TLS server.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { AUDIENCE, CALLERS, type CallerName, createCredentials, SERVICE_ID } from "../../../src/cli/demo/callers.ts";
import { callOverMtls } from "../../../src/cli/demo/mtls-client.ts";
import { verifyJwtSvid } from "../../../src/identity/jwt-svid.ts";
import { parseTrustBundle } from "../../../src/identity/trust-bundle.ts";
import { verifyX509Svid } from "../../../src/identity/x509-svid.ts";

const NOW = Date.now();
const certificates = await createCredentials(NOW);
const bundle = new X509Certificate(certificates.bundlePem);

let server: Server;
before(async () => {
  const { certificatePem, privateKeyPem } = certificates.service;
  server = createServer(
    {
      cert: certificatePem,
      key: privateKeyPem,
      ca: certificates.bundlePem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      const { subjectaltname } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(`${request.method} ${request.url} ${subjectaltname}`);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const call = (caller: CallerName, serverId: string = SERVICE_ID) =>
  callOverMtls(
    {
      port: (server.address() as AddressInfo).port,
      bundlePem: certificates.bundlePem,
      serverId,
      certificate: certificates.callers[caller],
    },
    { method: "GET", path: "/orders%2F..//x/%zz" },
  );

it("gives the good callers valid SVIDs of the trust domain that end within the hour", () => {
  for (const [name, { id }] of Object.entries(CALLERS)) {
    if (id === undefined || ["impostor", "expired", "yearLong"].includes(name)) continue;
    const leaf = new X509Certificate(certificates.callers[name as CallerName]?.certificatePem ?? "");
    assert.equal(leaf.subjectAltName, `URI:${id}`);
    assert.ok(leaf.checkIssued(bundle) && leaf.verify(bundle.publicKey), name);
    assert.ok(Date.parse(leaf.validFrom) <= NOW && Date.parse(leaf.validTo) > NOW);
    assert.ok(Date.parse(leaf.validTo) <= NOW + 3_600_000);
  }
});

it("makes the forged one differ in its authority alone, the expired and the year-long one in their dates alone", () => {
  const read = (name: CallerName) => new X509Certificate(certificates.callers[name]?.certificatePem ?? "");
  const [good, forged, old, long] = [read("web"), read("impostor"), read("expired"), read("yearLong")];
  assert.equal(forged.subjectAltName, good.subjectAltName);
  assert.equal(forged.verify(bundle.publicKey), false);
  assert.ok(Date.parse(forged.validTo) > NOW);
  assert.equal(old.subjectAltName, good.subjectAltName);
  assert.ok(old.verify(bundle.publicKey));
  assert.ok(Date.parse(old.validTo) < NOW);
  assert.equal(long.subjectAltName, good.subjectAltName);
  assert.ok(long.verify(bundle.publicKey));
  assert.ok(Date.parse(long.validTo) > NOW + 364 * 86_400_000);
});

it("proves the good callers and the token, and nobody else, by the bundle document", async () => {
  const parsed = parseTrustBundle(certificates.bundleDocument, { trustDomain: "example.org" });
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.detail);
  assert.deepEqual(parsed.value.ignored, []);
  const held = { bundle: parsed.value, generation: 1, source: "file", lastSuccessUnixMs: NOW } as const;
  const bundles = { find: (trustDomain: string) => (trustDomain === "example.org" ? held : undefined) };
  const codes = Object.entries(certificates.callers).map(([name, issued]) => {
    if (issued === undefined) return [name, "none"];
    const verified = verifyX509Svid(new X509Certificate(issued.certificatePem).raw, { nowUnixMs: NOW, bundles });
    return [name, verified.ok ? verified.value.spiffeId.id : verified.code];
  });
  assert.deepEqual(Object.fromEntries(codes), {
    web: CALLERS.web.id,
    invoices: CALLERS.invoices.id,
    deploy: CALLERS.deploy.id,
    crawler: CALLERS.crawler.id,
    yearLong: CALLERS.web.id,
    impostor: "untrusted",
    expired: "expired",
    nobody: "none",
  });
  const verify = (token: string) => verifyJwtSvid(token, { audiences: [AUDIENCE], bundles, nowUnixMs: NOW });
  const good = await verify(certificates.tokens.forUs);
  assert.equal(good.ok && good.value.spiffeId.id, CALLERS.web.id);
  const other = await verify(certificates.tokens.forOthers);
  assert.equal(!other.ok && other.code, "aud");
});

it("sends a path byte for byte, as the caller of the certificate", async () => {
  const answer = await call("web");
  assert.ok(answer.ok, answer.ok ? "" : answer.why);
  assert.equal(answer.body, `GET /orders%2F..//x/%zz URI:${CALLERS.web.id}`);
});

it("tells when the handshake is refused", async () => {
  for (const caller of ["impostor", "expired", "nobody"] as const) assert.equal((await call(caller)).ok, false, caller);
});

it("talks to the service that it means and no other of the trust domain", async () => {
  assert.deepEqual(await call("web", CALLERS.web.id), { ok: false, why: `the server is not ${CALLERS.web.id}` });
});
