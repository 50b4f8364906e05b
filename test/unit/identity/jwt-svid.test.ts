import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { describe, it } from "node:test";
import type { JwtSvidCode } from "../../../src/identity/codes.ts";
import { isKeyFor, isSignedBy, parseCompactJws } from "../../../src/identity/jws-compact.ts";
import { type JwtSvidOptions, parseJwtSvid, verifyJwtSvid } from "../../../src/identity/jwt-svid.ts";
import { parseTrustBundle } from "../../../src/identity/trust-bundle.ts";
import { assertExplainsToken } from "../../support/explanations.ts";
import {
  createHandBundles,
  createSigningKey,
  encodePart,
  type SigningKey,
  signToken,
  signWithSecret,
} from "../../support/jwt-svid.ts";

const NOW = Date.UTC(2026, 0, 1);
const NOW_S = NOW / 1000;
const OURS = "spiffe://td1.test/pdp";
const SUB = "spiffe://td1.test/ns/payments/sa/api";

const ES256 = createSigningKey("ES256");
const RS256 = createSigningKey("RS256");
const ES384 = createSigningKey("ES384");
const FOREIGN = createSigningKey("ES256", "key-td2");
const STRANGER = createSigningKey("ES256");
const WEAK = createSigningKey("RS256", "key-weak", 1024);

const bundles = createHandBundles();
bundles.set("td1.test", [ES256, RS256, ES384, WEAK, createSigningKey("EdDSA"), createSigningKey("ES256K")]);
bundles.set("td2.test", [FOREIGN]);
bundles.set("empty.test", []);

const OPTIONS: JwtSvidOptions = { audiences: [OURS, "other-name"], bundles, nowUnixMs: NOW };
const HEADER = { alg: "ES256", kid: ES256.keyId, typ: "JWT" };
const CLAIMS = { aud: [OURS], exp: NOW_S + 300, iat: NOW_S, sub: SUB };

const without = (object: object, name: string): object =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const claims = (changes: object): object => ({ ...CLAIMS, ...changes });
const good = (changes: object = {}, header: object = HEADER, key: SigningKey = ES256): string =>
  signToken(header, claims(changes), key);
/** The good claims as text, with `extra` put before them, so that names can occur twice. */
const payloadText = (extra: string): string => `{${extra},${JSON.stringify(CLAIMS).slice(1)}`;

const codeOf = async (token: string, options: Partial<JwtSvidOptions> = {}): Promise<JwtSvidCode | "ok"> => {
  const all = { ...OPTIONS, ...options };
  const verified = await verifyJwtSvid(token, all);
  await assertExplainsToken(token, all, verified.ok ? undefined : verified.code);
  return verified.ok ? "ok" : verified.code;
};

const [goodHeader = "", goodPayload = "", goodSignature = ""] = good().split(".");

