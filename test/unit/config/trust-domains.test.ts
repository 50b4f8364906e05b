import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type ConfigSources, loadConfig } from "../../../src/config/load.ts";
import { checkMigration } from "../../../src/config/migrate.ts";
import { changesThatNeedRestart } from "../../../src/config/restart.ts";
import { resolveSettings, type Settings } from "../../../src/config/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "svidgate-trust-domains-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "svidgate.yaml");

type Resolved = { readonly settings: Settings } | { readonly problems: readonly string[] };

function resolve(text: string, sources: Partial<ConfigSources> = {}): Resolved {
  writeFileSync(path, text);
  const loaded = loadConfig({ file: path, flags: new Map(), set: [], env: {}, ...sources });
  if (!loaded.ok) return loaded;
  const resolved = resolveSettings(loaded.config, loaded.given, loaded.notes);
  return resolved.ok ? { settings: resolved.settings } : resolved;
}

function settingsOf(text: string, sources: Partial<ConfigSources> = {}): Settings {
  const resolved = resolve(text, sources);
  assert.ok("settings" in resolved, JSON.stringify(resolved));
  return resolved.settings;
}

/** Problems without the file's name, so that they begin with line and column, and without the section they all name. */
function problemsOf(text: string, sources: Partial<ConfigSources> = {}): readonly string[] {
  const resolved = resolve(text, sources);
  return "settings" in resolved
    ? []
    : resolved.problems.map((problem) =>
        problem.replaceAll(`${path}:`, "").replace("svidgate.identity.trust_domains.", "T."),
      );
}

const GOOD = `svidgate:
  identity:
    workload_api: unix:///run/spire/agent.sock
    trust_domains:
      example.org: {bundle: /etc/svidgate/bundle.json, max_staleness: 1h, max_lifetime: 24h, min_remaining: 10s}
      spire.example:
        bundle: workload_api
      web.example: {bundle: "https://web.example/bundle", bundle_profile: https_web, bundle_ca: roots.pem}
      far.example:
        bundle: https://far.example:8443/?td=far
        bundle_profile: https_spiffe
        bundle_endpoint_spiffe_id: spiffe://far.example/spire/server
        bundle_bootstrap: far.json
        max_staleness: 0
`;

it("reads every kind of bundle and the rules of each trust domain from the file", () => {
  assert.deepEqual(Object.fromEntries(settingsOf(GOOD).trustDomains), {
    "example.org": {
      bundle: { kind: "file", path: "/etc/svidgate/bundle.json" },
      maxStalenessMs: 3_600_000,
      maxLifetimeMs: 86_400_000,
      minRemainingMs: 10_000,
    },
    "spire.example": {
      bundle: { kind: "workload_api" },
      maxStalenessMs: 86_400_000,
      maxLifetimeMs: undefined,
      minRemainingMs: 0,
    },
    "web.example": {
      bundle: { kind: "https_web", url: "https://web.example/bundle", ca: "roots.pem" },
      maxStalenessMs: 86_400_000,
      maxLifetimeMs: undefined,
      minRemainingMs: 0,
    },
    "far.example": {
      bundle: {
        kind: "https_spiffe",
        url: "https://far.example:8443/?td=far",
        endpointSpiffeId: "spiffe://far.example/spire/server",
        bootstrap: "far.json",
      },
      maxStalenessMs: Number.POSITIVE_INFINITY,
      maxLifetimeMs: undefined,
      minRemainingMs: 0,
    },
  });
});

it("has no trust domains unless told", () => {
  const settings = settingsOf("");
  assert.deepEqual([settings.trustDomains.size, settings.hasTrustBundles], [0, false]);
  assert.equal(settingsOf("svidgate: {identity: {trust_domains: {}}}").trustDomains.size, 0);
});

