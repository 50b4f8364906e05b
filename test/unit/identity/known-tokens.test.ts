import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createKnownTokens,
  type KnownTokens,
  type KnownTokensOptions,
  type TokenOutcome,
} from "../../../src/identity/known-tokens.ts";
import { createHandBundles, createSigningKey, type SigningKey, signToken } from "../../support/jwt-svid.ts";
import { createManualClock } from "../../support/manual-clock.ts";

const KEY = createSigningKey("ES256", "k1");
const OTHER = createSigningKey("ES256", "k1");
const AUDIENCE = "spiffe://td1.test/pdp";

const mint = (claims: object = {}, key: SigningKey = KEY, nowS = Date.UTC(2026, 0, 1) / 1000): string =>
  signToken(
    { alg: "ES256", kid: "k1", typ: "JWT" },
    { aud: AUDIENCE, exp: nowS + 3600, iat: nowS, sub: "spiffe://td1.test/a", ...claims },
    key,
  );

const START_S = Date.UTC(2026, 0, 1) / 1000;

function world(options: Partial<KnownTokensOptions> = {}) {
  const clock = createManualClock();
  const bundles = createHandBundles();
  bundles.set("td1.test", [KEY]);
  const known = createKnownTokens({ audiences: [AUDIENCE], bundles, ...options });
  const verify = (token: string) => known.verify(token, clock.unixMs());
  return { clock, bundles, known, verify };
}

const codeOf = (outcome: TokenOutcome): string => (outcome.ok ? "ok" : outcome.code);

/** The code of an answer that must come at once. */
function atOnce(outcome: TokenOutcome | Promise<TokenOutcome>): string {
  assert.ok(!(outcome instanceof Promise), "came with a promise");
  return codeOf(outcome);
}

/** The code of an answer that must come with a promise. */
async function later(outcome: TokenOutcome | Promise<TokenOutcome>): Promise<string> {
  assert.ok(outcome instanceof Promise, "came at once");
  return codeOf(await outcome);
}

const counts = (known: KnownTokens): string => {
  const { entries, hits, misses, inFlight, overloads, evictions } = known.stats();
  return `${entries} known, ${hits} hits, ${misses} misses, ${inFlight} in flight, ${overloads} overloads, ${evictions} evicted`;
};