describe("verifyJwtSvid accepts", () => {
  it("a token as SPIRE makes it, and gives its facts", async () => {
    const verified = await verifyJwtSvid(good({ iss: "https://td1.test", jti: "j1", nbf: NOW_S - 1 }), OPTIONS);
    assert.ok(verified.ok);
    const { claims: kept, ...facts } = verified.value;
    assert.deepEqual(facts, {
      spiffeId: { id: SUB, trustDomain: "td1.test", path: "/ns/payments/sa/api" },
      audience: [OURS],
      expiresUnixMs: NOW + 300_000,
      issuedUnixMs: NOW,
      notBeforeUnixMs: NOW - 1000,
      tokenId: "j1",
      issuer: "https://td1.test",
      keyId: ES256.keyId,
      algorithm: "ES256",
      bundleGeneration: bundles.find("td1.test")?.generation,
    });
    assert.deepEqual([...kept.keys()], ["aud", "exp", "iat", "sub", "iss", "jti", "nbf"]);
  });

  for (const algorithm of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]) {
    it(`a token signed with ${algorithm}, and none of another key`, async () => {
      const key = createSigningKey(algorithm, "k");
      const other = createSigningKey(algorithm, "k");
      const own = createHandBundles();
      own.set("td1.test", [key]);
      const header = { alg: algorithm, kid: "k" };
      assert.equal(await codeOf(signToken(header, CLAIMS, key), { bundles: own }), "ok");
      assert.equal(await codeOf(signToken(header, CLAIMS, other), { bundles: own }), "signature");
    });
  }

  const accepted: readonly (readonly [what: string, token: string, options?: Partial<JwtSvidOptions>])[] = [
    ["`aud` as one text", good({ aud: OURS })],
    ["ours among ten audiences", good({ aud: [..."abcdefghi", "other-name"] })],
    ["no `typ`", good({}, without(HEADER, "typ"))],
    ["`typ` JOSE", good({}, { ...HEADER, typ: "JOSE" })],
    ["a header in another order, with spaces", signToken(`{ "kid":"key-ES256" ,"alg":"ES256"}`, CLAIMS, ES256)],
    ["an escaped name", signToken(`{"\\u0061lg":"ES256","kid":"key-ES256"}`, CLAIMS, ES256)],
    ["no `kid` where that is allowed", good({}, without(HEADER, "kid")), { requireKeyId: false }],
    ["no `iat`", signToken(HEADER, without(CLAIMS, "iat"), ES256)],
    ["an `exp` with a fraction", good({ exp: NOW_S + 299.5 })],
    [
      "an `exp` in exponent form",
      signToken(
        HEADER,
        payloadText("")
          .replace("{,", "{")
          .replace(/"exp":\d+/, `"exp":${(NOW_S + 300) / 100}e2`),
        ES256,
      ),
    ],
    ["claims of others", good({ act: { sub: "spiffe://td1.test/x" }, role: "admin", deep: [[[1]]] })],
    ["SPIRE's own ID, which only resolution refuses", good({ sub: "spiffe://td1.test/spire/server" })],
    ["a token that ended within the leeway", good({ exp: NOW_S - 29, iat: NOW_S - 300 })],
    ["a token that begins within the leeway", good({ iat: NOW_S + 30, nbf: NOW_S + 30 })],
    ["a token that lives for an hour", good({ exp: NOW_S + 3600 })],
    ["a longer one where that is allowed", good({ exp: NOW_S + 86_400 }), { maxLifetimeMs: 86_400_000 }],
    ["a leeway of two minutes", good({ exp: NOW_S - 119, iat: NOW_S - 300 }), { leewayMs: 120_000 }],
  ];
  for (const [what, token, options] of accepted) it(what, async () => assert.equal(await codeOf(token, options), "ok"));
});

