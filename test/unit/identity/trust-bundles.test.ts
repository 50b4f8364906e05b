import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTrustBundle, type TrustBundle } from "../../../src/identity/trust-bundle.ts";
import {
  type BundleOrigin,
  createTrustBundles,
  type TrustBundlesOptions,
} from "../../../src/identity/trust-bundles.ts";
import { bundleText, type Entry, ecKey, jwtEntry, x509Entry } from "../../support/bundle-documents.ts";
import { createTestAuthority } from "../../support/ca.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const authority = await createTestAuthority();
const [keyA, keyB] = [ecKey(), ecKey()];
const OLD = x509Entry(authority.certificatePem);
const HOUR_MS = 3_600_000;

function bundleOf(trustDomain: string, keys: readonly Entry[], members: Entry = {}): TrustBundle {
  const parsed = parseTrustBundle(bundleText(keys, members), { trustDomain });
  assert.ok(parsed.ok);
  return parsed.value;
}

const from = (origin: BundleOrigin, maxStalenessMs = HOUR_MS) => ({ origin, maxStalenessMs });

function open(more: Partial<TrustBundlesOptions> = {}) {
  const clock = createManualClock();
  const told: string[] = [];
  const bundles = createTrustBundles({
    clock,
    trustDomains: new Map([
      ["example.org", from("file")],
      ["other.test", from("https_web")],
      ["forever.test", from("file", 0)],
    ]),
    onProblem: ({ origin, trustDomain, problem }) => told.push(`${origin} ${trustDomain}: ${problem}`),
    ...more,
  });
  let changes = 0;
  bundles.onChange(() => {
    changes += 1;
  });
  const status = (name: string) => bundles.list(clock.unixMs()).find(({ trustDomain }) => trustDomain === name);
  return {
    clock,
    bundles,
    told,
    status,
    changes: () => changes,
    state: (td: string) => bundles.state(td, clock.unixMs()),
  };
}

