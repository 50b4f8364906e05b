import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findRequestToken, findTokenHeaders, type RequestTokenOptions } from "../../../src/identity/request-token.ts";
import { encodePart } from "../../support/jwt-svid.ts";

const tokenOf = (payload: object | string): string => `${encodePart({ alg: "ES256" })}.${encodePart(payload)}.AAAA`;
const SVID = tokenOf({ sub: "spiffe://td/a" });
const SVID_2 = tokenOf({ sub: "spiffe://td/b" });
const OIDC = tokenOf({ sub: "user", iss: "https://login.test" });
const TWICE = tokenOf('{"sub":"spiffe://td/a","sub":"user"}');

interface Places {
  readonly authorization?: string;
  readonly header?: string;
  readonly metadata?: unknown;
}

/** `none`, the code, or where the token is from and what it is called here; with the header that holds it. */
function find(places: Places, options: RequestTokenOptions = {}): string {
  const found = findRequestToken(
    {
      header: (name) => ({ authorization: places.authorization, "x-svid": places.header })[name],
      filterMetadata: (namespace, key) => (namespace === "envoy.jwt" && key === "token" ? places.metadata : undefined),
    },
    options,
  );
  if (found.kind === "none") return "none";
  if (found.kind === "invalid") return found.code;
  const names = new Map([
    [SVID, "SVID"],
    [SVID_2, "SVID_2"],
    [OIDC, "OIDC"],
    [TWICE, "TWICE"],
  ]);
  return `${names.get(found.token) ?? found.token} from ${found.from}${found.header === undefined ? "" : ` in ${found.header}`}`;
}

const BEARER = "SVID from authorization in authorization";

describe("the Bearer token of `authorization`", () => {
  const rows: readonly (readonly [what: string, value: string, want: string])[] = [
    ["a JWT-SVID", `Bearer ${SVID}`, BEARER],
    ["a scheme in lower case", `bearer ${SVID}`, BEARER],
    ["a scheme in capitals", `BEARER ${SVID}`, BEARER],
    ["two spaces", `Bearer  ${SVID}`, BEARER],
    ["two subjects, the first ours", `Bearer ${TWICE}`, "TWICE from authorization in authorization"],
    ["padding, for the verifier to refuse", `Bearer ${SVID}==`, `${SVID}== from authorization in authorization`],
    ["quotes, for the verifier to refuse", `Bearer "${SVID}"`, `"${SVID}" from authorization in authorization`],
    ["another token", `Bearer ${OIDC}`, "none"],
    ["an opaque token", "Bearer 0123456789", "none"],
    ["Bearer without a token", "Bearer", "none"],
    ["Bearer and a space", "Bearer ", "none"],
    ["nothing", "", "none"],
    ["Basic", "Basic dXNlcjpwYXNz", "none"],
    ["Basic that holds our token", `Basic ${SVID}`, "none"],
    ["DPoP that holds our token", `DPoP ${SVID}`, "none"],
    ["our token without a scheme", SVID, "none"],
    ["a scheme that begins like Bearer", `BearerX ${SVID}`, "none"],
    ["a scheme that ends like Bearer", `XBearer ${SVID}`, "none"],
    ["Negotiate with commas", "Digest a=b, c=d", "none"],
    ["a tab", `Bearer\t${SVID}`, "malformed"],
    ["a space and a tab", `Bearer \t${SVID}`, "malformed"],
    ["a no-break space", `Bearer\u00a0${SVID}`, "malformed"],
    ["a space before the scheme", ` Bearer ${SVID}`, "malformed"],
    ["a space after the token", `Bearer ${SVID} `, "malformed"],
    ["two words, the first ours", `Bearer ${SVID} ${OIDC}`, "malformed"],
    ["two words, the last ours", `Bearer ${OIDC} ${SVID}`, "malformed"],
    ["two words, neither ours", `Bearer ${OIDC} x`, "none"],
    ["the scheme twice", `Bearer Bearer ${SVID}`, "malformed"],
    ["two lines of one token", `Bearer ${SVID},Bearer ${SVID}`, "several"],
    ["two lines of ours", `Bearer ${SVID}, Bearer ${SVID_2}`, "several"],
    ["two lines, the last ours", `Bearer ${OIDC}, Bearer ${SVID}`, "several"],
    ["two lines, the first ours", `Bearer ${SVID},Bearer ${OIDC}`, "several"],
    ["Basic before ours", `Basic dXNlcjpwYXNz,Bearer ${SVID}`, "several"],
    ["Basic after ours", `Bearer ${SVID},Basic dXNlcjpwYXNz`, "several"],
    ["a token after the comma", `Bearer ${OIDC},${SVID}`, "several"],
    ["a comma at the end", `Bearer ${SVID},`, "several"],
    ["a comma before the token", `Bearer ,${SVID}`, "several"],
    ["an empty line before ours", `,Bearer ${SVID}`, "several"],
    ["Bearer on a line of its own", `Bearer,${SVID}`, "several"],
    ["two lines, none ours", `Bearer ${OIDC},Bearer x`, "none"],
    ["another scheme's token beside a Bearer that is not ours", `DPoP ${SVID},Bearer ${OIDC}`, "none"],
    [
      "more than can be looked at",
      `Bearer a.${"A".repeat(70_000)}.b`,
      `a.${"A".repeat(70_000)}.b from authorization in authorization`,
    ],
  ];
  for (const [what, value, want] of rows)
    it(`is, for ${what}: ${want.slice(0, 60)}`, () => assert.equal(find({ authorization: value }), want));

  it("is nothing without the header", () => assert.equal(find({}), "none"));
});

