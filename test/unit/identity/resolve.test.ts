import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it } from "node:test";
import type { IdentityCode } from "../../../src/identity/codes.ts";
import { parseDenyList } from "../../../src/identity/deny-list.ts";
import { createKnownTokens } from "../../../src/identity/known-tokens.ts";
import { createResolver } from "../../../src/identity/resolve.ts";
import type { RequestCredentials, Resolution } from "../../../src/identity/resolver-parts.ts";
import { issueAuthority, type SignedCertificate } from "../../support/signed-certificate.ts";
import { AUDIENCE, createTrustWorld, over, type WorldOptions, withHeaders } from "../../support/trust-world.ts";

const world = createTrustWorld();
const { td1, td2 } = world;
const API = "spiffe://td1.test/ns/payments/sa/api";
const GATEWAY = "spiffe://td1.test/ns/edge/sa/gateway";
const api = world.svid(td1, "/ns/payments/sa/api");
const gateway = world.svid(td1, "/ns/edge/sa/gateway");
const token = world.token(td1, "/ns/payments/sa/api", { jti: "t-1", role: "admin" });
const bearer = (text: string) => withHeaders({ authorization: `Bearer ${text}` });
const documentOf = ({ identity }: Resolution) => JSON.parse(identity.json) as Record<string, unknown>;

function sha({ der }: SignedCertificate): string {
  return createHash("sha256").update(der).digest("hex");
}

function denying(entry: object): WorldOptions {
  const list = parseDenyList(JSON.stringify({ entries: [{ reason: "stolen", expires: "never", ...entry }] }));
  assert.ok(list.ok, list.ok ? "" : list.detail);
  return { denyList: () => list.value };
}

/** The whole document, so that a field that comes or goes is seen. */
it("says of a certificate who calls, until when, and by whose word", () => {
  const resolution = world.resolve({ ...over(api), sourcePrincipal: API }) as Resolution;
  const { identity } = resolution;
  assert.equal(resolution.refusal, undefined);
  const { credential, ...rest } = documentOf(resolution);
  const { serial, issuer, subject, fingerprint_sha256, ...facts } = credential as Record<string, unknown>;
  assert.match(String(fingerprint_sha256), /^[0-9a-f]{64}$/);
  assert.deepEqual([serial, issuer, subject], ["0a0b", "CN=root of td1.test", "CN=workload"]);
  assert.deepEqual(facts, {
    type: "x509-svid",
    source: "certificate",
    binding: "mtls",
    not_before: "2025-12-31T23:50:00Z",
    not_before_unix: 1767225000,
    not_after: "2026-01-01T00:50:00Z",
    not_after_unix: 1767228600,
    lifetime_seconds: 3600,
    key_type: "EC",
    key_size: 256,
    signature_algorithm: "ecdsa-with-SHA256",
    dns_names: ["api.payments.svc"],
    chain_length: 2,
    age_seconds: 600,
    remaining_seconds: 3000,
  });
  assert.deepEqual(rest, {
    authenticated: true,
    verified_by: "pdp",
    spiffe_id: API,
    trust_domain: "td1.test",
    path: "/ns/payments/sa/api",
    segments: ["ns", "payments", "sa", "api"],
    kind: "workload",
    federated: false,
    bundle: { trust_domain: "td1.test", generation: 1, sequence: "7", source: "file", state: "fresh", age_seconds: 0 },
  });
  assert.deepEqual(
    [identity.verifiedBy, identity.source, identity.spiffeId, identity.notAfterUnixMs],
    ["pdp", "certificate", API, 1767228600_000],
  );
});