describe("createTrustBundles", () => {
  it("holds nothing at first, and lists what is configured", () => {
    const { bundles, state, clock } = open();
    assert.equal(bundles.find("example.org"), undefined);
    assert.equal(state("example.org"), "absent");
    assert.equal(bundles.ageSeconds("example.org", clock.unixMs()), Number.POSITIVE_INFINITY);
    assert.equal(bundles.generation, 0);
    assert.deepEqual(
      bundles.list(clock.unixMs()).map(({ trustDomain, state: s, source }) => [trustDomain, s, source]),
      [
        ["example.org", "absent", "file"],
        ["forever.test", "absent", "file"],
        ["other.test", "absent", "https_web"],
      ],
    );
  });

  it("gives a new generation to each new content of any trust domain, and to nothing else", () => {
    const { bundles, changes } = open();
    const file = bundles.sink("file");
    const web = bundles.sink("https_web");
    assert.equal(file.replace(bundleOf("example.org", [OLD])), "taken");
    const first = bundles.find("example.org");
    assert.equal(first?.generation, 1);
    assert.equal(file.replace(bundleOf("example.org", [OLD])), "unchanged");
    assert.equal(bundles.find("example.org")?.generation, 1);
    assert.equal(web.replace(bundleOf("other.test", [OLD])), "taken");
    assert.equal(bundles.find("other.test")?.generation, 2);
    assert.equal(bundles.find("example.org")?.generation, 1);
    assert.equal(file.replace(bundleOf("example.org", [OLD, jwtEntry("a", keyA)])), "taken");
    assert.deepEqual([bundles.find("example.org")?.generation, bundles.generation, changes()], [3, 3, 3]);
    assert.equal(first?.bundle.jwtAuthorities.size, 0, "what was found before stays as it was");
  });

  it("takes the order of keys, the sequence and the hint for no change of content, and remembers the newest of them", () => {
    const { bundles, status } = open();
    const file = bundles.sink("file");
    const keys = [OLD, jwtEntry("a", keyA), jwtEntry("b", keyB)];
    file.replace(bundleOf("example.org", keys, { spiffe_sequence: 1, spiffe_refresh_hint: 60 }));
    const again = bundleOf("example.org", keys.toReversed(), { spiffe_sequence: 5, spiffe_refresh_hint: 90 });
    assert.equal(file.replace(again), "unchanged");
    const told = status("example.org");
    assert.deepEqual([told?.generation, told?.sequence, told?.refreshHintSeconds], [1, 5n, 90]);
    assert.equal(file.replace(bundleOf("example.org", keys, { spiffe_sequence: 4 })), "rollback");
  });

  const differences: readonly (readonly [name: string, keys: readonly Entry[]])[] = [
    ["another key under the same ID", [jwtEntry("a", keyB)]],
    ["the same key under another ID", [jwtEntry("b", keyA)]],
    ["a key more", [jwtEntry("a", keyA), jwtEntry("b", keyB)]],
    ["no key", []],
    ["a certificate more", [jwtEntry("a", keyA), OLD]],
  ];
  for (const [name, keys] of differences) {
    it(`takes ${name} for another content`, () => {
      const { bundles } = open();
      const file = bundles.sink("file");
      file.replace(bundleOf("example.org", [jwtEntry("a", keyA)]));
      assert.equal(file.replace(bundleOf("example.org", keys)), "taken");
      assert.equal(bundles.find("example.org")?.generation, 2);
    });
  }

  it("never gives a generation to two contents, also when one comes back", () => {
    const { bundles } = open();
    const file = bundles.sink("file");
    const seen = [[OLD], [], [OLD], []].map((keys) => {
      file.replace(bundleOf("example.org", keys));
      return bundles.find("example.org")?.generation;
    });
    assert.deepEqual(seen, [1, 2, 3, 4]);
  });

  it("revokes everything at once with an empty key set, which is a bundle like any other", () => {
    const { bundles, state } = open();
    const file = bundles.sink("file");
    file.replace(bundleOf("example.org", [OLD, jwtEntry("a", keyA)]));
    assert.equal(file.replace(bundleOf("example.org", [])), "taken");
    const held = bundles.find("example.org")?.bundle;
    assert.deepEqual([held?.x509Authorities.length, held?.jwtAuthorities.size, state("example.org")], [0, 0, "fresh"]);
  });

  it("keeps the held bundle when an older sequence comes, tells of it once, and lets the age grow", () => {
    const { bundles, told, status, clock } = open();
    const file = bundles.sink("file");
    file.replace(bundleOf("example.org", [OLD], { spiffe_sequence: 7 }));
    clock.advanceMs(5_000);
    for (let again = 0; again < 3; again++) {
      assert.equal(file.replace(bundleOf("example.org", [], { spiffe_sequence: 6 })), "rollback");
    }
    assert.equal(bundles.find("example.org")?.bundle.x509Authorities.length, 1);
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /^file example\.org: sequence 6 is older than 7, which stays in force/);
    assert.deepEqual([status("example.org")?.ageSeconds, status("example.org")?.problem !== undefined], [5, true]);
  });

  it("compares sequences beyond what a double holds", () => {
    const { bundles } = open();
    const file = bundles.sink("file");
    const at = (sequence: string) => {
      const parsed = parseTrustBundle(`{"keys": [], "spiffe_sequence": ${sequence}}`, { trustDomain: "example.org" });
      assert.ok(parsed.ok);
      return file.replace(parsed.value);
    };
    assert.equal(at("9007199254740993"), "taken");
    assert.equal(at("9007199254740992"), "rollback");
    assert.equal(at("9007199254740994"), "unchanged");
  });

  it("lets the newest win where one of the two has no sequence", () => {
    const { bundles } = open();
    const file = bundles.sink("file");
    file.replace(bundleOf("example.org", [OLD], { spiffe_sequence: 7 }));
    assert.equal(file.replace(bundleOf("example.org", [])), "taken");
    assert.equal(file.replace(bundleOf("example.org", [OLD], { spiffe_sequence: 1 })), "taken");
  });

  it("calls a trust domain stale when its source has been silent for longer than its own limit", () => {
    const { bundles, clock, state } = open();
    bundles.sink("file").replace(bundleOf("example.org", [OLD]));
    bundles.sink("file").replace(bundleOf("forever.test", [OLD]));
    clock.advanceMs(HOUR_MS);
    assert.deepEqual([state("example.org"), bundles.ageSeconds("example.org", clock.unixMs())], ["fresh", 3_600]);
    clock.advanceMs(1);
    assert.deepEqual([state("example.org"), state("forever.test")], ["stale", "fresh"]);
    assert.ok(bundles.find("example.org"), "a stale bundle is still there for whoever asks");
    bundles.sink("file").confirm("example.org");
    assert.deepEqual([state("example.org"), bundles.find("example.org")?.generation], ["fresh", 1]);
  });

  it("lets nothing but a success make it younger", () => {
    const { bundles, clock, state } = open();
    const file = bundles.sink("file");
    file.replace(bundleOf("example.org", [OLD]));
    clock.advanceMs(HOUR_MS + 1);
    file.failed("example.org", "the disk is gone");
    bundles.sink("https_web").confirm("example.org");
    bundles.sink("https_web").live("example.org", true);
    file.live("example.org", false);
    assert.equal(state("example.org"), "stale");
  });

  it("never counts an age below zero when the clock is set back", () => {
    const { bundles, clock, state } = open();
    bundles.sink("file").replace(bundleOf("example.org", [OLD]));
    assert.equal(bundles.ageSeconds("example.org", clock.unixMs() - 10_000), 0);
    assert.equal(state("example.org"), "fresh");
  });

  it("counts an open stream as asked now, and from its end on as any other", () => {
    const { bundles, clock, state } = open({ trustDomains: new Map([["example.org", from("workload_api")]]) });
    const stream = bundles.sink("workload_api");
    stream.replace(bundleOf("example.org", [OLD]));
    stream.live("example.org", true);
    const held = bundles.find("example.org");
    clock.advanceMs(10 * HOUR_MS);
    assert.deepEqual([state("example.org"), held?.lastSuccessUnixMs], ["fresh", clock.unixMs()]);
    stream.live("example.org", false);
    const end = clock.unixMs();
    clock.advanceMs(HOUR_MS);
    assert.deepEqual([state("example.org"), held?.lastSuccessUnixMs], ["fresh", end]);
    clock.advanceMs(1);
    assert.equal(state("example.org"), "stale");
  });

  it("finds a trust domain by its exact name alone", () => {
    const { bundles } = open();
    bundles.sink("file").replace(bundleOf("example.org", [OLD]));
    for (const name of [
      "example.org.",
      "EXAMPLE.org",
      ".example.org",
      "evil.example.org",
      "example.or",
      "",
      "__proto__",
    ]) {
      assert.equal(bundles.find(name), undefined, name);
      assert.equal(bundles.state(name, 0), "absent");
    }
  });

  it("keeps trust domains whose names look alike apart", () => {
    const names = ["example.org", "example.org.", "example-org"];
    const { bundles } = open({ trustDomains: new Map(names.map((name) => [name, from("file")])) });
    const file = bundles.sink("file");
    file.replace(bundleOf("example.org", [OLD]));
    file.replace(bundleOf("example.org.", [jwtEntry("a", keyA)]));
    assert.equal(bundles.find("example.org")?.bundle.jwtAuthorities.size, 0);
    assert.equal(bundles.find("example.org.")?.bundle.x509Authorities.length, 0);
    assert.equal(bundles.find("example-org"), undefined);
  });

  it("takes a trust domain's bundle from its own kind of source alone", () => {
    const { bundles, state } = open();
    const web = bundles.sink("https_web");
    assert.equal(web.replace(bundleOf("example.org", [OLD])), "refused");
    assert.equal(bundles.find("example.org"), undefined);
    bundles.sink("file").replace(bundleOf("example.org", [OLD]));
    web.withdraw("example.org");
    assert.equal(state("example.org"), "fresh");
  });

  it("takes no trust domain that nobody listed, unless a source is trusted with that", () => {
    const strict = open();
    assert.equal(strict.bundles.sink("workload_api").replace(bundleOf("new.test", [OLD])), "refused");
    const { bundles, status } = open({ others: from("workload_api") });
    assert.equal(bundles.sink("https_web").replace(bundleOf("new.test", [OLD])), "refused");
    assert.equal(bundles.sink("workload_api").replace(bundleOf("example.org", [OLD])), "refused");
    assert.equal(bundles.sink("workload_api").replace(bundleOf("new.test", [OLD])), "taken");
    assert.equal(status("new.test")?.source, "workload_api");
    for (const name of ["New.test", "", "new.test/x", "a b"]) {
      assert.equal(bundles.sink("workload_api").replace(bundleOf(name, [OLD])), "refused", name);
    }
  });

  it("takes at most 1,000 trust domains", () => {
    const { bundles, clock } = open({ trustDomains: new Map(), others: from("workload_api") });
    const sink = bundles.sink("workload_api");
    for (let index = 0; index < 1_000; index++) assert.equal(sink.replace(bundleOf(`td${index}`, [])), "taken");
    assert.equal(sink.replace(bundleOf("one-more", [])), "refused");
    assert.equal(bundles.list(clock.unixMs()).length, 1_000);
    sink.withdraw("td0");
    assert.equal(sink.replace(bundleOf("one-more", [])), "taken");
  });

  it("forgets a withdrawn trust domain under a new generation, and what is configured stays listed", () => {
    const { bundles, status, changes, clock } = open({ others: from("workload_api") });
    const file = bundles.sink("file");
    const stream = bundles.sink("workload_api");
    file.replace(bundleOf("example.org", [OLD], { spiffe_sequence: 9 }));
    stream.replace(bundleOf("new.test", [OLD]));
    stream.live("new.test", true);
    stream.withdraw("new.test");
    file.withdraw("example.org");
    assert.deepEqual([bundles.find("example.org"), bundles.find("new.test")], [undefined, undefined]);
    assert.deepEqual([bundles.generation, changes()], [4, 4]);
    assert.equal(status("new.test"), undefined);
    assert.equal(status("example.org")?.state, "absent");
    file.withdraw("example.org");
    assert.equal(changes(), 4, "nothing was there to withdraw");
    assert.equal(file.replace(bundleOf("example.org", [OLD], { spiffe_sequence: 1 })), "taken");
    assert.equal(bundles.find("example.org")?.generation, 5);
    clock.advanceMs(1);
  });

  it("tells a problem once until it changes or ends", () => {
    const { bundles, told, status } = open();
    const file = bundles.sink("file");
    file.failed("example.org", "gone");
    file.failed("example.org", "gone");
    assert.equal(status("example.org")?.problem, "gone");
    file.failed("example.org", "broken");
    file.replace(bundleOf("example.org", [OLD]));
    assert.equal(status("example.org")?.problem, undefined);
    file.failed("example.org", "broken");
    file.confirm("example.org");
    assert.equal(status("example.org")?.problem, undefined);
    assert.deepEqual(told, ["file example.org: gone", "file example.org: broken", "file example.org: broken"]);
  });

  it("tells a problem of a whole source once, and shows it for each of its trust domains", () => {
    const { bundles, told, status } = open();
    bundles.sink("file").failed(undefined, "no disk");
    bundles.sink("file").failed(undefined, "no disk");
    assert.deepEqual(told, ["file undefined: no disk"]);
    assert.deepEqual(
      ["example.org", "forever.test", "other.test"].map((name) => status(name)?.problem),
      ["no disk", "no disk", undefined],
    );
  });

  it("tells a problem of a source without trust domains once until it changes or ends", () => {
    const told: string[] = [];
    const bundles = createTrustBundles({
      clock: createManualClock(),
      trustDomains: new Map(),
      others: { origin: "workload_api", maxStalenessMs: 0 },
      onProblem: ({ problem }) => told.push(problem),
    });
    const api = bundles.sink("workload_api");
    for (const problem of ["refused", "refused", "gone", "gone", "refused"]) api.failed(undefined, problem);
    assert.deepEqual(told, ["refused", "gone", "refused"]);
    api.replace(bundleOf("example.org", [OLD]));
    api.withdraw("example.org");
    api.failed(undefined, "refused");
    assert.deepEqual(told, ["refused", "gone", "refused", "refused"]);
  });

  it("shows counts, reasons and times for the status", () => {
    const { bundles, status, clock } = open();
    bundles.sink("file").replace(bundleOf("example.org", [OLD, jwtEntry("a", keyA), {}], { spiffe_sequence: 3 }));
    clock.advanceMs(1_500);
    assert.deepEqual(status("example.org"), {
      trustDomain: "example.org",
      state: "fresh",
      source: "file",
      generation: 1,
      sequence: 3n,
      refreshHintSeconds: undefined,
      lastSuccessUnixMs: clock.unixMs() - 1_500,
      ageSeconds: 1.5,
      x509Authorities: 1,
      jwtAuthorities: 1,
      ignored: ["key 3: `kty` is missing"],
      problem: undefined,
    });
  });

  it("calls nobody back who has ended that, and everybody else", () => {
    const { bundles } = open();
    let first = 0;
    let second = 0;
    const end = bundles.onChange(() => {
      first += 1;
      end();
    });
    bundles.onChange(() => {
      second += 1;
      assert.ok(bundles.find("example.org"), "the new bundle is in force when listeners are called");
    });
    bundles.sink("file").replace(bundleOf("example.org", [OLD]));
    bundles.sink("file").replace(bundleOf("example.org", []));
    assert.deepEqual([first, second], [1, 2]);
  });
});
