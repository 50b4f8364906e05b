// A real Envoy that asks over mTLS: it is let in by its SPIFFE ID, and named in the audit event; another ID is not let in.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createWorld, envoysToTest, findLine, readAudit, type World, withChanges } from "../support/envoy.ts";
import { startServe } from "../support/serve.ts";

const CLUSTER = ["static_resources", "clusters", 1];
const ENVOY_ID = "spiffe://example.org/ns/edge/sa/envoy";

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} over mTLS`, { skip }, () => {
    let world: World;
    before(async () => {
      world = await createWorld();
    });
    after(() => world.close());

    for (const { path, want, proof } of [
      { path: "/ns/edge/sa/envoy", want: 200, proof: "client_ca" },
      { path: "/ns/edge/sa/stranger", want: 403, proof: "client_ca" },
      { path: "/ns/edge/sa/envoy", want: 200, proof: "a trust bundle" },
      { path: "/ns/edge/sa/stranger", want: 403, proof: "a trust bundle" },
    ]) {
      it(`answers ${want} when Envoy is ${path} by ${proof}`, async () => {
        const policy = await world.file("policy.rego", "package envoy.authz\ndefault allow := true\n");
        const own = await world.authority.svid("/ns/authz/sa/svidgate", { dnsNames: ["svidgate"] });
        const client = await world.authority.svid(path);
        const files = {
          cert: await world.file("pdp.pem", own.certificatePem),
          key: await world.file("pdp_key.pem", own.privateKeyPem),
          clientCert: await world.file("client.pem", client.certificatePem),
          clientKey: await world.file("client_key.pem", client.privateKeyPem),
          ca: await world.file("ca.pem", world.authority.certificatePem),
        };
        const serving = await startServe([
          ...["--policy", policy, "--listen", "127.0.0.1:0", "--admin", "off"],
          ...["--audit", `file:${join(world.folder, "audit.jsonl")}`],
          ...["--tls-certificate", files.cert, "--tls-private-key", files.key],
          ...(proof === "client_ca"
            ? ["--tls-client-ca", files.ca]
            : ["--trust-domain-bundle", `example.org=${files.ca}`]),
          ...["--tls-client-spiffe-id", ENVOY_ID],
        ]);
        world.onClose(() => serving.kill());
        const shipped = await world.config("ingress", serving.address);
        const config = withChanges(shipped, CLUSTER, {
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
              common_tls_context: {
                alpn_protocols: ["h2"],
                tls_certificates: [
                  { certificate_chain: { filename: files.clientCert }, private_key: { filename: files.clientKey } },
                ],
                validation_context: {
                  trusted_ca: { filename: files.ca },
                  match_typed_subject_alt_names: [
                    { san_type: "URI", matcher: { exact: "spiffe://example.org/ns/authz/sa/svidgate" } },
                  ],
                },
              },
            },
          },
        });
        const envoy = await world.startEnvoy(binary, config);
        const answer = await world.call(envoy, { path: "/orders", headers: { "x-request-id": `tls-${want}` } });
        assert.ok(answer.ok, answer.ok ? "" : answer.why);
        if (want === 200) {
          assert.equal(answer.status, 200, serving.log());
          const event = await findLine(() => readAudit(world), ENVOY_ID);
          assert.deepEqual([event["pep_spiffe_id"], event["pep_verified"]], [ENVOY_ID, true]);
        } else {
          assert.notEqual(answer.status, 200);
          assert.match(serving.log(), /"msg":"connection refused".*"reason":"client_not_allowed".*sa\/stranger/);
        }
        await envoy.stop();
        await serving.kill();
      });
    }
  });
}