it("says of a token who calls, without the claims of another trust domain", async () => {
  const own = documentOf(await world.resolve(bearer(token)));
  assert.equal(own["spiffe_id"], API);
  assert.deepEqual(own["credential"], {
    type: "jwt-svid",
    source: "token",
    not_before: "2025-12-31T23:59:00Z",
    not_before_unix: 1767225540,
    not_after: "2026-01-01T00:04:00Z",
    not_after_unix: 1767225840,
    lifetime_seconds: 300,
    key_id: "key-of-td1.test",
    algorithm: "ES256",
    token_id: "t-1",
    audience: [AUDIENCE],
    issued_at_unix: 1767225540,
    binding: "bearer",
    age_seconds: 60,
    remaining_seconds: 240,
  });
  const foreign = documentOf(await world.resolve(bearer(world.token(td2, "/x", { role: "admin" }))));
  assert.equal(foreign["federated"], true);
  assert.deepEqual(Object.keys((foreign["token"] as { claims: object }).claims).sort(), ["aud", "exp", "iat", "sub"]);
});

it("answers at once for what it knows, and with a promise only on a token's first sight", async () => {
  const fresh = world.token(td1, "/once");
  assert.ok(!(world.resolve(over(api)) instanceof Promise));
  const first = world.resolve(bearer(fresh));
  assert.ok(first instanceof Promise);
  await first;
  assert.ok(!(world.resolve(bearer(fresh)) instanceof Promise));
});

it("moves ages and remaining times with the clock, and refuses from the end on", () => {
  const here = createTrustWorld();
  const svid = here.svid(here.td1, "/aging");
  const at = (): Resolution => here.resolve(over(svid)) as Resolution;
  assert.deepEqual(
    ["age_seconds", "remaining_seconds"].map((key) => (documentOf(at())["credential"] as Record<string, unknown>)[key]),
    [600, 3000],
  );
  here.clock.advanceMs(2_999_500);
  assert.deepEqual(
    ["age_seconds", "remaining_seconds"].map((key) => (documentOf(at())["credential"] as Record<string, unknown>)[key]),
    [3599, 0],
  );
  here.clock.advanceMs(500);
  assert.equal(at().refusal, undefined, "its last instant");
  here.clock.advanceMs(1);
  assert.equal(at().refusal?.code, "x509_expired");
});

const dates = {
  notBeforeUnixMs: world.clock.unixMs() - 3_600_000,
  notAfterUnixMs: world.clock.unixMs() + 3_600_000,
};
const selfSigned = issueAuthority(undefined, { uris: [API], isAuthority: false, ...dates });
const yearLong = world.svid(td1, "/long", { notAfterUnixMs: world.clock.unixMs() + 365 * 86_400_000 });
const another = "spiffe://td1.test/ns/other/sa/x";