describe("known tokens", () => {
  it("answer later on first sight, and at once with the very same claims from then on", async () => {
    const { known, verify } = world();
    const token = mint();
    const first = await verify(token);
    assert.ok(first.ok);
    const second = verify(token);
    assert.equal(atOnce(second), "ok");
    assert.equal((second as typeof first).value, first.value);
    assert.equal(counts(known), "1 known, 1 hits, 1 misses, 0 in flight, 0 overloads, 0 evicted");
  });

  it("answer at once to what fails before the signature, and keep nothing of it", () => {
    const { known, verify } = world();
    const rows = [
      ["malformed", "x"],
      ["malformed", `${mint()}=`],
      ["malformed", mint({ x: "x".repeat(20_000) })],
      ["aud", mint({ aud: "other" })],
      ["expired", mint({ exp: START_S - 100, iat: START_S - 200 })],
      ["no_bundle", mint({ sub: "spiffe://td2.test/a" })],
      ["long_lived", mint({ exp: START_S + 7200 })],
    ] as const;
    for (const [code, token] of rows) assert.equal(atOnce(verify(token)), code);
    assert.equal(known.stats().entries, 0);
    assert.equal(known.stats().bytes, 0);
  });

  it("are held against the clock every time", async () => {
    const { clock, verify } = world({ leewayMs: 30_000 });
    const token = mint({ exp: START_S + 60, nbf: START_S });
    assert.equal(await later(verify(token)), "ok");
    clock.advanceMs(89_999);
    assert.equal(atOnce(verify(token)), "ok");
    clock.advanceMs(1);
    assert.equal(atOnce(verify(token)), "expired");
    assert.equal(atOnce(verify(token)), "expired");
    clock.advanceMs(-90_000 - 30_001); // the clock is set back
    assert.equal(atOnce(verify(token)), "nbf");
  });

  it("are verified anew after five minutes, and when the clock was set back", async () => {
    const { clock, known, verify } = world();
    const token = mint();
    await verify(token);
    clock.advanceMs(299_999);
    assert.equal(atOnce(verify(token)), "ok");
    clock.advanceMs(1);
    assert.equal(await later(verify(token)), "ok");
    assert.equal(known.stats().entries, 1);
    clock.advanceMs(-30_001);
    assert.equal(await later(verify(token)), "ok");
    assert.equal(known.stats().misses, 3);
  });

  it("that say not when they were issued do not live longer than is allowed", async () => {
    const { clock, verify } = world({ maxLifetimeMs: 60_000 });
    const token = mint({ iat: undefined, exp: START_S + 60 });
    assert.equal(await later(verify(token)), "ok");
    clock.advanceMs(1000);
    assert.equal(atOnce(verify(token)), "ok");
  });

  it("are forgotten with a change of their trust domain's bundle, and no other's", async () => {
    const { bundles, known, verify } = world();
    const token = mint();
    await verify(token);
    bundles.set("td2.test", [OTHER]);
    assert.equal(atOnce(verify(token)), "ok");
    bundles.set("td1.test", [KEY]);
    assert.equal(await later(verify(token)), "ok");
    bundles.set("td1.test", [OTHER]);
    assert.equal(await later(verify(token)), "signature");
    bundles.set("td1.test", []);
    assert.equal(atOnce(verify(token)), "no_bundle");
    bundles.remove("td1.test");
    assert.equal(atOnce(verify(token)), "no_bundle");
    assert.equal(known.stats().entries, 0);
  });

  it("are known by their whole text: a prefix, a suffix or another signature is another token", async () => {
    const { verify } = world();
    const long = mint({ team: "a" });
    const twin = mint({ team: "b" });
    const [header, payload, signature] = long.split(".");
    await verify(long);
    assert.equal(await later(verify(twin)), "ok");
    assert.equal(await later(verify(`${header}.${payload}.${twin.split(".")[2]}`)), "signature");
    assert.equal(await later(verify(`${header}.${twin.split(".")[1]}.${signature}`)), "signature");
    assert.equal(await later(verify(`${long}A`)), "signature");
    assert.equal(atOnce(verify(long.slice(0, -1))), "malformed");
    assert.equal(atOnce(verify(long)), "ok");
  });

  it("take no later change of the list of audiences", async () => {
    const audiences = [AUDIENCE];
    const { verify } = world({ audiences });
    audiences.push("other");
    assert.equal(atOnce(verify(mint({ aud: "other" }))), "aud");
    audiences.length = 0;
    assert.equal(await later(verify(mint())), "ok");
  });

  it("are not known to another set of audiences", async () => {
    const { bundles, verify } = world();
    const token = mint();
    await verify(token);
    const others = createKnownTokens({ audiences: ["other"], bundles });
    assert.equal(atOnce(others.verify(token, Date.UTC(2026, 0, 1))), "aud");
  });
});

