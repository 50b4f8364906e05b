// Who gets past envoy/sidecar.yaml's handshake, and what raw header bytes become, before svidgate decides.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import type { Envoy } from "../../src/cli/demo/envoy-process.ts";
import { createTestAuthority } from "../support/ca.ts";
import { createWorld, EXT_AUTHZ, envoysToTest, type World, withChanges } from "../support/envoy.ts";
import { ANSWERS } from "../support/envoy-policy.ts";
import { startServe } from "../support/serve.ts";

const HOUR_MS = 3_600_000;
const WEB = "spiffe://example.org/ns/shop/sa/web";

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} with envoy/sidecar.yaml`, { skip }, () => {
    let world: World;
    let envoy: Envoy;
    let rawEnvoy: Envoy;

    before(async () => {
      world = await createWorld();
      const policy = await world.file("policy.rego", ANSWERS);
      const socket = `unix:${join(world.folder, "ext_authz.sock")}`;
      const serving = await startServe([
        ...["--policy", policy, "--listen", socket, "--admin", "off", "--audit", "none"],
        ...["--set", "svidgate.input.from_header_map=true"],
      ]);
      world.onClose(() => serving.kill());
      const config = await world.config("sidecar", socket);
      const raw = withChanges(config, EXT_AUTHZ, { encode_raw_headers: true });
      envoy = await world.startEnvoy(binary, config);
      rawEnvoy = await world.startEnvoy(binary, raw);
    });
    after(() => world.close());

    it("takes an X.509-SVID of its trust domain and tells the policy whose it is", async () => {
      const answer = await world.call(envoy, { path: "/who" }, await world.authority.svid("/ns/shop/sa/web"));
      assert.ok(answer.ok && answer.status === 200, JSON.stringify(answer));
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.equal(headers["x-principal"], WEB);
      assert.equal(headers["x-certificate"], "true");
      assert.equal(headers["x-forwarded-client-cert"]?.endsWith(`URI=${WEB}`), true);
    });

    it("refuses every other certificate in the handshake, and no certificate", async () => {
      const { authority } = world;
      const stranger = await createTestAuthority();
      const past = { notBeforeUnixMs: Date.now() - HOUR_MS, notAfterUnixMs: Date.now() - 1000 };
      const future = { notBeforeUnixMs: Date.now() + HOUR_MS / 2, notAfterUnixMs: Date.now() + HOUR_MS };
      const rows: readonly (readonly [string, IssuedCertificate | undefined])[] = [
        ["no certificate", undefined],
        ["another authority", await stranger.svid("/ns/shop/sa/web")],
        ["expired", await authority.svid("/ns/shop/sa/web", past)],
        ["not valid yet", await authority.svid("/ns/shop/sa/web", future)],
        ["another trust domain", await authority.svid("", { uris: ["spiffe://example.com/ns/shop/sa/web"] })],
        ["no path", await authority.svid("", { uris: ["spiffe://example.org"] })],
        ["no URI, a DNS name", await authority.svid("", { uris: [], dnsNames: ["web.example.org"] })],
        ["no name at all", await authority.svid("", { uris: [] })],
        ["https URI before the SPIFFE ID", await authority.svid("", { uris: ["https://example.org/x", WEB] })],
      ];
      for (const [what, certificate] of rows) {
        const answer = await world.call(envoy, { path: "/yes" }, certificate);
        assert.equal(answer.ok, false, what);
      }
    });

    it("shows policies the same text of a header, whether Envoy sends it raw or not", async () => {
      const web = await world.authority.svid("/ns/shop/sa/web");
      const seen = async (from: Envoy, value: string): Promise<string> => {
        const answer = await world.call(from, { path: "/bytes", headers: { "x-bytes": value } }, web);
        assert.ok(answer.ok && answer.status === 200, JSON.stringify(answer));
        const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
        assert.equal(headers["x-bytes"], value, "the service gets the bytes as they were sent");
        return Buffer.from(headers["x-seen"] ?? "", "base64").toString("utf8");
      };
      const umlaut = Buffer.from("ü").toString("latin1");
      assert.equal(await seen(rawEnvoy, `a${umlaut}b`), "aüb");
      assert.equal(await seen(rawEnvoy, "a\xffb"), "a!b");
      assert.equal(await seen(envoy, `a${umlaut}b`), "aüb");
      assert.equal(await seen(envoy, "a\xffb"), "a!b");
    });
  });
}
