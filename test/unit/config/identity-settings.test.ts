import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadConfig } from "../../../src/config/load.ts";
import { changesThatNeedRestart } from "../../../src/config/restart.ts";
import { resolveSettings, type Settings } from "../../../src/config/settings.ts";

type Resolved = { readonly settings: Settings } | { readonly problems: readonly string[] };

/** Words of `--set`, without the section that they all begin with. */
function resolve(...words: readonly string[]): Resolved {
  const set = words.map((word) => (word.startsWith("svidgate.") ? word : `svidgate.identity.${word}`));
  const loaded = loadConfig({ flags: new Map(), set, env: {} });
  if (!loaded.ok) return loaded;
  const resolved = resolveSettings(loaded.config, loaded.given, loaded.notes);
  return resolved.ok ? { settings: resolved.settings } : resolved;
}

function settingsOf(...words: readonly string[]): Settings {
  const resolved = resolve(...words);
  assert.ok("settings" in resolved, JSON.stringify(resolved));
  return resolved.settings;
}

const problemsOf = (...words: readonly string[]): readonly string[] => {
  const resolved = resolve(...words);
  return "settings" in resolved ? [] : resolved.problems;
};

const BUNDLE = "trust_domains.example.org.bundle=b.json";
const WORKLOAD_API = "workload_api=unix:///run/spire/agent.sock";

it("proves, denies and remembers nothing unless told, and then denies what does not verify", () => {
  const settings = settingsOf();
  const {
    hasTrustBundles,
    identityOnInvalid,
    trustEnvoyPrincipal,
    jwtEnabled,
    jwtForward,
    jwtRequireKeyId,
    jwtBindToPeer,
    xfccEnabled,
    tlsSource,
    workloadApi,
    denyList,
    stateDir,
  } = settings;
  assert.deepEqual(
    { hasTrustBundles, identityOnInvalid, trustEnvoyPrincipal, jwtEnabled, jwtForward, jwtRequireKeyId, jwtBindToPeer },
    {
      hasTrustBundles: false,
      identityOnInvalid: "deny",
      trustEnvoyPrincipal: false,
      jwtEnabled: false,
      jwtForward: "keep",
      jwtRequireKeyId: true,
      jwtBindToPeer: false,
    },
  );
  assert.deepEqual(
    [xfccEnabled, tlsSource, workloadApi, denyList, stateDir],
    [false, "files", undefined, undefined, undefined],
  );
  assert.deepEqual(
    [settings.clockSkewMs, settings.certificatesCached, settings.jwtMaxLifetimeMs, settings.jwtMaxInFlight],
    [30_000, 10_000, 3_600_000, 64],
  );
  assert.deepEqual(settings.notes, []);
});

it("reads JWT-SVIDs when there are audiences, unless told not to", () => {
  assert.equal(settingsOf(BUNDLE, "jwt_svid.audiences=svidgate").jwtEnabled, true);
  assert.equal(settingsOf(BUNDLE, "jwt_svid.audiences=svidgate", "jwt_svid.enabled=false").jwtEnabled, false);
  assert.deepEqual(settingsOf("jwt_svid.audiences=a", "jwt_svid.audiences=b").jwtAudiences, ["a", "b"]);
});

for (const word of ["enabled=true", "header=x-token", "metadata=a/b", "bind_to_peer=true"]) {
  const key = word.split("=")[0] ?? "";
  it(`refuses jwt_svid.${word} without an audience`, () => {
    assert.deepEqual(problemsOf(BUNDLE, `jwt_svid.${word}`), [
      `svidgate.identity.jwt_svid.audiences: missing: \`svidgate.identity.jwt_svid.${key}\` is set, so name an audience that tokens must be for`,
    ]);
  });
}

it("reads places of tokens and attributes", () => {
  const settings = settingsOf(
    BUNDLE,
    "jwt_svid.audiences=a",
    "jwt_svid.header=X-Workload-Token",
    "jwt_svid.metadata=envoy.filters.http.jwt_authn/a/b",
    "attributes.envoy_metadata.zone=io.example/zone",
    "attributes.envoy_metadata.tier=io.example/tier",
  );
  assert.equal(settings.jwtHeader, "x-workload-token");
  assert.deepEqual(settings.jwtMetadata, { namespace: "envoy.filters.http.jwt_authn", key: "a/b" });
  assert.deepEqual(Object.fromEntries(settings.attributeMetadata), {
    zone: { namespace: "io.example", key: "zone" },
    tier: { namespace: "io.example", key: "tier" },
  });
});