const REFUSED: readonly (readonly [string, IdentityCode, Partial<RequestCredentials>, WorldOptions?])[] = [
  ["a self-signed certificate with a good name", "x509_untrusted", over(selfSigned)],
  ["text in place of a certificate", "x509_cert_parse", { sourceCertificate: "spiffe://td1.test/a" }],
  [
    "a certificate without the bundle of its trust domain",
    "x509_no_bundle",
    over(world.svid({ ...td1, name: "td3.test" }, "/a")),
  ],
  [
    "a certificate that its trust domain's authority did not sign",
    "x509_untrusted",
    over(world.svid({ ...td2, name: "td1.test" }, "/a")),
  ],
  ["a certificate beside another principal", "x509_principal_mismatch", { ...over(api), sourcePrincipal: another }],
  ["a certificate of SPIRE's own agent", "spiffe_id_reserved", over(world.svid(td1, "/spire/agent/join_token/x"))],
  [
    "a certificate that lives longer than its trust domain allows",
    "credential_long_lived",
    over(yearLong),
    { trust: { rulesOf: () => ({ maxLifetimeMs: 86_400_000, minRemainingMs: 0 }) } },
  ],
  [
    "a certificate that ends too soon",
    "credential_expiring",
    over(api),
    { trust: { rulesOf: () => ({ maxLifetimeMs: undefined, minRemainingMs: 3_000_001 }) } },
  ],
  ["a token for another audience", "jwt_aud", bearer(world.token(td1, "/a", { aud: "spiffe://td1.test/other" }))],
  ["two tokens", "jwt_several", withHeaders({ authorization: `Bearer ${token}, Bearer ${token}` })],
  ["a token over plaintext where it must be bound", "jwt_unbound", bearer(token), { tokens: { bindToPeer: true } }],
  ["another workload's token on a connection", "identity_conflict", { ...over(gateway), ...bearer(token) }],
  ["a token beside another principal of Envoy's", "identity_conflict", { ...bearer(token), sourcePrincipal: another }],
  ["a good token beside a bad certificate", "x509_untrusted", { ...over(selfSigned), ...bearer(token) }],
  ["a bad token beside a good certificate", "jwt_signature", { ...over(api), ...bearer(`${token.slice(0, -4)}AAAA`) }],
  ["a denied workload's certificate", "revoked", over(api), denying({ spiffe_id: API })],
  ["a denied token", "revoked", bearer(token), denying({ jti: "t-1" })],
  [
    "a denied gateway, whatever token it brings",
    "revoked",
    { ...over(gateway), ...bearer(token) },
    { ...denying({ spiffe_id: GATEWAY }), trust: { gateways: new Set([GATEWAY]) } },
  ],
  ["a denied name in Envoy's word alone", "revoked", { sourcePrincipal: API }, denying({ spiffe_id: API })],
  [
    "a denied name in Envoy's word, of which nobody knows when it was issued",
    "revoked",
    { sourcePrincipal: API },
    { ...denying({ spiffe_id: API, not_before: "2025-12-01T00:00:00Z" }), trustEnvoyPrincipal: true },
  ],
  [
    "a denied gateway that only Envoy names, whatever token it brings",
    "revoked",
    { ...bearer(token), sourcePrincipal: GATEWAY },
    { ...denying({ spiffe_id: GATEWAY }), trust: { gateways: new Set([GATEWAY]) } },
  ],
  [
    "SPIRE's own agent in Envoy's word",
    "spiffe_id_reserved",
    { sourcePrincipal: "spiffe://td1.test/spire/agent/x" },
    { trustEnvoyPrincipal: true },
  ],
  ["a denied issuer of the whole trust domain", "revoked", over(api), denying({ trust_domain: "td1.test" })],
  [
    "a header that names another workload than the certificate",
    "xfcc_mismatch",
    {
      ...over(api),
      destinationPrincipal: GATEWAY,
      ...withHeaders({ "x-forwarded-client-cert": `By=${GATEWAY};Hash=${sha(api)};URI=${another}` }),
    },
    { withXfcc: true },
  ],
  [
    "a header that somebody wrote into",
    "xfcc_stray_quote",
    { ...over(api), ...withHeaders({ "x-forwarded-client-cert": 'By=x;URI=spiffe://td/a"b' }) },
    { withXfcc: true },
  ],
];

for (const [what, code, request, options] of REFUSED) {
  it(`refuses ${what}: ${code}`, async () => {
    const { refusal, identity } = await world.resolve(request, options);
    assert.equal(refusal?.code, code);
    assert.equal(identity.error, code);
    assert.equal(identity.spiffeId, undefined);
    const document = JSON.parse(identity.json) as Record<string, unknown>;
    assert.deepEqual([document["authenticated"], document["error"], document["spiffe_id"]], [false, code, undefined]);
  });

  it(`with on_invalid: policy, lets the policy see ${what}`, async () => {
    const { refusal, identity } = await world.resolve(request, { ...options, onInvalid: "policy" });
    assert.equal(refusal?.code, code === "revoked" ? code : undefined);
    assert.equal(identity.verifiedBy, "none");
    assert.equal((JSON.parse(identity.json) as Record<string, unknown>)["error"], code);
  });
}

it("with on_invalid: policy, refuses a revoked peer whatever invalid credential it adds", async () => {
  const spoilt = `${token.slice(0, -4)}AAAA`;
  const added: readonly Partial<RequestCredentials>[] = [
    bearer(spoilt),
    bearer(world.token(td1, "/a", { aud: "spiffe://td1.test/other" })),
    bearer(world.token(td1, "/somebody/else")),
    bearer(`${token}, Bearer ${token}`),
    { sourcePrincipal: API, ...bearer(spoilt) },
  ];
  for (const more of added) {
    for (const peer of [over(api), { sourcePrincipal: API }]) {
      const request = { ...peer, ...more };
      const options = { ...denying({ spiffe_id: API }), onInvalid: "policy" } as const;
      assert.equal((await world.resolve(request, options)).refusal?.code, "revoked");
    }
    const ofThat = { ...denying({ fingerprint_sha256: sha(api) }), onInvalid: "policy" } as const;
    assert.equal((await world.resolve({ ...over(api), ...more }, ofThat)).refusal?.code, "revoked");
  }
  const mismatch = { ...over(api), sourcePrincipal: another };
  const options = { ...denying({ spiffe_id: another }), onInvalid: "policy" } as const;
  assert.equal((await world.resolve(mismatch, options)).refusal?.code, "revoked");
});