describe("tokens at first sight", () => {
  it("are verified once however many requests bring them", async () => {
    const { known, verify } = world({ maxInFlight: 1 });
    const token = mint();
    const answers = Array.from({ length: 50 }, () => verify(token));
    assert.equal(known.stats().inFlight, 1);
    assert.deepEqual(new Set(await Promise.all(answers.map(later))), new Set(["ok"]));
    assert.equal(counts(known), "1 known, 0 hits, 50 misses, 0 in flight, 0 overloads, 0 evicted");
  });

  it("beyond the cap are refused at once, and known ones are not", async () => {
    const { known, verify } = world({ maxInFlight: 2 });
    const token = mint();
    await verify(token);
    const [first, second] = [verify(mint({ jti: "1" })), verify(mint({ jti: "2" }))];
    assert.equal(atOnce(verify(mint({ jti: "3" }))), "overloaded");
    assert.equal(atOnce(verify(mint({ aud: "other" }))), "aud");
    assert.equal(atOnce(verify(token)), "ok");
    assert.equal(await later(first), "ok");
    assert.equal(await later(second), "ok");
    assert.equal(await later(verify(mint({ jti: "3" }))), "ok");
    assert.equal(known.stats().overloads, 1);
    assert.equal(known.stats().inFlight, 0);
  });

  it("do not share an answer across a change of the bundle", async () => {
    const { bundles, known, verify } = world();
    const token = mint();
    const before = verify(token);
    bundles.set("td1.test", [OTHER]);
    const after = verify(token);
    assert.equal(known.stats().inFlight, 2);
    assert.equal(await later(before), "signature", "its key counts for nothing when its check ends");
    assert.equal(await later(after), "signature");
    // What was found out with the old keys is not taken for the new ones.
    assert.notEqual(codeOf(await verify(token)), "ok");
  });

  it("hold for the keys at the end of their signature's check, not at its beginning", async () => {
    const second = createSigningKey("ES256", "k2");
    const rows = [
      ["an empty key set", [], "no_bundle"],
      ["another key under its ID", [OTHER], "signature"],
      ["its key gone, another there", [second], "kid"],
      ["its key among more", [second, KEY], "ok"],
      ["its key alone, as before", [KEY], "ok"],
    ] as const;
    for (const [what, keys, want] of rows) {
      const { bundles, known, verify } = world();
      const token = mint();
      const outcome = verify(token);
      bundles.set("td1.test", keys);
      assert.equal(await later(outcome), want, what);
      assert.equal(known.stats().entries, want === "ok" ? 1 : 0, what);
      // What was kept holds under the bundle of now: it is not verified a second time.
      if (want === "ok") assert.equal(atOnce(verify(token)), "ok", what);
    }
    const { bundles, verify } = world();
    const outcome = verify(mint());
    bundles.remove("td1.test");
    assert.equal(await later(outcome), "no_bundle");
  });

  it("without a key ID hold for the keys at the end too", async () => {
    const unnamed = signToken(
      { alg: "ES256", typ: "JWT" },
      { aud: AUDIENCE, exp: START_S + 3600, iat: START_S, sub: "spiffe://td1.test/a" },
      KEY,
    );
    for (const [keys, want] of [
      [[OTHER], "signature"],
      [[KEY], "ok"],
      [[], "no_bundle"],
    ] as const) {
      const { bundles, verify } = world({ requireKeyId: false });
      const outcome = verify(unnamed);
      bundles.set("td1.test", keys);
      assert.equal(await later(outcome), want);
    }
  });

  it("withdrawn while they were checked are no forged ones when their key comes back", async () => {
    const { bundles, verify } = world();
    const token = mint();
    const outcome = verify(token);
    bundles.set("td1.test", []);
    assert.equal(await later(outcome), "no_bundle");
    bundles.set("td1.test", [KEY]);
    assert.equal(await later(verify(token)), "ok");
  });

  it("with a forged signature are refused at once for five seconds, until the keys change", async () => {
    const { bundles, clock, verify } = world();
    const token = mint({}, OTHER);
    assert.equal(await later(verify(token)), "signature");
    assert.equal(atOnce(verify(token)), "signature");
    clock.advanceMs(4_999);
    assert.equal(atOnce(verify(token)), "signature");
    clock.advanceMs(1);
    assert.equal(await later(verify(token)), "signature");
    bundles.set("td1.test", [OTHER]);
    assert.equal(await later(verify(token)), "ok");
  });
});