describe("the Workload API", () => {
  it("is a source of trust bundles without any trust domain", () => {
    const settings = settingsOf(WORKLOAD_API);
    assert.deepEqual([settings.hasTrustBundles, settings.trustDomains.size, settings.notes], [true, 0, []]);
  });

  it("is needed for the listener's certificate", () => {
    assert.deepEqual(problemsOf("svidgate.tls.source=workload_api"), [
      "svidgate.identity.workload_api: missing: `svidgate.tls.source: workload_api` is set, so give its address such as unix:///run/spire/agent.sock",
    ]);
    assert.equal(settingsOf(WORKLOAD_API, "svidgate.tls.source=workload_api").tlsSource, "workload_api");
  });

  it("and certificate files exclude each other", () => {
    assert.deepEqual(
      problemsOf(
        WORKLOAD_API,
        "svidgate.tls.source=workload_api",
        "svidgate.tls.certificate=c",
        "svidgate.tls.private_key=k",
      ),
      ["certificate", "private_key"].map(
        (key) =>
          `svidgate.tls.${key}: has no effect with \`svidgate.tls.source: workload_api\`: take out one of the two`,
      ),
    );
  });

  it("is announced where nothing asks it", () => {
    const own = "trust_domain=example.org";
    assert.deepEqual(settingsOf(WORKLOAD_API, BUNDLE, own).notes, [
      "svidgate.identity.workload_api: no effect: every trust domain has its bundle from elsewhere, `svidgate.identity.trust_domain` is set, and `svidgate.tls.source` is files",
    ]);
    assert.deepEqual(settingsOf(WORKLOAD_API, BUNDLE, own, "svidgate.tls.source=workload_api").notes, []);
    // Its SVID says which trust domain is svidgate's own.
    assert.deepEqual(settingsOf(WORKLOAD_API, BUNDLE).notes, []);
  });

  for (const address of ["unix:///run/agent.sock", "tcp://127.0.0.1:8081", "tcp://[::1]:8081"]) {
    it(`may be at ${address}`, () => assert.equal(settingsOf(`workload_api=${address}`).workloadApi, address));
  }
  for (const address of [
    "",
    "/run/agent.sock",
    "unix:/run/agent.sock",
    "unix://run/agent.sock",
    "unix:///",
    "unix:///a?b",
    "unix:///a#b",
    "tcp://localhost:8081",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:8081/x",
    "http://127.0.0.1:8081",
    "npipe:x",
  ]) {
    it(`is not at \`${address}\``, () => {
      assert.deepEqual(problemsOf(`workload_api=${address}`), [
        `--set svidgate.identity.workload_api: \`${address}\` is not valid: expected unix:///absolute/path/of/the.sock or tcp://IP:PORT`,
      ]);
    });
  }
});

it("announces a principal that is taken without proof", () => {
  assert.deepEqual(settingsOf("trust_envoy_principal=true").notes, [
    "svidgate.identity.trust_envoy_principal: the principal that Envoy names is taken as authenticated, without proof",
  ]);
});

it("says what has no effect without trust bundles, and nothing with them", () => {
  const words = [
    "gateways=spiffe://example.org/gateway",
    "jwt_svid.audiences=a",
    "xfcc.enabled=true",
    "on_invalid=policy",
  ];
  const { notes } = settingsOf(...words);
  assert.deepEqual(
    notes.map((note) => note.slice(0, note.indexOf(":"))),
    ["gateways", "jwt_svid", "xfcc.enabled", "on_invalid"].map((key) => `svidgate.identity.${key}`),
  );
  for (const note of notes) assert.match(note, /: no effect: nothing verifies a credential without /);
  assert.deepEqual(settingsOf(BUNDLE, ...words).notes, []);
  assert.deepEqual(settingsOf("deny_list=d.json", "attributes.files=a.yaml").notes, []);
});

it("refuses a key for signatures of no file", () => {
  assert.deepEqual(problemsOf("attributes.public_key=k.pem"), [
    "svidgate.identity.attributes.public_key: has no effect without `svidgate.identity.attributes.files`: name them",
  ]);
  assert.deepEqual(problemsOf("attributes.public_key=k.pem", "attributes.files=a.json"), []);
});