it("with on_invalid: policy, refuses a revoked token whatever else is wrong with it", async () => {
  const expiring = { trust: { rulesOf: () => ({ maxLifetimeMs: undefined, minRemainingMs: 3_000_000 }) } };
  const cases: readonly (readonly [IdentityCode, Partial<RequestCredentials>, WorldOptions?])[] = [
    ["identity_conflict", { ...over(gateway), ...bearer(token) }],
    ["identity_conflict", { ...bearer(token), sourcePrincipal: another }],
    ["jwt_unbound", bearer(token), { tokens: { bindToPeer: true } }],
    ["credential_expiring", bearer(token), expiring],
  ];
  for (const [code, request, more] of cases) {
    const options = { ...more, onInvalid: "policy" } as const;
    const before = await world.resolve(request, options);
    assert.deepEqual([before.identity.error, before.refusal], [code, undefined]);
    for (const entry of [{ jti: "t-1" }, { spiffe_id: API }]) {
      const { refusal, identity } = await world.resolve(request, { ...options, ...denying(entry) });
      assert.deepEqual([refusal?.code, identity.source], ["revoked", "token"], code);
    }
  }
  const here = createTrustWorld(60_000);
  const late = bearer(here.token(here.td1, "/a", { jti: "t-1" }));
  here.clock.advanceMs(60_001);
  const { refusal } = await here.resolve(late, { ...denying({ jti: "t-1" }), onInvalid: "policy" });
  assert.equal(refusal?.code, "revoked", "under a stale bundle");
});

it("takes no token by keys that were withdrawn while its signature was checked, nor its peer by such an authority", async () => {
  const here = createTrustWorld();
  const svid = here.svid(here.td2, "/a");
  const cases = [
    { revoked: here.td1, request: bearer(here.token(here.td1, "/a")), code: "jwt_no_bundle" },
    {
      revoked: here.td2,
      request: { ...over(svid), ...bearer(here.token(here.td1, "/b")) },
      code: "x509_no_bundle",
      trust: { gateways: new Set(["spiffe://td2.test/a"]) },
    },
  ];
  for (const { revoked, request, code, ...options } of cases) {
    const first = here.resolve(request, options);
    assert.ok(first instanceof Promise);
    here.revokeAll(revoked);
    assert.equal((await first).refusal?.code, code);
    here.trust(revoked);
    const second = here.resolve(request, options);
    here.revokeAll(revoked);
    here.trust(revoked);
    assert.equal((await second).refusal, undefined, "the same keys are back");
  }
});

it("gives a token the grace of clock_skew at its end, and none where min_remaining is asked for", async () => {
  const here = createTrustWorld();
  const late = bearer(here.token(here.td1, "/late"));
  here.clock.advanceMs(4 * 60_000 + 1_000);
  assert.equal((await here.resolve(late)).refusal, undefined);
  const rules = { trust: { rulesOf: () => ({ maxLifetimeMs: undefined, minRemainingMs: 1 }) } };
  assert.equal((await here.resolve(late, rules)).refusal?.code, "credential_expiring");
  here.clock.advanceMs(29_000);
  assert.equal((await here.resolve(late)).refusal?.code, "jwt_expired");
});