describe("tokens that could not be verified by a fault of ours", () => {
  it("are in the air no longer, and neither known nor taken for forged ones", async () => {
    const { bundles, clock } = world();
    let isBroken = false;
    let looks = 0;
    const known = createKnownTokens({
      audiences: [AUDIENCE],
      maxInFlight: 1,
      bundles: {
        find: (trustDomain) => {
          looks++;
          if (isBroken && looks > 1) throw new Error("broken");
          return bundles.find(trustDomain);
        },
      },
    });
    const token = mint();
    const verify = () => {
      looks = 0;
      return known.verify(token, clock.unixMs());
    };
    for (const _ of [1, 2]) {
      isBroken = true;
      const first = verify();
      assert.ok(first instanceof Promise);
      assert.equal(known.stats().inFlight, 1);
      await assert.rejects(first, /broken/);
      assert.deepEqual([known.stats().inFlight, known.stats().entries], [0, 0]);
    }
    isBroken = false;
    assert.equal(await later(verify()), "ok");
  });
});

describe("the claims of known tokens", () => {
  it("are filtered anew when their trust domain becomes svidgate's own, and when it ceases to be", async () => {
    let own = "";
    const { verify } = world({ keepsAllClaimsOf: (trustDomain) => trustDomain === own });
    const token = mint({ role: "admin" });
    for (const [name, role] of [
      ["", undefined],
      ["td1.test", "admin"],
      ["td2.test", undefined],
    ] as const) {
      own = name;
      const outcome = await verify(token);
      assert.ok(outcome.ok);
      assert.equal(outcome.value.claims.get("role"), role, `own: ${name}`);
      assert.equal(atOnce(verify(token)), "ok");
    }
  });
});

describe("the bounds of known tokens", () => {
  it("drop the one that was not used for longest", async () => {
    const { known, verify } = world({ maxEntries: 3 });
    const tokens = ["1", "2", "3"].map((jti) => mint({ jti }));
    for (const token of tokens) await verify(token);
    assert.equal(atOnce(verify(tokens[0] ?? "")), "ok");
    await verify(mint({ jti: "4" }));
    assert.equal(counts(known), "3 known, 1 hits, 4 misses, 0 in flight, 0 overloads, 1 evicted");
    assert.equal(atOnce(verify(tokens[0] ?? "")), "ok");
    assert.equal(atOnce(verify(tokens[2] ?? "")), "ok");
    assert.equal(await later(verify(tokens[1] ?? "")), "ok");
  });

  it("hold by bytes too, and the count of bytes comes back to nothing", async () => {
    const { bundles, known, verify } = world({ maxBytes: 250_000, keepsAllClaimsOf: () => true });
    const tokens = Array.from({ length: 8 }, (_, jti) => mint({ jti: `${jti}`, x: Array(1_000).fill({}) }));
    for (const token of tokens) await verify(token);
    const { entries, bytes } = known.stats();
    assert.equal(entries, 2);
    assert.ok(bytes > 160_000 && bytes <= 250_000, `${bytes}`);
    await verify(tokens[0] ?? "");
    assert.equal(known.stats().bytes, bytes);
    bundles.set("td1.test", []);
    for (const token of tokens) assert.equal(atOnce(verify(token)), "no_bundle");
    assert.deepEqual([known.stats().entries, known.stats().bytes], [0, 0]);
  });

  it("forged tokens push out no known ones, and are bounded themselves", async () => {
    const { known, verify } = world({ maxEntries: 2 });
    const token = mint();
    await verify(token);
    const forged = Array.from(
      { length: 1_010 },
      (_, index) =>
        `${mint({ jti: `${index}` })
          .split(".")
          .slice(0, 2)
          .join(".")}.${"A".repeat(86)}`,
    );
    for (const text of forged) assert.equal(await later(verify(text)), "signature");
    assert.equal(atOnce(verify(token)), "ok");
    assert.equal(atOnce(verify(forged.at(-1) ?? "")), "signature");
    assert.equal(await later(verify(forged[0] ?? "")), "signature");
    assert.equal(known.stats().entries, 1);
  });
});