it("takes up everything of identity at a reload but where a process listens and asks", () => {
  const before = settingsOf(BUNDLE).config;
  const { config } = settingsOf(
    BUNDLE,
    "on_invalid=policy",
    "trust_envoy_principal=true",
    "clock_skew=1s",
    "gateways=spiffe://example.org/g",
    "certificates_cached=100",
    "xfcc.enabled=true",
    "jwt_svid.audiences=a",
    "jwt_svid.header=b",
    "jwt_svid.metadata=a/b",
    "jwt_svid.forward=strip",
    "jwt_svid.max_lifetime=5m",
    "jwt_svid.require_key_id=false",
    "jwt_svid.bind_to_peer=true",
    "jwt_svid.max_in_flight=1",
    "jwt_svid.foreign_claims=c",
    "jwt_svid.enabled=true",
    "attributes.templates=/ns/{namespace}",
    "attributes.files=a",
    "attributes.public_key=k",
    "attributes.jwt_claims=c",
    "attributes.envoy_metadata.x=a/b",
    "deny_list=d",
    "trust_domains.example.org.max_lifetime=24h",
    WORKLOAD_API,
    "svidgate.tls.source=workload_api",
    "svidgate.state_dir=/var/lib/svidgate",
  );
  assert.deepEqual(changesThatNeedRestart(before, config), [
    "svidgate.tls.source",
    "svidgate.identity.workload_api",
    "svidgate.state_dir",
  ]);
});

const ID_SENTENCE = "expected a SPIFFE ID such as spiffe://example.org/ns/web/sa/shop";
for (const id of [
  "",
  "example.org/a",
  "SPIFFE://example.org/a",
  "spiffe://Example.org/a",
  "spiffe:///a",
  "spiffe://example.org/",
  "spiffe://example.org//a",
  "spiffe://example.org/a/",
  "spiffe://example.org/./a",
  "spiffe://example.org/a/..",
  "spiffe://example.org/a%20b",
  "spiffe://example.org:1/a",
  "spiffe://me@example.org/a",
  "spiffe://example.org/a?b",
  "spiffe://example.org/a\n",
  `spiffe://example.org/${"a".repeat(2_048)}`,
]) {
  it(`refuses the gateway ${JSON.stringify(id.slice(0, 60))}`, () => {
    const [problem] = problemsOf(BUNDLE, `gateways=${id}`);
    assert.ok(problem?.endsWith(ID_SENTENCE), problem);
  });
}
for (const id of ["spiffe://example.org", "spiffe://a_b-c.1/...", "spiffe://example.org/.a/..b/A-Z_0"]) {
  it(`takes the gateway ${id}`, () => assert.deepEqual(settingsOf(BUNDLE, `gateways=${id}`).gateways, [id]));
}

const invalid = [
  ["clock_skew", ["121s", "30", "-1s"]],
  ["certificates_cached", ["99", "1000001", "many"]],
  ["on_invalid", ["allow", ""]],
  ["jwt_svid.forward", ["drop"]],
  ["jwt_svid.max_lifetime", ["0", "999ms", "721h"]],
  ["jwt_svid.max_in_flight", ["0", "10001"]],
  ["jwt_svid.header", ["", ":path", "a b", "x".repeat(129)]],
  ["jwt_svid.metadata", ["", "a", "/a", "a/", "a b/c"]],
  ["attributes.envoy_metadata.x", ["", "a", "/b"]],
] as const;
for (const [key, texts] of invalid) {
  for (const text of texts) {
    it(`refuses ${key}=${JSON.stringify(text.slice(0, 40))} by name`, () => {
      const [problem, ...more] = problemsOf(BUNDLE, "jwt_svid.audiences=a", `${key}=${text}`);
      assert.equal(more.length, 0);
      assert.ok(problem?.startsWith(`--set svidgate.identity.${key}: \`${text}\` is not valid: expected `), problem);
    });
  }
}

it("refuses an attribute's name that no policy could write after a dot", () => {
  assert.deepEqual(problemsOf("attributes.envoy_metadata.Zone=a/b"), [
    "--set svidgate.identity.attributes.envoy_metadata.Zone: `Zone` is not an attribute's name: a lower-case letter, then letters, digits and underscores, 64 at most",
  ]);
});