describe("the token of a configured header", () => {
  const options = { header: "x-svid" };
  const rows: readonly (readonly [what: string, value: string, want: string])[] = [
    ["a JWT-SVID", SVID, "SVID from header in x-svid"],
    ["one with Bearer", `bearer  ${SVID}`, "SVID from header in x-svid"],
    ["any other token, for the verifier to refuse", OIDC, "OIDC from header in x-svid"],
    ["any other text", "x", "x from header in x-svid"],
    ["nothing", "", "malformed"],
    ["Bearer alone", "Bearer", "Bearer from header in x-svid"],
    ["Bearer and a space", "Bearer ", "malformed"],
    ["a space inside", `${SVID} x`, "malformed"],
    ["a space after it", `${SVID} `, "malformed"],
    ["a tab after Bearer", `Bearer\t${SVID}`, "malformed"],
    ["another scheme", `Basic ${SVID}`, "malformed"],
    ["two lines", `${SVID},${SVID}`, "several"],
    ["a comma at the end", `${SVID},`, "several"],
  ];
  for (const [what, value, want] of rows)
    it(`is, for ${what}: ${want}`, () => assert.equal(find({ header: value }, options), want));

  it("is the only one: `authorization` is then the policy's", () => {
    assert.equal(find({ authorization: `Bearer ${SVID}` }, options), "none");
    assert.equal(find({ authorization: `Bearer ${SVID_2}`, header: SVID }, options), "SVID from header in x-svid");
  });

  it("may be `authorization` itself, where then nothing else may stand", () => {
    const own = { header: "authorization" };
    assert.equal(find({ authorization: `Bearer ${SVID}` }, own), BEARER);
    assert.equal(find({ authorization: `Bearer ${OIDC}` }, own), "OIDC from authorization in authorization");
    assert.equal(find({ authorization: "Basic dXNlcjpwYXNz" }, own), "malformed");
  });
});