it("counts min_remaining to the earliest end in the path, and max_lifetime to the leaf's", () => {
  const ending = issueAuthority(td1.root, {
    ...dates,
    subject: "ending",
    notAfterUnixMs: world.clock.unixMs() + 60_000,
  });
  const below = world.svid(td1, "/below", {}, ending);
  const chain = encodeURIComponent(below.pem + ending.pem);
  const header = `By=${GATEWAY};Hash=${sha(below)};Chain="${chain}";URI=spiffe://td1.test/below`;
  const request = {
    ...over(below),
    destinationPrincipal: GATEWAY,
    ...withHeaders({ "x-forwarded-client-cert": header }),
  };
  const at = (minRemainingMs: number, maxLifetimeMs?: number) => {
    const rulesOf = () => ({ maxLifetimeMs, minRemainingMs });
    return world.resolve(request, { withXfcc: true, trust: { rulesOf } }) as Resolution;
  };
  const now = world.clock.unixMs();
  assert.deepEqual([at(0).refusal, at(0).identity.notAfterUnixMs], [undefined, now + 60_000]);
  assert.deepEqual([at(60_000).refusal, at(60_000).identity.notAfterUnixMs], [undefined, now]);
  assert.equal(at(60_001).refusal?.code, "credential_expiring");
  assert.equal(at(0, 3_600_000).refusal, undefined);
  assert.equal(at(0, 3_599_999).refusal?.code, "credential_long_lived");
});

it("asks who was decided about anew before min_remaining is reached, by the rules of each trust domain", async () => {
  const rulesOf = (name: string) => ({ maxLifetimeMs: undefined, minRemainingMs: name === "td1.test" ? 10_000 : 0 });
  const own = await world.resolve({ ...over(api), ...bearer(token) }, { trust: { rulesOf } });
  assert.equal(own.identity.notAfterUnixMs, 1767225840_000 - 10_000);
  const foreign = await world.resolve(bearer(world.token(td2, "/x")), { trust: { rulesOf } });
  assert.equal(foreign.identity.notAfterUnixMs, 1767225840_000);
});

it("counts a token without `iat` as issued before anything, whatever its `nbf`", async () => {
  const seconds = Math.floor(world.clock.unixMs() / 1000);
  const list = denying({ spiffe_id: API, not_before: new Date((seconds - 60) * 1000).toISOString() });
  const late = { iat: undefined, nbf: seconds, jti: "late" };
  const outcomes = [
    [token, undefined],
    [world.token(td1, "/ns/payments/sa/api", late), "revoked"],
    [world.token(td1, "/ns/payments/sa/api", { iat: seconds - 61 }), "revoked"],
  ] as const;
  for (const [text, want] of outcomes) assert.equal((await world.resolve(bearer(text), list)).refusal?.code, want);
});

it("refuses with `bundle_stale` once the bundle's source has been silent for too long", () => {
  const here = createTrustWorld(60_000);
  const svid = here.svid(here.td1, "/a");
  here.clock.advanceMs(60_000);
  assert.equal((here.resolve(over(svid)) as Resolution).refusal, undefined);
  here.clock.advanceMs(1);
  assert.equal((here.resolve(over(svid)) as Resolution).refusal?.code, "bundle_stale");
  here.bundles.sink("file").confirm("td1.test");
  assert.equal((here.resolve(over(svid)) as Resolution).refusal, undefined);
});

it("revokes every known credential of a trust domain with its bundle's keys, and of no other", async () => {
  const here = createTrustWorld();
  const requests = (domain: typeof td1) => [over(here.svid(domain, "/a")), bearer(here.token(domain, "/a"))];
  const [ours, theirs] = [requests(here.td1), requests(here.td2)];
  for (const request of [...ours, ...theirs]) assert.equal((await here.resolve(request)).refusal, undefined);
  here.revokeAll(here.td1);
  const codes = await Promise.all(ours.map(async (request) => (await here.resolve(request)).refusal?.code));
  assert.deepEqual(codes, ["x509_no_bundle", "jwt_no_bundle"]);
  for (const request of theirs) assert.equal((await here.resolve(request)).refusal, undefined);
  here.trust(here.td1);
  for (const request of ours) assert.equal((await here.resolve(request)).refusal, undefined);
});

