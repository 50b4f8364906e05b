// The whole product with a real SPIRE and a real Envoy: svidgate, Envoy and their callers have their SVIDs and bundles from one agent,
// and decisions stay right while all of that rotates, restarts, goes away and is revoked.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Answer } from "../../src/cli/demo/mtls-client.ts";
import { parseTrustBundle } from "../../src/identity/trust-bundle.ts";
import { envoysToTest } from "../support/envoy.ts";
import type { MtlsConnection } from "../support/mtls-connection.ts";
import { type FetchedSvid, spireMissing } from "../support/spire.ts";
import { shownCertificate } from "../support/spire-envoy.ts";
import {
  AUDIENCE,
  CHECKOUT,
  ENVOY,
  idOf,
  REPORTS,
  type SpireWorld,
  type Status,
  SVIDGATE,
  startSpireWorld,
} from "../support/spire-world.ts";

/** SVIDs of this life are renewed after some 9 s, and last for some 19 s when nobody renews them. */
const SHORT_SECONDS = 28;
/** For one test; each waits for states, which take their time on a busy machine. */
const LIMIT = { timeout: 90_000 };
const ROUNDS = 30;

const [tested] = await envoysToTest();
assert.ok(tested !== undefined);
const { name, binary } = tested;

const statusOf = (answer: Answer): number | string => (answer.ok ? answer.status : answer.why);
/** How often each status came. */
const countsOf = (answers: readonly Answer[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[statusOf(answer)] = (counts[statusOf(answer)] ?? 0) + 1;
  return counts;
};
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const sha256Of = ({ certificatePem }: FetchedSvid): string =>
  new X509Certificate(certificatePem).fingerprint256.replaceAll(":", "").toLowerCase();
const streams = ({ identity }: Status): readonly string[] => identity.workload_api.streams.map(({ state }) => state);
const isConnected = (status: Status): boolean => streams(status).every((state) => state === "connected");
const ownTrustDomain = ({ identity }: Status) => {
  const [domain, ...others] = identity.trust_domains;
  assert.ok(domain !== undefined && others.length === 0);
  return domain;
};

describe(`SPIRE, ${name} and svidgate`, { skip: tested.skip || spireMissing() }, () => {
  let world: SpireWorld;

  before(async () => {
    world = await startSpireWorld({
      binary,
      svidgateTtlSeconds: SHORT_SECONDS,
      checkoutTtlSeconds: SHORT_SECONDS,
    });
  });
  after(() => world?.close());

  const fetchSvid = (path = CHECKOUT): Promise<FetchedSvid> => world.spire.fetchX509Svid(path);
  /** After a rotation of keys: the agent gives the same audiences the token that it has, for half of its life. */
  const fetchToken = (): Promise<string> => world.spire.fetchJwtSvid(CHECKOUT, AUDIENCE, "another");
  /** Requests on one connection until one is answered with this status; gives its answer. */
  const askUntil = async (connection: MtlsConnection, status: number): Promise<Answer> => {
    for (;;) {
      const answer = await connection.ask({ method: "GET", path: "/orders/1" });
      if (statusOf(answer) === status) return answer;
    }
  };

  it("allow the workload that the policy names, at its path, and tell who it was and who asked", LIMIT, async () => {
    const svid = await fetchSvid();
    const answer = await world.ask(svid);
    assert.equal(statusOf(answer), 200);
    const event = await world.audited(answer);
    const leaf = new X509Certificate(svid.certificatePem);
    assert.deepEqual(
      [event["outcome"], event["reason"], event["subject"], event["verified_by"], event["identity_source"]],
      ["allow", "policy_allowed", idOf(CHECKOUT), "pdp", "certificate"],
    );
    assert.deepEqual([event["pep_spiffe_id"], event["pep_verified"]], [idOf(ENVOY), true]);
    assert.deepEqual(
      [event["credential_type"], event["credential_fingerprint_sha256"], event["credential_serial"]],
      ["x509-svid", sha256Of(svid), leaf.serialNumber.toLowerCase()],
    );
    assert.equal(Date.parse(String(event["credential_not_after"])), Date.parse(leaf.validTo));
    // SPIRE dates certificates back by 10 s.
    assert.equal(event["credential_lifetime_seconds"], SHORT_SECONDS + 10);
    assert.match(String(event["credential_issuer"]), /O=SPIFFE/);

    assert.equal(statusOf(await world.ask(svid, { path: "/reports" })), 403);
  });

  it(
    "deny another workload of the trust domain by the policy, and somebody without SVID before it",
    LIMIT,
    async () => {
      const answer = await world.ask(await fetchSvid(REPORTS));
      assert.equal(statusOf(answer), 403);
      const event = await world.audited(answer);
      assert.deepEqual(
        [event["reason"], event["subject"], event["verified_by"]],
        ["policy_denied", idOf(REPORTS), "pdp"],
      );
      const nobody = await world.ask(undefined);
      assert.equal(statusOf(nobody), 403);
      const { subject, verified_by, identity_source } = await world.audited(nobody);
      assert.deepEqual([subject, verified_by, identity_source], [undefined, "none", "none"]);
    },
  );

  it("show on /status what svidgate has from the agent", LIMIT, async () => {
    const status = await world.until(isConnected);
    const { state, source, age_seconds, x509_authorities, jwt_authorities } = ownTrustDomain(status);
    assert.deepEqual([state, source, age_seconds], ["fresh", "workload_api", 0]);
    assert.deepEqual([x509_authorities, jwt_authorities], [1, 1]);
    assert.equal(status.listener.tls.certificate.spiffe_id, idOf(SVIDGATE));
  });

  it("take a JWT-SVID for svidgate's audience, and refuse it for another", LIMIT, async () => {
    const token = await world.spire.fetchJwtSvid(CHECKOUT, AUDIENCE);
    const answer = await world.ask(undefined, bearer(token));
    assert.equal(statusOf(answer), 200);
    assert.ok(answer.ok && !answer.body.includes(token), "`forward: strip`");
    const event = await world.audited(answer);
    const { active } = await world.spire.authorities("jwt");
    assert.deepEqual(
      [event["subject"], event["verified_by"], event["identity_source"], event["credential_type"]],
      [idOf(CHECKOUT), "pdp", "token", "jwt-svid"],
    );
    assert.equal(event["credential_key_id"], active);

    const foreign = await world.ask(undefined, bearer(await world.spire.fetchJwtSvid(CHECKOUT, "another")));
    assert.equal(statusOf(foreign), 401);
    const refused = await world.audited(foreign);
    assert.deepEqual([refused["reason"], refused["subject"]], ["jwt_aud", undefined]);
    assert.equal((await world.logged(foreign))["reason"], "jwt_aud", "in Envoy's dynamic metadata");
    const other = await world.ask(undefined, bearer(await world.spire.fetchJwtSvid(REPORTS, AUDIENCE)));
    assert.deepEqual([statusOf(other), (await world.audited(other))["subject"]], [403, idOf(REPORTS)]);
  });

  it("lose no request and no connection while the SVIDs of svidgate and of the caller rotate", LIMIT, async () => {
    const trickle = await world.trickle();
    const before = await world.status();
    const first = await fetchSvid();
    await world.until(({ listener }) => listener.tls.certificate.sha256 !== before.listener.tls.certificate.sha256);
    while (sha256Of(await fetchSvid()) === sha256Of(first)) await delay(50);
    assert.deepEqual(Object.keys(countsOf(await trickle.stop())), ["200"]);
    const { listener, identity } = await world.status();
    const { not_after } = listener.tls.certificate;
    assert.ok(Date.parse(not_after) > Date.parse(before.listener.tls.certificate.not_after));
    assert.equal(identity.workload_api.own_svid.not_after, not_after);
    assert.equal(listener.connections_accepted, before.listener.connections_accepted);
  });

  it(
    "follow the rotation of the X.509 authority: the new one at once, the old one until it is revoked",
    LIMIT,
    async (test: TestContext) => {
      const { spire } = world;
      const { active: old } = await spire.authorities("x509");
      const trickle = await world.trickle();
      const next = await spire.prepareAuthority("x509");
      await world.until((status) => ownTrustDomain(status).x509_authorities === 2);
      // A workload that keeps its SVID and its connection, whatever the agent would give it.
      const kept = await spire.mintX509Svid(CHECKOUT);
      const connection = world.connect(kept);
      assert.equal(statusOf(await connection.ask({ method: "GET", path: "/orders/1" })), 200);
      await spire.activateAuthority("x509", next);
      await spire.taintAuthority("x509", old);
      const bundle = parseTrustBundle(await spire.bundle(), { trustDomain: "example.org" });
      assert.ok(bundle.ok);
      const authority = bundle.value.x509Authorities.find(({ fields }) => fields.subjectKeyId === next);
      assert.ok(authority !== undefined);
      const isOfNext = (certificate: X509Certificate): boolean => certificate.verify(authority.x509.publicKey);
      while (!isOfNext(await shownCertificate(world.envoy.port("tokens")))) await delay(50);
      while (!isOfNext(new X509Certificate((await fetchSvid()).certificatePem))) await delay(50);
      assert.equal(statusOf(await connection.ask({ method: "GET", path: "/orders/1" })), 200, "until it is revoked");
      const untilRevoked = await trickle.stop();
      assert.deepEqual(Object.keys(countsOf(untilRevoked)), ["200"]);

      const during = await world.trickle();
      await spire.revokeAuthority("x509", old);
      await world.until((status) => ownTrustDomain(status).x509_authorities === 1);
      const refused = await askUntil(connection, 401);
      assert.equal((await world.audited(refused))["reason"], "x509_untrusted");
      assert.equal(connection.opened(), 1, "on the connection that Envoy had let in");
      assert.equal(statusOf(await connection.ask({ method: "GET", path: "/orders/1" })), 401);
      connection.close();
      const found = countsOf(await during.stop());
      test.diagnostic(`answers while the old authority was revoked: ${JSON.stringify(found)}`);
      // The connection on which Envoy asks is of the old authority too, and a check may be on its way in that moment.
      assert.ok((found["503"] ?? 0) <= 1, JSON.stringify(found));
      assert.deepEqual(
        Object.keys(found).filter((status) => status !== "503"),
        ["200"],
      );
      assert.equal(statusOf(await world.ask(await fetchSvid())), 200);
    },
  );

  it(
    "follow the rotation of the JWT authority: a token of the old key counts until that is revoked",
    LIMIT,
    async () => {
      const { spire } = world;
      const { active: old } = await spire.authorities("jwt");
      const kept = await spire.mintJwtSvid(CHECKOUT, AUDIENCE);
      assert.equal(statusOf(await world.ask(undefined, bearer(kept))), 200);
      const next = await spire.prepareAuthority("jwt");
      await world.until((status) => ownTrustDomain(status).jwt_authorities === 2);
      await spire.activateAuthority("jwt", next);
      const renewed = await fetchToken();
      const answer = await world.ask(undefined, bearer(renewed));
      assert.deepEqual([statusOf(answer), (await world.audited(answer))["credential_key_id"]], [200, next]);
      assert.equal(statusOf(await world.ask(undefined, bearer(kept))), 200);
      await spire.taintAuthority("jwt", old);
      await spire.revokeAuthority("jwt", old);
      await world.until((status) => ownTrustDomain(status).jwt_authorities === 1);
      const refused = await world.ask(undefined, bearer(kept));
      assert.deepEqual([statusOf(refused), (await world.audited(refused))["reason"]], [401, "jwt_kid"]);
      assert.equal(statusOf(await world.ask(undefined, bearer(renewed))), 200);
    },
  );

  it("decide on while the agent is away, say so on /status, and are live again when it is back", LIMIT, async () => {
    const { spire } = world;
    const epoch = (await world.status()).identity.state_epoch;
    const token = await fetchToken();
    const svid = await fetchSvid();
    const stranger = await fetchSvid(REPORTS);
    const trickle = await world.trickle();
    await spire.agent.stop();
    const away = await world.until((status) => ownTrustDomain(status).age_seconds >= 1);
    assert.deepEqual(streams(away), ["connecting", "connecting", "connecting"]);
    for (const { problem } of away.identity.workload_api.streams) assert.match(problem ?? "", /\S/);
    assert.equal(ownTrustDomain(away).state, "fresh");
    assert.equal(statusOf(await world.ask(svid, bearer(token))), 200);
    assert.equal(statusOf(await world.ask(stranger)), 403);
    await spire.agent.start();
    const back = await world.until((status) => isConnected(status) && ownTrustDomain(status).age_seconds === 0);
    assert.equal(back.identity.state_epoch, epoch, "nothing has changed");
    assert.deepEqual(Object.keys(countsOf(await trickle.stop())), ["200"]);
  });

  it("decide on while the server is down, and while the agent waits for it", LIMIT, async () => {
    const { spire } = world;
    const trickle = await world.trickle();
    const stranger = await fetchSvid(REPORTS);
    await spire.server.stop("SIGKILL");
    assert.ok(isConnected(await world.status()), "the agent answers from what it knows");
    assert.equal(statusOf(await world.ask(await fetchSvid())), 200);
    await spire.agent.stop("SIGKILL");
    spire.agent.launch();
    await spire.agent.logged("Failed to initialize manager");
    const away = await world.until((status) => ownTrustDomain(status).age_seconds >= 1);
    assert.ok(!isConnected(away));
    assert.equal(statusOf(await world.ask(stranger)), 403);
    await spire.server.start();
    await spire.agent.logged("Starting agent APIs");
    await world.until((status) => isConnected(status) && ownTrustDomain(status).age_seconds === 0);
    assert.deepEqual(Object.keys(countsOf(await trickle.stop())), ["200"]);
    assert.equal(statusOf(await world.ask(await fetchSvid())), 200);
  });

  it(
    "deny a workload at its next requests once the deny list names it, and allow it again",
    LIMIT,
    async (test: TestContext) => {
      const connection = world.connect(await world.spire.mintX509Svid(CHECKOUT));
      const entry = { id: "INC-1", spiffe_id: idOf(CHECKOUT), reason: "stolen", expires: "never" };
      const latenciesMs: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await askUntil(connection, 200);
        const startMs = performance.now();
        await world.deny([entry]);
        const denied = await askUntil(connection, 401);
        latenciesMs.push(performance.now() - startMs);
        if (round === 0) {
          const event = await world.audited(denied);
          assert.deepEqual([event["reason"], event["identity_detail"]], ["revoked", "stolen"]);
          const withToken = await world.ask(undefined, bearer(await fetchToken()));
          assert.deepEqual([statusOf(withToken), (await world.audited(withToken))["reason"]], [401, "revoked"]);
          assert.equal(statusOf(await world.ask(await fetchSvid(REPORTS))), 403, "not others");
        }
        await world.deny([]);
      }
      await askUntil(connection, 200);
      assert.equal(connection.opened(), 1);
      connection.close();
      latenciesMs.sort((a, b) => a - b);
      const [p50 = 0, p99 = 0] = [latenciesMs[ROUNDS / 2], latenciesMs[ROUNDS - 1]];
      test.diagnostic(
        `from the write to the first deny: p50 ${p50.toFixed(1)} ms, longest of ${ROUNDS} ${p99.toFixed(1)} ms`,
      );
      assert.ok(p99 < 2_000, `${p99} ms`);
    },
  );

  it(
    "let nobody through by an Envoy that is on the deny list, and by the same one when it is off it",
    LIMIT,
    async () => {
      const svid = await fetchSvid();
      await world.deny([{ spiffe_id: idOf(ENVOY), reason: "taken over", expires: "never" }]);
      while (statusOf(await world.ask(svid)) === 200) await delay(20);
      assert.equal(statusOf(await world.ask(svid)), 503);
      assert.ok(((await world.status()).listener.connections_refused["client_not_allowed"] ?? 0) > 0);
      await world.deny([]);
      while (statusOf(await world.ask(await fetchSvid())) !== 200) await delay(20);
    },
  );
});
