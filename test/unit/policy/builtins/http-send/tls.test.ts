// TLS options against a real server. SPEC: v1/topdown/http_test.go: TestHTTPSClient, TestHTTPSNoClientCerts, TestHTTPGetRequestTlsInsecureSkipVerify.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { createTestAuthority, type TestAuthority } from "../../../../support/ca.ts";
import {
  createHttpSendWorld,
  type Result,
  startHttpServer,
  type TestServer,
} from "../../../../support/http-send-world.ts";

let authority: TestAuthority;
let stranger: TestAuthority;
let server: TestServer;
let client: { readonly certificatePem: string; readonly privateKeyPem: string };
before(async () => {
  authority = await createTestAuthority();
  stranger = await createTestAuthority("other.example");
  client = await authority.svid("/client");
  const { certificatePem: cert, privateKeyPem: key } = await authority.svid("/server", {
    dnsNames: ["localhost", "named.example"],
  });
  const tls = { cert, key, ca: authority.certificatePem, requestCert: true, rejectUnauthorized: false };
  server = await startHttpServer((request, response) => {
    const socket = request.socket as TLSSocket;
    response.end(JSON.stringify({ authorized: socket.authorized, servername: socket.servername }));
  }, tls);
});
after(() => server.close());

async function ask(operand: object, options: object = {}): Promise<Result> {
  const world = createHttpSendWorld(options);
  const url = `https://localhost:${server.port}/`;
  const result = await world.send({ method: "get", url, raise_error: false, force_json_decode: true, ...operand });
  world.close();
  return result;
}

describe("a server's certificate", () => {
  it("must lead to a known root", async () => {
    const { error } = await ask({});
    assert.equal(error?.code, "eval_http_send_network_error");
    assert.match(error.message, /tls: failed to verify certificate: x509: certificate signed by unknown authority$/);
    assert.match((await ask({ tls_ca_cert: stranger.certificatePem })).error?.message ?? "", /unknown authority/);
    assert.match((await ask({ tls_use_system_certs: true })).error?.message ?? "", /unknown authority/);
  });

  it("is taken with its authority, in whatever way that is given", async () => {
    const pem = authority.certificatePem;
    for (const operand of [
      { tls_ca_cert: pem },
      { tls_ca_cert: pem.replaceAll("\n", "\\n") },
      { tls_ca_cert: pem, tls_use_system_certs: true },
      { tls_ca_cert_env_variable: "CA" },
    ]) {
      const options = { allowedEnvironment: ["CA"], environment: { CA: pem } };
      assert.equal((await ask(operand, options)).status_code, 200, Object.keys(operand).join());
    }
  });

  it("must name the host, or the name that is asked for", async () => {
    const tls = { tls_ca_cert: authority.certificatePem };
    const byAddress = await ask({ ...tls, url: `https://127.0.0.1:${server.port}/` });
    assert.match(byAddress.error?.message ?? "", /failed to verify certificate/);
    const named = await ask({ ...tls, url: `https://127.0.0.1:${server.port}/`, tls_server_name: "named.example" });
    assert.deepEqual((named.body as { servername: string }).servername, "named.example");
    const byHost = await ask({ ...tls, url: `https://127.0.0.1:${server.port}/`, headers: { host: "named.example" } });
    assert.equal(byHost.status_code, 200);
    assert.match((await ask({ ...tls, tls_server_name: "wrong.example" })).error?.message ?? "", /failed to verify/);
  });

  it("is not looked at when the policy says so, and that holds for this request alone", async () => {
    const world = createHttpSendWorld();
    const request = { method: "get", url: `https://localhost:${server.port}/`, raise_error: false };
    assert.equal((await world.send({ ...request, tls_insecure_skip_verify: true })).status_code, 200);
    assert.equal((await world.send(request)).status_code, 0, "the kept connection is another one's");
    world.close();
  });

  it("of an authority that is none is refused", async () => {
    assert.match((await ask({ tls_ca_cert: "no PEM" })).error?.message ?? "", /could not append certificates$/);
  });
});

describe("a client's certificate", () => {
  it("is shown when certificate and key are both given", async () => {
    const tls = { tls_ca_cert: authority.certificatePem };
    const pair = { tls_client_cert: client.certificatePem, tls_client_key: client.privateKeyPem };
    const authorized = async (operand: object): Promise<unknown> =>
      ((await ask(operand)).body as { authorized: boolean }).authorized;
    assert.deepEqual(
      [
        await authorized({ ...tls, ...pair }),
        await authorized(tls),
        await authorized({ ...tls, tls_client_cert: client.certificatePem }),
      ],
      [true, false, false],
    );
  });

  it("with a key that is not its own is refused", async () => {
    const { privateKeyPem } = await authority.svid("/other");
    const { error } = await ask({ tls_client_cert: client.certificatePem, tls_client_key: privateKeyPem });
    assert.equal(error?.code, "eval_http_send_internal_error");
    assert.match(error.message, /^eval_builtin_error: http\.send: tls: /);
  });
});