it("takes what stands between prefix and last word of --set as the name, dots and all", () => {
  const settings = settingsOf("", {
    set: [
      "svidgate.identity.trust_domains.example.org.bundle=/x=y",
      "svidgate.identity.trust_domains.a.bundle.bundle=z",
      "svidgate.identity.trust_domains.a.bundle.max_staleness=5m",
    ],
  });
  assert.deepEqual(
    [...settings.trustDomains].map(([name, { bundle, maxStalenessMs }]) => [name, bundle, maxStalenessMs]),
    [
      ["example.org", { kind: "file", path: "/x=y" }, 86_400_000],
      ["a.bundle", { kind: "file", path: "z" }, 300_000],
    ],
  );
});

it("lets --set and flags change single rules of the file's trust domains, and add further ones", () => {
  const { trustDomains } = settingsOf(GOOD, {
    set: ["svidgate.identity.trust_domains.example.org.max_lifetime=1h"],
    flags: new Map([["trust-domain-bundle", ["example.org=./other.json", "b.example=b.pem"]]]),
  });
  assert.deepEqual(trustDomains.get("example.org"), {
    bundle: { kind: "file", path: "./other.json" },
    maxStalenessMs: 3_600_000,
    maxLifetimeMs: 3_600_000,
    minRemainingMs: 10_000,
  });
  assert.deepEqual(trustDomains.get("b.example")?.bundle, { kind: "file", path: "b.pem" });
  assert.equal(trustDomains.size, 5);
});

it("takes up changed trust domains at a reload", () => {
  const before = settingsOf(GOOD).config;
  const after = settingsOf(GOOD.replace("1h", "2h").replace("web.example:", "web2.example:")).config;
  assert.notDeepEqual(after, before);
  assert.deepEqual(changesThatNeedRestart(before, after), []);
});

describe("the shortest max_staleness", () => {
  const web = "https://x.test/b, bundle_profile: https_web";
  for (const [bundle, given, problem] of [
    [web, "179s", /a\.max_staleness: too short, a URL is not looked at often enough: say at least `180s`/],
    [web, "3m", undefined],
    [web, "0", undefined],
    ["b.json", "29s", /a\.max_staleness: too short, a file is not looked at often enough: say at least `30s`/],
    ["b.json", "30s", undefined],
    ["b.json", "0", undefined],
  ] as const) {
    it(`${problem === undefined ? "takes" : "refuses"} ${given} for ${bundle}`, () => {
      const problems = problemsOf(under(`a: {bundle: ${bundle}, max_staleness: ${given}}`));
      if (problem === undefined) assert.deepEqual(problems, []);
      else assert.match(problems.join(), problem);
    });
  }
});

const under = (entry: string): string => `svidgate:\n  identity:\n    trust_domains:\n      ${entry}\n`;

