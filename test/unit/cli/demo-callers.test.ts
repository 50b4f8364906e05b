// The demo's certificates, and its mTLS client against Node's own TLS server.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { CALLERS, type CallerName, createCertificates, SERVICE_ID } from "../../../src/cli/demo/callers.ts";
import { callOverMtls } from "../../../src/cli/demo/mtls-client.ts";

const NOW = Date.now();
const certificates = await createCertificates(NOW);
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
    if (id === undefined) continue;
    const leaf = new X509Certificate(certificates.callers[name as CallerName]?.certificatePem ?? "");
    assert.equal(leaf.subjectAltName, `URI:${id}`);
    assert.ok(leaf.checkIssued(bundle) && leaf.verify(bundle.publicKey), name);
    assert.ok(Date.parse(leaf.validFrom) <= NOW && Date.parse(leaf.validTo) > NOW);
    assert.ok(Date.parse(leaf.validTo) <= NOW + 3_600_000);
  }
});

it("makes the forged one differ in its authority alone, the expired one in its dates alone", () => {
  const read = (name: CallerName) => new X509Certificate(certificates.callers[name]?.certificatePem ?? "");
  const [good, forged, old] = [read("web"), read("impostor"), read("expired")];
  assert.equal(forged.subjectAltName, good.subjectAltName);
  assert.equal(forged.verify(bundle.publicKey), false);
  assert.ok(Date.parse(forged.validTo) > NOW);
  assert.equal(old.subjectAltName, good.subjectAltName);
  assert.ok(old.verify(bundle.publicKey));
  assert.ok(Date.parse(old.validTo) < NOW);
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