describe("verifyJwtSvid refuses", () => {
  const hs256 = { alg: "HS256", kid: RS256.keyId, typ: "JWT" };
  const pem = RS256.publicKey.export({ type: "spki", format: "pem" });
  const jwk = ES256.publicKey.export({ format: "jwk" });

  const refused: readonly (readonly [
    what: string,
    code: JwtSvidCode,
    token: string,
    options?: Partial<JwtSvidOptions>,
  ])[] = [
    // 1: form
    ["nothing", "malformed", ""],
    [
      "JSON serialisation",
      "malformed",
      JSON.stringify({ protected: goodHeader, payload: goodPayload, signature: goodSignature }),
    ],
    ["a JWE", "malformed", `${goodHeader}.${goodPayload}.${goodSignature}.AA.AA`],
    ["four parts", "malformed", `${good()}.`],
    ["two parts", "malformed", `${goodHeader}.${goodPayload}`],
    ["an empty header", "malformed", `.${goodPayload}.${goodSignature}`],
    ["an empty payload", "malformed", `${goodHeader}..${goodSignature}`],
    ["an empty signature", "malformed", `${goodHeader}.${goodPayload}.`],
    ["padding", "malformed", `${good()}==`],
    ["padding in the header", "malformed", `${goodHeader}=.${goodPayload}.${goodSignature}`],
    ["a line break at the end", "malformed", `${good()}\n`],
    ["a line break inside", "malformed", `${goodHeader}.\n${goodPayload}.${goodSignature}`],
    ["a space before it", "malformed", ` ${good()}`],
    ["standard base64", "malformed", `${goodHeader}.${goodPayload}.+/${goodSignature.slice(2)}`],
    ["a letter outside of ASCII", "malformed", `${goodHeader}.${goodPayload}.é${goodSignature}`],
    ["a NUL", "malformed", `${good()}\0`],
    ["a Bearer prefix", "malformed", `Bearer ${good()}`],
    ["more than 16 KiB", "malformed", good({ x: "x".repeat(16 * 1024) })],
    ["a header that is no JSON", "malformed", signToken("x", CLAIMS, ES256)],
    ["a header that is a list", "malformed", signToken([HEADER], CLAIMS, ES256)],
    ["a payload that is no JSON", "malformed", signToken(HEADER, "sub", ES256)],
    ["a payload that is a text", "malformed", signToken(HEADER, JSON.stringify("x"), ES256)],
    ["a payload with text after it", "malformed", signToken(HEADER, `${JSON.stringify(CLAIMS)}x`, ES256)],
    [
      "a payload that is no UTF-8",
      "malformed",
      `${goodHeader}.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.AA`,
    ],
    ["a byte order mark", "malformed", signToken(HEADER, `\ufeff${JSON.stringify(CLAIMS)}`, ES256)],
    ["half a surrogate pair", "malformed", signToken(HEADER, payloadText('"x":"\\ud800"'), ES256)],
    ["a number that loses digits", "malformed", signToken(HEADER, payloadText('"uid":9007199254740993'), ES256)],
    ["33 levels", "malformed", signToken(HEADER, payloadText(`"x":${"[".repeat(33)}${"]".repeat(33)}`), ES256)],
    ["a `jti` that is no text", "malformed", good({ jti: 7 })],
    ["an `iss` that is no text", "malformed", good({ iss: ["x"] })],
    // 2: algorithm
    ["`alg` none", "alg", `${encodePart({ ...HEADER, alg: "none" })}.${goodPayload}.AA`],
    ["`alg` None", "alg", `${encodePart({ ...HEADER, alg: "None" })}.${goodPayload}.AA`],
    ["HS256 with the RSA key's PEM as the secret", "alg", signWithSecret(hs256, CLAIMS, pem)],
    [
      "HS256 with the RSA key's DER as the secret",
      "alg",
      signWithSecret(hs256, CLAIMS, RS256.publicKey.export({ type: "spki", format: "der" })),
    ],
    ["EdDSA", "alg", good({}, { alg: "EdDSA", kid: "key-EdDSA" }, createSigningKey("EdDSA"))],
    ["ES256K", "alg", good({}, { alg: "ES256K", kid: "key-ES256K" })],
    ["ES256 with a key on secp256k1", "alg", good({}, { alg: "ES256", kid: "key-ES256K" })],
    ["ES256 with a key on P-384", "alg", good({}, { alg: "ES256", kid: ES384.keyId })],
    ["ES384 with a key on P-256", "alg", good({}, { alg: "ES384", kid: ES256.keyId })],
    ["RS256 with an EC key", "alg", good({}, { alg: "RS256", kid: ES256.keyId })],
    ["ES256 with an RSA key", "alg", good({}, { alg: "ES256", kid: RS256.keyId })],
    ["an RSA key of 1024 bits", "alg", good({}, { alg: "RS256", kid: WEAK.keyId }, WEAK)],
    ["another case", "alg", good({}, { ...HEADER, alg: "es256" })],
    ["no `alg`", "alg", good({}, without(HEADER, "alg"))],
    ["`alg` as a list", "alg", good({}, { ...HEADER, alg: ["ES256"] })],
    ["a name of every object", "alg", good({}, { ...HEADER, alg: "constructor" })],
    ["an algorithm before everything else", "alg", `${encodePart({ alg: "none", crit: ["b64"] })}.AA.AA`],
    // 3: type
    ...[
      "at+jwt",
      "wit+jwt",
      "wpt+jwt",
      "txntoken+jwt",
      "oauth-id-jag+jwt",
      "dpop+jwt",
      "jwt",
      "Jwt",
      "jose",
      "JWT ",
      "",
      "application/jwt",
    ].map((typ) => [`\`typ\` \`${typ}\``, "typ", good({}, { ...HEADER, typ })] as const),
    ["`typ` null", "typ", good({}, { ...HEADER, typ: null })],
    ["`typ` as a list", "typ", good({}, { ...HEADER, typ: ["JWT"] })],
    // 4: headers
    ...(
      [
        ["jku", "https://evil.test/keys"],
        ["jwk", jwk],
        ["x5c", ["AA"]],
        ["x5u", "https://evil.test/cert"],
        ["x5t", "AA"],
        ["crit", ["exp"]],
        ["b64", false],
        ["zip", "DEF"],
        ["cty", "JWT"],
        ["enc", "A256GCM"],
        ["ALG", "ES256"],
        ["nonce", "x"],
        ["__proto__", {}],
      ] as const
    ).map(
      ([name, value]) =>
        [
          `a header \`${name}\``,
          "header",
          signToken(`${JSON.stringify(HEADER).slice(0, -1)},"${name}":${JSON.stringify(value)}}`, CLAIMS, ES256),
        ] as const,
    ),
    // 5: key ID
    ["no `kid`", "kid", good({}, without(HEADER, "kid"))],
    ["an unknown `kid`", "kid", good({}, { ...HEADER, kid: "nobody" })],
    ["a `kid` of another case", "kid", good({}, { ...HEADER, kid: ES256.keyId.toUpperCase() })],
    ["a `kid` that is a number", "kid", good({}, { ...HEADER, kid: 1 })],
    ["an empty `kid`", "kid", good({}, { ...HEADER, kid: "" })],
    ["an empty `kid` where none is needed", "kid", good({}, { ...HEADER, kid: "" }), { requireKeyId: false }],
    ["a `kid` of another trust domain", "kid", good({}, { ...HEADER, kid: FOREIGN.keyId }, FOREIGN)],
    ["an unknown `kid` where none is needed", "kid", good({}, { ...HEADER, kid: "nobody" }), { requireKeyId: false }],
    // 6: subject
    ["no `sub`", "sub", signToken(HEADER, without(CLAIMS, "sub"), ES256)],
    ["a trust domain's ID", "sub", good({ sub: "spiffe://td1.test" })],
    ["`sub` as a list", "sub", good({ sub: [SUB] })],
    ["a trust domain in capitals", "sub", good({ sub: "spiffe://TD1.test/a" })],
    ["a service account", "sub", good({ sub: "system:serviceaccount:payments:api" })],
    ["a `sub` with a space before it", "sub", good({ sub: ` ${SUB}` })],
    ["a `sub` with a NUL", "sub", good({ sub: `${SUB}\0` })],
    ["`SUB`", "sub", signToken(HEADER, { ...without(CLAIMS, "sub"), SUB }, ES256)],
    // 7: bundle and signature
    ["a trust domain without a bundle", "no_bundle", good({ sub: "spiffe://td3.test/a" })],
    ["a trust domain with an empty bundle", "no_bundle", good({ sub: "spiffe://empty.test/a" })],
    ["a trust domain whose name ends like ours", "no_bundle", good({ sub: "spiffe://evil-td1.test/a" })],
    ["our subject, signed by another trust domain under our `kid`", "signature", good({}, HEADER, FOREIGN)],
    ["a stranger's signature", "signature", good({}, HEADER, STRANGER)],
    [
      "a stranger's signature where no `kid` is needed",
      "signature",
      good({}, without(HEADER, "kid"), STRANGER),
      { requireKeyId: false },
    ],
    [
      "another token's signature",
      "signature",
      `${good({ sub: "spiffe://td1.test/admin" }).split(".").slice(0, 2).join(".")}.${goodSignature}`,
    ],
    [
      "another header with the same signature",
      "signature",
      `${encodePart({ ...HEADER, typ: "JOSE" })}.${goodPayload}.${goodSignature}`,
    ],
    ["an RS256 signature as PS256", "signature", good({}, { alg: "PS256", kid: RS256.keyId }, RS256)],
    ["a signature of zeros", "signature", `${goodHeader}.${goodPayload}.${Buffer.alloc(64).toString("base64url")}`],
    ["a short signature", "signature", `${goodHeader}.${goodPayload}.AA`],
    // 8: audience
    ["no `aud`", "aud", signToken(HEADER, without(CLAIMS, "aud"), ES256)],
    ["no audience in the list", "aud", good({ aud: [] })],
    ["an empty `aud`", "aud", good({ aud: "" })],
    ["an empty `aud`, though it is ours", "aud", good({ aud: "" }), { audiences: [""] }],
    ["an empty `aud` beside ours", "aud", good({ aud: [OURS, ""] })],
    ["another audience", "aud", good({ aud: "spiffe://td1.test/other" })],
    ["a prefix of ours", "aud", good({ aud: OURS.slice(0, -1) })],
    ["ours and a slash", "aud", good({ aud: `${OURS}/` })],
    ["ours in capitals", "aud", good({ aud: OURS.toUpperCase() })],
    ["a list in the list", "aud", good({ aud: [[OURS]] })],
    ["a number beside ours", "aud", good({ aud: [OURS, 1] })],
    ["an object", "aud", good({ aud: { 0: OURS, length: 1 } })],
    ["eleven audiences", "aud", good({ aud: [..."abcdefghij", OURS] })],
    ["every audience when we have none", "aud", good(), { audiences: [] }],
    // 9: expiry
    ["no `exp`", "exp", signToken(HEADER, without(CLAIMS, "exp"), ES256)],
    ["an `exp` as text", "exp", good({ exp: `${NOW_S + 300}` })],
    ["an `exp` null", "exp", good({ exp: null })],
    ["an `exp` of 1e300", "exp", signToken(HEADER, `{"aud":"${OURS}","sub":"${SUB}","exp":1e300}`, ES256)],
    ["an `exp` of 1e400", "malformed", signToken(HEADER, `{"aud":"${OURS}","sub":"${SUB}","exp":1e400}`, ES256)],
    ["an `exp` in milliseconds", "exp", good({ exp: NOW + 300_000 })],
    ["a negative `exp`", "exp", good({ exp: -1 })],
    ["an `exp` before `iat`", "exp", good({ exp: NOW_S - 10, iat: NOW_S })],
    ["an `exp` before `nbf`", "exp", good({ exp: NOW_S - 10, iat: NOW_S - 20, nbf: NOW_S })],
    ["a token at the end of the leeway", "expired", good({ exp: NOW_S - 30, iat: NOW_S - 300 })],
    ["a token 61 s after its end", "expired", good({ exp: NOW_S - 61, iat: NOW_S - 300 })],
    [
      "a leeway beyond two minutes",
      "expired",
      good({ exp: NOW_S - 120, iat: NOW_S - 300 }),
      { leewayMs: Number.POSITIVE_INFINITY },
    ],
    ["everything when the time is no number", "expired", good(), { nowUnixMs: Number.NaN }],
    // 10: beginning
    ["an `nbf` after the leeway", "nbf", good({ nbf: NOW_S + 31 })],
    ["an `nbf` as text", "nbf", good({ nbf: `${NOW_S}` })],
    ["an `nbf` null", "nbf", good({ nbf: null })],
    ["an `iat` after the leeway", "iat", good({ iat: NOW_S + 31 })],
    ["an `iat` 61 s from now", "iat", good({ iat: NOW_S + 61 })],
    ["an `iat` as text", "iat", good({ iat: "now" })],
    ["a negative `iat`", "iat", good({ iat: -1 })],
    // 11: lifetime
    ["a token of 24 hours", "long_lived", good({ exp: NOW_S + 86_400 })],
    ["a token of an hour and a second", "long_lived", good({ exp: NOW_S + 3601 })],
    ["the rest of a token of 24 hours", "long_lived", good({ exp: NOW_S + 300, iat: NOW_S - 86_100 })],
    [
      "two hours without `iat`",
      "long_lived",
      signToken(HEADER, without({ ...CLAIMS, exp: NOW_S + 7200 }, "iat"), ES256),
    ],
    ["two hours since `nbf`", "long_lived", signToken(HEADER, without({ ...CLAIMS, nbf: NOW_S - 7000 }, "iat"), ES256)],
    // 12: names that occur twice
    ...["sub", "aud", "exp", "iat", "x"].map(
      (name) =>
        [
          `two \`${name}\``,
          "dup_claims",
          signToken(HEADER, payloadText(`"${name}":"spiffe://td1.test/admin","${name}":1`), ES256),
        ] as const,
    ),
    [
      "two `sub`, one escaped",
      "dup_claims",
      signToken(HEADER, payloadText('"su\\u0062":"spiffe://td1.test/admin"'), ES256),
    ],
    [
      "two of a name inside a claim",
      "dup_claims",
      signToken(HEADER, payloadText('"act":{"sub":"a","sub":"b"}'), ES256),
    ],
    ["two `alg`", "dup_claims", signToken(`{"alg":"none",${JSON.stringify(HEADER).slice(1)}`, CLAIMS, ES256)],
    ["two `kid`", "dup_claims", signToken(`{"kid":"x",${JSON.stringify(HEADER).slice(1)}`, CLAIMS, ES256)],
  ];
  for (const [what, code, token, options] of refused) {
    it(`${code}: ${what}`, async () => assert.equal(await codeOf(token, options), code));
  }

  it("a last character whose unused bits are not zero", async () => {
    const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const token = good(); // 64 bytes of signature: 86 characters, 4 unused bits
    const canonical = [];
    for (const character of last) {
      const code = await codeOf(token.slice(0, -1) + character);
      if (code !== "malformed") canonical.push([character, code]);
    }
    assert.equal(canonical.length, 4);
    assert.deepEqual(
      canonical.filter(([, code]) => code === "ok"),
      [[token.at(-1), "ok"]],
    );
  });
});