describe("refuses in the file", () => {
  const rows = [
    [
      "a misspelt key, naming the nearest of the same trust domain",
      "example.org: {bundel: x}",
      "4:21: T.example.org.bundel: unknown key; did you mean `svidgate.identity.trust_domains.example.org.bundle`?",
    ],
    ["a key that is near none", "example.org: {zzzzzzzz: x}", "4:21: T.example.org.zzzzzzzz: unknown key"],
    ["a trust domain without keys", "example.org: {}", "4:7: T.example.org: has no keys: give `bundle`"],
    ["a trust domain with nothing", "example.org:", "4:7: T.example.org: has no keys: give `bundle`"],
    ["a path where keys belong", "example.org: x", "4:7: T.example.org: expected keys below it, not the text `x`"],
    [
      "a key without a value",
      "example.org: {bundle: }",
      "4:21: T.example.org.bundle: has no value: give one, or leave the line out",
    ],
    ["a list of bundles", "example.org: {bundle: [a, b]}", "4:29: T.example.org.bundle: expected text, not a list"],
    [
      "upper case",
      "Example.org: {bundle: x}",
      "4:7: T.Example.org: not a trust domain: 1 to 255 of a-z, 0-9, dot, dash and underscore, without spiffe://",
    ],
    [
      "a SPIFFE ID as a name",
      '"spiffe://example.org": {bundle: x}',
      "4:7: T.spiffe://example.org: not a trust domain: 1 to 255 of a-z, 0-9, dot, dash and underscore, without spiffe://",
    ],
    [
      "a wrong value, without repeating the name",
      "example.org: {bundle: x, max_staleness: 5}",
      "4:47: T.example.org.max_staleness: `5` is not valid: expected a duration with a unit such as 250ms, 5s, 2m, from 0ms to 31536000000ms",
    ],
    [
      "http",
      "example.org: {bundle: 'http://x/', bundle_profile: https_web}",
      "4:29: T.example.org.bundle: `http://x/` is not valid: trust bundles are fetched over https:// only",
    ],
    [
      "credentials in a URL, without telling them",
      "example.org: {bundle: 'https://me:secret@x/', bundle_profile: https_web}",
      "4:29: T.example.org.bundle: `https://…@x/` is not valid: a URL must not hold credentials: take them out",
    ],
    [
      "a fragment in a URL",
      "example.org: {bundle: 'https://x/#y', bundle_profile: https_web}",
      "4:29: T.example.org.bundle: `https://x/#y` is not valid: a URL without fragment is expected",
    ],
    [
      "another scheme",
      "example.org: {bundle: 'file:///x'}",
      "4:29: T.example.org.bundle: `file:///x` is not valid: expected a path, workload_api or a URL that begins with https://",
    ],
    [
      "a misspelt workload_api, which would be a path",
      "example.org: {bundle: workload-api}",
      "4:29: T.example.org.bundle: `workload-api` is not valid: did you mean workload_api? A file of this name is `./workload-api`",
    ],
  ] as const;
  for (const [name, entry, sentence] of rows) it(name, () => assert.deepEqual(problemsOf(under(entry)), [sentence]));
});

describe("refuses in combination", () => {
  const url = "bundle: 'https://x/b'";
  const rows = [
    ["rules without a bundle", "max_lifetime: 1h", "bundle: missing: name a file, an https:// URL, or `workload_api`"],
    ["a URL without profile", url, "bundle_profile: missing: a URL needs one, say `https_web` or `https_spiffe`"],
    [
      "a profile for a file",
      "bundle: x, bundle_profile: https_web",
      "bundle_profile: has no effect with a file: take it out",
    ],
    ["authorities for a file", "bundle: x, bundle_ca: y", "bundle_ca: has no effect with a file: take it out"],
    [
      "authorities for https_spiffe",
      `${url}, bundle_profile: https_spiffe, bundle_endpoint_spiffe_id: spiffe://example.org/s, bundle_bootstrap: y, bundle_ca: y`,
      "bundle_ca: has no effect with `https_spiffe`: take it out",
    ],
    [
      "an endpoint's ID for https_web",
      `${url}, bundle_profile: https_web, bundle_endpoint_spiffe_id: spiffe://example.org/s`,
      "bundle_endpoint_spiffe_id: has no effect with `https_web`: take it out",
    ],
    [
      "a first bundle for https_web",
      `${url}, bundle_profile: https_web, bundle_bootstrap: y`,
      "bundle_bootstrap: has no effect with `https_web`: take it out",
    ],
    [
      "https_spiffe without the endpoint's ID",
      `${url}, bundle_profile: https_spiffe`,
      "bundle_endpoint_spiffe_id: missing: with `https_spiffe`, name the SPIFFE ID of the URL's server",
    ],
    [
      "a self-serving endpoint without a first bundle",
      `${url}, bundle_profile: https_spiffe, bundle_endpoint_spiffe_id: spiffe://example.org/s`,
      "bundle_bootstrap: missing: the endpoint is in `example.org` itself, so name a file with its first bundle",
    ],
    [
      "an endpoint in a trust domain without a bundle",
      `${url}, bundle_profile: https_spiffe, bundle_endpoint_spiffe_id: spiffe://b/s`,
      "bundle_bootstrap: missing: nothing gives the keys of the endpoint's trust domain: name a file, or set `svidgate.identity.trust_domains.b.bundle`",
    ],
    [
      "a remaining time that no credential has",
      "bundle: x, max_lifetime: 1h, min_remaining: 1h",
      "min_remaining: not below `max_lifetime`, which refuses every credential: make it shorter",
    ],
  ] as const;
  for (const [name, keys, sentence] of rows) {
    it(name, () => assert.deepEqual(problemsOf(under(`example.org: {${keys}}`)), [`T.example.org.${sentence}`]));
  }

  it("workload_api without its address", () => {
    assert.deepEqual(problemsOf(under("example.org: {bundle: workload_api}")), [
      "svidgate.identity.workload_api: missing: `T.example.org.bundle: workload_api` is set, so give its address such as unix:///run/spire/agent.sock",
    ]);
  });
});