it("a certificate and a token of one workload: the connection speaks, the token is shown", async () => {
  const document = documentOf(await world.resolve({ ...over(api), ...bearer(token) }));
  assert.equal((document["credential"] as { source: string }).source, "certificate");
  assert.equal((document["token"] as { spiffe_id: string }).spiffe_id, API);
  assert.equal(document["peer"], undefined);
});

it("a listed gateway passes on another's token: the token speaks, the gateway is the peer", async () => {
  const options = { trust: { gateways: new Set([GATEWAY]) }, tokens: { bindToPeer: true } };
  const resolution = await world.resolve({ ...over(gateway), ...bearer(token) }, options);
  const document = documentOf(resolution);
  assert.equal(document["spiffe_id"], API);
  assert.equal((document["credential"] as { binding: string }).binding, "forwarded");
  assert.equal((document["peer"] as { spiffe_id: string }).spiffe_id, GATEWAY);
  assert.equal(resolution.identity.peerSpiffeId, GATEWAY);
  // The gateway's certificate ends after the token.
  assert.equal(resolution.identity.notAfterUnixMs, 1767225840_000);
});

it("leaves what is not ours in Authorization to the policy", async () => {
  const foreign = world.token(td1, "/x", { sub: "user:alice" });
  for (const authorization of ["Basic YTpi", `Bearer ${foreign}`, "Bearer opaque", "", "Negotiate x"]) {
    const resolution = await world.resolve(withHeaders({ authorization }));
    assert.equal(resolution.refusal, undefined, authorization);
    assert.deepEqual(documentOf(resolution), {
      authenticated: false,
      verified_by: "none",
      credential: { type: "none" },
    });
  }
});

it("takes Envoy's word for a principal only where it is told to, and says so", () => {
  const asked = { sourcePrincipal: API };
  assert.deepEqual(documentOf(world.resolve(asked) as Resolution), {
    authenticated: false,
    verified_by: "none",
    credential: { type: "none" },
    unverified: { principal: API },
  });
  const promoted = world.resolve(asked, { trustEnvoyPrincipal: true }) as Resolution;
  assert.deepEqual(documentOf(promoted), {
    authenticated: true,
    verified_by: "envoy",
    spiffe_id: API,
    trust_domain: "td1.test",
    path: "/ns/payments/sa/api",
    segments: ["ns", "payments", "sa", "api"],
    kind: "workload",
    federated: false,
    credential: { type: "x509-svid", source: "principal", binding: "mtls" },
  });
  for (const sourcePrincipal of ["CN=admin", "https://td1.test/a", "spiffe://td1.test", "SPIFFE://td1.test/a"]) {
    const resolution = world.resolve({ sourcePrincipal }, { trustEnvoyPrincipal: true }) as Resolution;
    assert.equal(resolution.identity.verifiedBy, "none", sourcePrincipal);
  }
});

it("never falls back to Envoy's word when the certificate beside it fails", () => {
  const request = { ...over(selfSigned), sourcePrincipal: API };
  const resolution = world.resolve(request, { trustEnvoyPrincipal: true, onInvalid: "policy" }) as Resolution;
  assert.equal(resolution.identity.verifiedBy, "none");
  assert.equal(resolution.identity.error, "x509_untrusted");
});

it("tells which headers to take away whether the token was accepted or not, and only where tokens are stripped", async () => {
  const strip = { tokens: { strip: true } };
  assert.deepEqual((await world.resolve(bearer(token), strip)).headersToRemove, ["authorization"]);
  assert.equal((await world.resolve(bearer(token))).headersToRemove, undefined);
  assert.equal((await world.resolve(withHeaders({ authorization: "Basic YTpi" }), strip)).headersToRemove, undefined);
  const refused: readonly (readonly [IdentityCode, Partial<RequestCredentials>, WorldOptions?])[] = [
    ["jwt_aud", bearer(world.token(td1, "/a", { aud: "spiffe://td1.test/other" }))],
    ["jwt_signature", bearer(`${token.slice(0, -4)}AAAA`)],
    ["jwt_several", bearer(`${token}, Bearer ${token}`)],
    ["jwt_malformed", bearer(`${token} x`)],
    ["x509_untrusted", { ...over(selfSigned), ...bearer(token) }],
    ["x509_untrusted", { ...over(selfSigned), ...bearer(`${token}, Bearer ${token}`) }],
    ["identity_conflict", { ...over(gateway), ...bearer(token) }],
    ["revoked", bearer(token), denying({ jti: "t-1" })],
  ];
  for (const [code, request, options] of refused) {
    for (const onInvalid of ["deny", "policy"] as const) {
      const { identity, headersToRemove } = await world.resolve(request, { ...options, ...strip, onInvalid });
      assert.deepEqual([identity.error, headersToRemove], [code, ["authorization"]]);
    }
    assert.equal((await world.resolve(request, options)).headersToRemove, undefined, code);
  }
});