describe("the keys of a bundle document", () => {
  const jwkOf = (key: SigningKey, use?: string): object => ({
    ...key.publicKey.export({ format: "jwk" }),
    kid: key.keyId,
    ...(use !== undefined && { use }),
  });
  const codeWith = async (keys: readonly object[], keysWithoutUse: "ignored" | "jwt-svid" = "ignored") => {
    const parsed = parseTrustBundle(JSON.stringify({ keys }), { trustDomain: "td1.test", keysWithoutUse });
    assert.ok(parsed.ok);
    const held = { bundle: parsed.value, generation: 1, source: "file", lastSuccessUnixMs: NOW } as const;
    return codeOf(good(), { bundles: { find: (name) => (name === "td1.test" ? held : undefined) } });
  };
  const other = jwkOf(createSigningKey("ES256", "other"), "jwt-svid");

  it("verify by their use: only `jwt-svid`, or none where the source states none", async () => {
    assert.equal(await codeWith([jwkOf(ES256, "jwt-svid")]), "ok");
    assert.equal(await codeWith([jwkOf(ES256)], "jwt-svid"), "ok");
    for (const use of ["x509-svid", "wit-svid", "sig", "JWT-SVID"]) {
      assert.equal(await codeWith([other, jwkOf(ES256, use)]), "kid", use);
      assert.equal(await codeWith([jwkOf(ES256, use)], "jwt-svid"), "no_bundle", use);
    }
    assert.equal(await codeWith([other, jwkOf(ES256)]), "kid");
  });

  it("of which two different ones have one `kid` verify nothing", async () => {
    const twin = { ...jwkOf(STRANGER, "jwt-svid"), kid: ES256.keyId };
    assert.equal(await codeWith([other, jwkOf(ES256, "jwt-svid"), twin]), "kid");
    assert.equal(await codeWith([other, twin, jwkOf(ES256, "jwt-svid")]), "kid");
  });
});