describe("the token of Envoy's metadata", () => {
  const options = { metadata: { namespace: "envoy.jwt", key: "token" } };
  const both = { header: "x-svid", ...options };

  it("is any text that stands there", () => {
    assert.equal(find({ metadata: SVID }, options), "SVID from metadata");
    assert.equal(find({ metadata: OIDC }, options), "OIDC from metadata");
    assert.equal(find({}, options), "none");
    for (const value of ["", 1, true, null, {}, [SVID]]) assert.equal(find({ metadata: value }, options), "malformed");
  });

  it("is not read where it is not configured", () => assert.equal(find({ metadata: SVID }), "none"));

  it("may stand in a header too, if it is the same, and the header is told", () => {
    assert.equal(find({ authorization: `Bearer ${SVID}`, metadata: SVID }, options), BEARER);
    assert.equal(find({ header: SVID, metadata: SVID }, both), "SVID from header in x-svid");
    assert.equal(find({ authorization: `Bearer ${SVID}`, metadata: SVID_2 }, options), "several");
    assert.equal(find({ header: OIDC, metadata: SVID }, both), "several");
  });

  it("stands beside an authorization that is not ours, but not beside one of ours that cannot be read", () => {
    assert.equal(find({ authorization: `Bearer ${OIDC}`, metadata: SVID }, options), "SVID from metadata");
    assert.equal(find({ authorization: "Basic dXNlcjpwYXNz", metadata: SVID }, options), "SVID from metadata");
    assert.equal(find({ authorization: `Bearer\t${SVID}`, metadata: SVID }, options), "malformed");
    assert.equal(find({ authorization: `Bearer ${SVID}`, metadata: 1 }, options), "malformed");
  });
});

describe("the headers that hold a token", () => {
  const rows: readonly (readonly [
    what: string,
    authorization: string | undefined,
    header: string | undefined,
    want: string,
  ])[] = [
    ["its own", undefined, "x-svid", "x-svid"],
    ["`authorization` as its own", `Bearer ${SVID}`, "authorization", "authorization"],
    ["`authorization` besides its own", `Bearer ${SVID}`, "x-svid", "x-svid authorization"],
    ["`authorization` besides its own, in lower case", `bearer  ${SVID}`, "x-svid", "x-svid authorization"],
    ["`authorization` with others in it", `Basic YTpi,Bearer ${SVID}`, "x-svid", "x-svid authorization"],
    ["`authorization` without a scheme", SVID, "x-svid", "x-svid authorization"],
    ["its own, not another's token", `Bearer ${SVID_2}`, "x-svid", "x-svid"],
    ["`authorization` besides metadata", `Bearer ${SVID}`, undefined, "authorization"],
    ["none, in metadata alone", undefined, undefined, ""],
  ];
  for (const [what, authorization, header, want] of rows)
    it(`are ${what}`, () => {
      const facts = {
        header: (name: string) => (name === "authorization" ? authorization : undefined),
        filterMetadata: () => undefined,
      };
      const found = { kind: "token", token: SVID, from: "header", ...(header !== undefined && { header }) } as const;
      assert.equal(findTokenHeaders(facts, {}, found).join(" "), want);
    });
});

describe("the headers that hold what is no single token", () => {
  const metadata = { namespace: "envoy.jwt", key: "token" };
  const rows: readonly (readonly [what: string, options: RequestTokenOptions, places: Places, want: string])[] = [
    ["`authorization`", {}, { authorization: `Bearer ${SVID},Bearer ${SVID_2}` }, "authorization"],
    ["the configured one", { header: "x-svid" }, { header: `${SVID},${SVID_2}` }, "x-svid"],
    [
      "`authorization` that holds one of them",
      { header: "x-svid" },
      { header: `${SVID},${SVID_2}`, authorization: `Bearer ${SVID_2}` },
      "x-svid authorization",
    ],
    [
      "no `authorization` of another's",
      { header: "x-svid" },
      { header: `${SVID},${SVID_2}`, authorization: `Bearer ${OIDC}` },
      "x-svid",
    ],
    [
      "its own beside other metadata",
      { header: "x-svid", metadata },
      { header: SVID, metadata: SVID_2, authorization: `Bearer ${SVID_2}` },
      "x-svid authorization",
    ],
    [
      "its own beside metadata without a token",
      { metadata },
      { authorization: `Bearer ${SVID}`, metadata: 1 },
      "authorization",
    ],
    ["none, in metadata alone", { metadata }, { metadata: 1, authorization: "Basic YTpi" }, ""],
  ];
  for (const [what, options, { authorization, header, metadata: value }, want] of rows)
    it(`are ${what}`, () => {
      const facts = {
        header: (name: string) => ({ authorization, "x-svid": header })[name],
        filterMetadata: () => value,
      };
      const found = findRequestToken(facts, options);
      assert.ok(found.kind === "invalid");
      assert.equal(findTokenHeaders(facts, options, found).join(" "), want);
    });
});