it("says `overloaded` above the number of tokens that may be verified at once", async () => {
  const known = createKnownTokens({ bundles: world.bundles, audiences: [AUDIENCE], maxInFlight: 1 });
  const parts = { tokens: { known } };
  const first = world.resolve(bearer(world.token(td1, "/one")), parts);
  const second = world.resolve(bearer(world.token(td1, "/two")), { ...parts, onInvalid: "policy" });
  assert.equal((await second).refusal?.code, "overloaded");
  assert.equal((await first).refusal, undefined);
});

it("uses the chain of a bound header as candidates for the path", () => {
  const intermediate = issueAuthority(td1.root, { subject: "intermediate", ...dates });
  const below = world.svid(td1, "/below", {}, intermediate);
  const chain = encodeURIComponent(below.pem + intermediate.pem);
  const request = {
    ...over(below),
    destinationPrincipal: GATEWAY,
    ...withHeaders({
      "x-forwarded-client-cert": `By=${GATEWAY};Hash=${sha(below)};Chain="${chain}";URI=spiffe://td1.test/below`,
    }),
  };
  assert.equal((world.resolve(request) as Resolution).refusal?.code, "x509_untrusted");
  assert.equal((world.resolve(request, { withXfcc: true }) as Resolution).refusal, undefined);
  const unbound = { ...request, destinationPrincipal: "spiffe://td1.test/elsewhere" };
  assert.equal((world.resolve(unbound, { withXfcc: true }) as Resolution).refusal?.code, "x509_untrusted");
});

it("without trust bundles looks at no certificate and no token, and refuses nobody for them", async () => {
  const resolve = createResolver({ ...world.parts(), trust: undefined });
  const request: RequestCredentials = {
    ...over(selfSigned),
    ...bearer("x.y.z"),
    sourcePrincipal: API,
    destinationPrincipal: "",
    filterMetadata: () => undefined,
  };
  const resolution = (await resolve(request, world.clock.unixMs())) satisfies Resolution;
  assert.equal(resolution.refusal, undefined);
  assert.equal(resolution.identity.verifiedBy, "none");
});

it("keeps for the record whose credential was refused although its signatures hold, and nothing of one that proves nothing", async () => {
  const told = async (request: Partial<RequestCredentials>, options?: WorldOptions) => {
    const { identity } = await world.resolve(request, options);
    return [identity.source, identity.refusedSpiffeId, identity.credential?.type, identity.spiffeId];
  };
  assert.deepEqual(await told(over(api), denying({ spiffe_id: API })), ["certificate", API, "x509-svid", undefined]);
  assert.deepEqual(await told(bearer(token), denying({ jti: "t-1" })), ["token", API, "jwt-svid", undefined]);
  const both = { ...over(api), ...bearer(token) };
  assert.deepEqual(await told(both, denying({ jti: "t-1" })), ["token", API, "jwt-svid", undefined]);
  const short = { trust: { rulesOf: () => ({ maxLifetimeMs: 60_000, minRemainingMs: 0 }) } };
  assert.deepEqual(await told(over(api), short), ["certificate", API, "x509-svid", undefined]);
  assert.deepEqual(await told({ ...over(gateway), ...bearer(token) }), ["token", API, "jwt-svid", undefined]);
  assert.deepEqual(await told(over(selfSigned)), ["certificate", undefined, undefined, undefined]);
});