it("lets another trust domain vouch for an https_spiffe endpoint", () => {
  const { trustDomains } = settingsOf(
    under(
      "far: {bundle: 'https://x/', bundle_profile: https_spiffe, bundle_endpoint_spiffe_id: spiffe://hub/s}\n      hub: {bundle: hub.json}",
    ),
  );
  assert.deepEqual(trustDomains.get("far")?.bundle, {
    kind: "https_spiffe",
    url: "https://x/",
    endpointSpiffeId: "spiffe://hub/s",
  });
});

it("refuses a wrong name by --set, flag or environment with one sentence each", () => {
  const expected = "a trust domain: 1 to 255 of a-z, 0-9, dot, dash and underscore, without spiffe://";
  assert.deepEqual(
    problemsOf("", {
      set: [
        "svidgate.identity.trust_domains.Example.org.bundle=x",
        "svidgate.identity.trust_domains.*.bundle=a=x",
        "svidgate.identity.trust_domains.example.org.bundel=x",
        "svidgate.identity.trust_domains.bundle=x",
        "svidgate.identity.trust_domains..bundle=x",
      ],
      flags: new Map([["trust-domain-bundle", ["Example.org=x", "x"]]]),
      env: { SVIDGATE_IDENTITY__TRUST_DOMAINS__EXAMPLE__BUNDLE: "x" },
    }),
    [
      "SVIDGATE_IDENTITY__TRUST_DOMAINS__EXAMPLE__BUNDLE: a variable's name cannot hold a trust domain: use the file or --set",
      `--set T.Example.org.bundle: \`Example.org\` is not ${expected}`,
      `--set T.*.bundle: \`*\` is not ${expected}`,
      "--set T.example.org.bundel: unknown key; did you mean `svidgate.identity.trust_domains.example.org.bundle`?",
      "--set T.bundle: unknown key; did you mean `svidgate.identity.trust_domains.*.bundle`?",
      "--set T..bundle: unknown key; did you mean `svidgate.identity.trust_domains.*.bundle`?",
      `--trust-domain-bundle: \`Example.org=x\` is not valid: \`Example.org\` is not ${expected}`,
      "--trust-domain-bundle: `x` is not valid: expected TRUST_DOMAIN=VALUE",
    ],
  );
});

it("says in a migration check what becomes of each key of a trust domain", () => {
  writeFileSync(path, under("example.org: {bundle: x, bundel: y, max_staleness: 5}"));
  const report = checkMigration(path, {});
  assert.ok(report.ok);
  assert.deepEqual(
    report.rows.map(({ key, verdict, why }) => [key.slice("svidgate.identity.".length), verdict, why.slice(0, 60)]),
    [
      ["trust_domains.example.org.bundle", "different", "svidgate's own key: OPA ignores it"],
      [
        "trust_domains.example.org.bundel",
        "unsupported",
        "unknown key; did you mean `svidgate.identity.trust_domains.ex",
      ].map((text) => text.slice(0, 60)),
      [
        "trust_domains.example.org.max_staleness",
        "unsupported",
        "`5` is not valid: expected a duration with a unit such as 25".slice(0, 60),
      ],
    ],
  );
});