it("without `kid`, four keys that fit the algorithm are tried and no fifth", async () => {
  const four = Array.from({ length: 4 }, (_, index) => createSigningKey("ES256", `k${index}`));
  const own = createHandBundles();
  const token = good({}, without(HEADER, "kid"));
  own.set("td1.test", [RS256, ES384, ...four.slice(1), ES256]);
  assert.equal(await codeOf(token, { bundles: own, requireKeyId: false }), "ok");
  own.set("td1.test", [...four, ES256]);
  assert.equal(await codeOf(token, { bundles: own, requireKeyId: false }), "signature");
  own.set("td1.test", [RS256, ES384]);
  assert.equal(await codeOf(token, { bundles: own, requireKeyId: false }), "alg");
});

it("claims of a trust domain are passed on whole only where that is said", async () => {
  const token = good({ role: "admin", team: "a", jti: "j", iss: "i", nbf: NOW_S });
  const names = async (options: Partial<JwtSvidOptions>): Promise<string> => {
    const verified = await verifyJwtSvid(token, { ...OPTIONS, ...options });
    return verified.ok ? [...verified.value.claims.keys()].sort().join(" ") : verified.code;
  };
  assert.equal(await names({}), "aud exp iat iss jti nbf sub");
  assert.equal(
    await names({ keepsAllClaimsOf: (trustDomain) => ["td2.test", "test"].includes(trustDomain) }),
    "aud exp iat iss jti nbf sub",
  );
  assert.equal(await names({ foreignClaims: ["team", "absent"] }), "aud exp iat iss jti nbf sub team");
  assert.equal(
    await names({ keepsAllClaimsOf: (trustDomain) => trustDomain === "td1.test" }),
    "aud exp iat iss jti nbf role sub team",
  );
});

