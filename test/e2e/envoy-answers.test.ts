// What a real Envoy makes of svidgate's answers, and what svidgate makes of Envoy's requests, with envoy/ingress.yaml.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Envoy } from "../../src/cli/demo/envoy-process.ts";
import type { Answer, HttpRequest } from "../../src/cli/demo/mtls-client.ts";
import { createWorld, envoysToTest, findLine, readAudit, SERVER_ID, type World } from "../support/envoy.ts";
import { ANSWERS } from "../support/envoy-policy.ts";
import { type Serving, startServe } from "../support/serve.ts";

type Answered = Extract<Answer, { readonly ok: true }>;

for (const { name, binary, skip } of await envoysToTest()) {
  describe(`${name} asks svidgate`, { skip }, () => {
    let world: World;
    let serving: Serving;
    let envoy: Envoy;

    before(async () => {
      world = await createWorld();
      const policy = await world.file("policy.rego", ANSWERS);
      const audit = `file:${join(world.folder, "audit.jsonl")}`;
      serving = await startServe([
        "--policy",
        policy,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--audit",
        audit,
      ]);
      world.onClose(() => serving.kill());
      envoy = await world.startEnvoy(binary, await world.config("ingress", serving.address));
    });
    after(() => world.close());

    const ask = async (request: Partial<HttpRequest>): Promise<Answered> => {
      const answer = await world.call(envoy, request);
      assert.ok(answer.ok, answer.ok ? "" : answer.why);
      return answer;
    };
    /** Asks, and says whether the service was reached. */
    const askAndCount = async (request: Partial<HttpRequest>): Promise<{ answer: Answered; reached: number }> => {
      const start = world.upstream.requests();
      const answer = await ask(request);
      return { answer, reached: world.upstream.requests() - start };
    };
    const denied = async (request: Partial<HttpRequest>, status: number): Promise<Answered> => {
      const { answer, reached } = await askAndCount(request);
      assert.deepEqual({ status: answer.status, reached }, { status, reached: 0 });
      return answer;
    };
    const logged = (answer: Answered) => findLine(() => envoy.output(), answer.headers["x-request-id"]);
    const audited = (answer: Answered) => findLine(() => readAudit(world), answer.headers["x-request-id"]);

    it("lets a request through on a plain allow", async () => {
      const { answer, reached } = await askAndCount({ path: "/yes" });
      assert.deepEqual({ status: answer.status, reached }, { status: 200, reached: 1 });
    });

    it("stops a request on a plain deny, with 403 and no body", async () => {
      assert.equal((await denied({ path: "/no" }, 403)).body, "");
    });

    it("changes headers and query of an allowed request, and headers of its response", async () => {
      const headers = { "x-replaced": "by the caller", "x-removed": "secret", "x-kept": "kept" };
      const answer = await ask({ path: "/rich?debug=1&page=2", headers });
      const sent = JSON.parse(answer.body) as { path: string; headers: Record<string, string> };
      const read = Object.fromEntries(
        ["x-added", "x-replaced", "x-several", "x-removed", "x-kept"].map((key) => [key, sent.headers[key]]),
      );
      assert.deepEqual(read, {
        "x-added": "added",
        "x-replaced": "by the policy",
        // Several values without append: Envoy keeps the last one, as it does for opa-envoy-plugin.
        "x-several": "last",
        "x-removed": undefined,
        "x-kept": "kept",
      });
      const query = new URL(sent.path, "http://localhost").searchParams;
      assert.deepEqual(Object.fromEntries(query), { page: "2", user: "web-1" });
      assert.equal(answer.headers["x-answer"], "added");
      assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
    });

    it("answers a denied request with the policy's status, headers and body", async () => {
      const answer = await denied({ path: "/denied" }, 401);
      assert.equal(answer.body, "who are you?");
      assert.equal(answer.headers["www-authenticate"], "Bearer");
      assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
    });

    it("shows decision id and reason in the access log, the same as in the audit event", async () => {
      for (const [path, reason] of [
        ["/rich", "policy_allowed"],
        ["/no", "policy_denied"],
        ["/denied", "policy_denied"],
        ["/wrong-type", "policy_result_type"],
        ["/unknown", "policy_undefined"],
      ] as const) {
        const answer = await ask({ path });
        const [log, event] = [await logged(answer), await audited(answer)];
        assert.equal(log["reason"], reason, path);
        assert.equal(event["reason"], reason, path);
        assert.equal(log["decision_id"], event["decision_id"]);
        assert.match(String(log["decision_id"]), /^[0-9a-f-]{36}$/);
        assert.equal(event["http_status"], answer.status);
      }
    });

    it("tells the policy the caller of the mTLS connection, and no one else", async () => {
      const web = await world.authority.svid("/ns/shop/sa/web");
      const forged = { "x-forwarded-client-cert": "URI=spiffe://example.org/ns/shop/sa/admin" };
      const cases = [
        [web, "spiffe://example.org/ns/shop/sa/web", true],
        [undefined, "nobody", false],
      ] as const;
      for (const [certificate, principal, hasCertificate] of cases) {
        const answer = await world.call(envoy, { path: "/who", headers: forged }, certificate);
        assert.ok(answer.ok);
        const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
        assert.equal(headers["x-principal"], principal);
        assert.equal(headers["x-destination"], SERVER_ID);
        assert.equal(headers["x-certificate"], String(hasCertificate));
        // Verification is not built yet, so what Envoy says stays a claim.
        assert.equal(headers["x-authenticated"], "false");
        assert.doesNotMatch(headers["x-forwarded"] ?? "", /admin/);
        assert.doesNotMatch(headers["x-forwarded-client-cert"] ?? "", /admin/);
      }
    });

    it("refuses a client certificate of another authority in the handshake", async () => {
      const { createTestAuthority } = await import("../support/ca.ts");
      const stranger = await createTestAuthority();
      const answer = await world.call(envoy, { path: "/yes" }, await stranger.svid("/ns/shop/sa/web"));
      assert.equal(answer.ok, false);
    });

    it("answers 400 to a path or query that cannot be parsed, and says no more than that", async () => {
      for (const path of ["/yes/%zz", "/yes?a=%zz", "/yes?a=1;b=2", "/yes/%"]) {
        const answer = await denied({ path }, 400);
        assert.equal((await audited(answer))["reason"], "request_malformed", path);
        assert.doesNotMatch(answer.body, /\bat \/|\.ts|\.js|node:/, "no internals");
      }
    });

    it("refuses encoded slashes at the edge, before svidgate is asked", async () => {
      const before = await envoy.stat("http.ingress.ext_authz.svidgate.denied");
      await denied({ path: "/yes%2f..%2fadmin" }, 400);
      assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.denied"), before);
    });

    it("shows policies the path that the service gets", async () => {
      const answer = await ask({ path: "/a/..//path/./b%20c" });
      const sent = JSON.parse(answer.body) as { path: string; headers: Record<string, string> };
      assert.equal(sent.path, "/path/b%20c");
      assert.equal(sent.headers["x-path"], '["path","b c"]');
    });

    it("shows policies JSON bodies, and answers 400 to a malformed one", async () => {
      const json = { "content-type": "application/json" };
      const answer = await ask({ method: "POST", path: "/body", headers: json, body: '{"id":12345678901234567890}' });
      const sent = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.equal(sent.headers["x-body"], '{"id":12345678901234567890}');
      await denied({ method: "POST", path: "/body", headers: json, body: '{"id":' }, 400);
    });

    it("answers 413 to a body beyond the limit, and svidgate is not asked", async () => {
      const limit = 65_536;
      const asked = await envoy.stat("http.ingress.ext_authz.svidgate.ok");
      assert.equal((await ask({ method: "POST", path: "/yes", body: "x".repeat(limit) })).status, 200);
      await denied({ method: "POST", path: "/yes", body: "x".repeat(limit + 1) }, 413);
      assert.equal(await envoy.stat("http.ingress.ext_authz.svidgate.ok"), asked + 1);
    });

    it("passes body bytes that are not UTF-8", async () => {
      const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      assert.equal((await ask({ method: "POST", path: "/yes", body })).status, 200);
    });

    it("never lets a header with CR and LF out of the policy", async () => {
      const answer = await denied({ path: "/crlf" }, 503);
      assert.equal((await audited(answer))["reason"], "policy_result_type");
      assert.equal(answer.headers["x-injected"], undefined);
    });

    it("does not let a policy write the caller's identity header", async () => {
      const web = await world.authority.svid("/ns/shop/sa/web");
      const answer = await world.call(envoy, { path: "/xfcc" }, web);
      assert.ok(answer.ok);
      const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.match(headers["x-forwarded-client-cert"] ?? "", /URI=spiffe:\/\/example\.org\/ns\/shop\/sa\/web$/);
    });

    it("answers 500 to a query parameter beyond letters, digits and *-._, encoded or not", async () => {
      // Envoy's validate_mutations takes `%` and `+` for characters that should have been encoded. svidgate's decision was
      // an allow, so the audit event says so; the service is not reached.
      const invalid = "http.ingress.ext_authz.svidgate.invalid";
      const before = await envoy.stat(invalid);
      const answer = await denied({ path: "/encoded-query" }, 500);
      assert.equal((await audited(answer))["reason"], "policy_allowed");
      assert.equal(await envoy.stat(invalid), before + 1);
    });

    it("takes header bytes beyond ASCII: the service gets them, the policy sees them replaced", async () => {
      // obs-text, RFC 9110 §5.5. Envoy makes `headers` valid UTF-8 before it asks.
      const answer = await ask({ path: "/bytes", headers: { "x-bytes": "a\xffb" } });
      const sent = JSON.parse(answer.body) as { headers: Record<string, string> };
      assert.equal(sent.headers["x-bytes"], "a\xffb");
      assert.equal(Buffer.from(sent.headers["x-seen"] ?? "", "base64").toString("latin1"), "a!b");
    });
  });
}