it("the leeway ends to the millisecond", async () => {
  const token = good({ exp: NOW_S + 60, iat: NOW_S });
  const at = (nowUnixMs: number): Promise<string> => codeOf(token, { nowUnixMs, leewayMs: 30_000 });
  assert.equal(await at(NOW + 89_999), "ok");
  assert.equal(await at(NOW + 90_000), "expired");
  assert.equal(await at(NOW - 30_000), "ok");
  assert.equal(await at(NOW - 30_001), "iat");
});

it("parseJwtSvid reads without looking at audience, clock and keys", () => {
  const parsed = parseJwtSvid(
    good({ aud: "x", exp: 1000, iat: 1, sub: "spiffe://td9.test/a" }, { ...HEADER, kid: "?" }),
  );
  assert.ok(parsed.ok);
  assert.deepEqual([parsed.value.spiffeId.id, parsed.value.expiresUnixMs], ["spiffe://td9.test/a", 1_000_000]);
  assert.deepEqual(parseJwtSvid("x"), { ok: false, code: "malformed", detail: "not the three parts of a compact JWS" });
});

it("verifies the ES256 example of RFC 7515, appendix A.3", async () => {
  const token =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  const key = createPublicKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
  });
  const jws = parseCompactJws(token);
  assert.ok(jws.ok);
  assert.equal(await isSignedBy(jws.value, key), true);
  assert.equal(await isSignedBy(jws.value, ES256.publicKey), false);
  assert.equal(await isSignedBy(jws.value, RS256.publicKey), false);
});

it("a private or a secret key verifies nothing", () => {
  assert.equal(isKeyFor("ES256", ES256.publicKey), true);
  assert.equal(isKeyFor("ES256", ES256.privateKey), false);
});
