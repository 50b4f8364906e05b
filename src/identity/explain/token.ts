// Explains a token: the rules of a JWT-SVID in the order of `verifyJwtSvid`, whose word is the verdict, then those of the trust
// domain and the deny list.
// SECURITY: of the token only `alg`, `typ`, `kid`, `sub`, `aud`, `exp`, `iat`, `nbf` and the names of further claims are told:
// whoever has the text could use it.

import type { JsonValue } from "../../base/strict-json.ts";
import type { JwtSvidCode } from "../codes.ts";
import { tokenSubject } from "../credential-facts.ts";
import { MAX_TOKEN_CHARS, parseCompactJws, parseTokenObject } from "../jws-compact.ts";
import { checkAudience, checkDates, parseClaims } from "../jwt-claims.ts";
import { dateRules, type JwtSvid, type JwtSvidOptions, type JwtSvidRules, verifyJwtSvid } from "../jwt-svid.ts";
import type { TrustBundleSource } from "../trust-bundles.ts";
import { cutList, cutText, type Ending, type Explanation, type Fact, toChecks, toDateText, toFacts } from "./checks.ts";
import { TOKEN_RULES, type TokenStage } from "./token-rules.ts";
import { type ExplainOptions, findSharedFault, NO_BUNDLES, NO_DENY_LIST } from "./trust.ts";

/** Without audiences, the one that the token is for is not looked at. */
export interface ExplainTokenOptions extends ExplainOptions {
  readonly token: Omit<JwtSvidRules, "bundles" | "leewayMs">;
}

type Failure = NonNullable<Ending<TokenStage>["failed"]>;

const NO_TRUST: TrustBundleSource = { find: () => undefined };
const NO_AUDIENCE = "no audience is configured";
const NEEDS_BUNDLES: readonly TokenStage[] = ["bundle", "keys", "signature", "rules"];
const NO_SEARCH: ReadonlySet<TokenStage> = new Set();

/** Explains one token without anything around it. */
export async function explainToken(token: string, options: ExplainTokenOptions): Promise<Explanation> {
  const facts = factsOf(token);
  const verifyOptions: JwtSvidOptions = {
    ...options.token,
    // Any audience will do where there is none of ours: then the verdict cannot be that the token is accepted.
    audiences: hasAudience(options) ? options.token.audiences : audienceOf(token),
    bundles: options.bundles ?? NO_TRUST,
    leewayMs: options.clockSkewMs,
    nowUnixMs: options.nowUnixMs,
  };
  const verified = await verifyJwtSvid(token, verifyOptions);
  if (!verified.ok) {
    const stage = stageOf(token, verified.code, verifyOptions);
    const isUnchecked = stage === "bundle" && options.bundles === undefined;
    const failure = isUnchecked ? undefined : { stage, check: verified.code, detail: verified.detail };
    return toExplanation(failure, options, toFacts(facts));
  }
  const svid = verified.value;
  const dates = { notBeforeUnixMs: undefined, notAfterUnixMs: svid.expiresUnixMs };
  const fault = findSharedFault(svid.spiffeId, dates, tokenSubject(svid), options);
  return toExplanation(fault, options, toFacts(facts), new Map([["foreign_claims", keptClaims(svid, token)]]));
}

const hasAudience = ({ token }: ExplainTokenOptions): boolean => token.audiences.length > 0;

function audienceOf(token: string): readonly string[] {
  const jws = parseCompactJws(token);
  const claims = jws.ok ? parseClaims(jws.value.payload) : undefined;
  return claims?.ok ? claims.value.audience : [];
}

/** Some codes come twice: which rule it was is found by going the verifier's way again, up to the keys. */
function stageOf(token: string, code: JwtSvidCode, options: JwtSvidOptions): TokenStage {
  const jws = parseCompactJws(token);
  if (!jws.ok) return "header";
  if (!parseTokenObject(jws.value.payload, "payload").ok) return "payload";
  const claims = parseClaims(jws.value.payload);
  if (!claims.ok) return "claims";
  if (!checkAudience(claims.value.audience, options.audiences).ok) return "audience";
  if (!checkDates(claims.value, dateRules(options, options.nowUnixMs)).ok) return "dates";
  return code === "no_bundle" ? "bundle" : code === "signature" ? "signature" : "keys";
}

function toExplanation(
  failed: Failure | undefined,
  options: ExplainTokenOptions,
  facts: ReadonlyMap<string, Fact>,
  remarks?: ReadonlyMap<string, string>,
): Explanation {
  const { bundles, denyList } = options;
  const unchecked = new Map<TokenStage, string>([["request", "takes the request: the peer of the connection"]]);
  if (!hasAudience(options)) unchecked.set("audience", NO_AUDIENCE);
  if (bundles === undefined) for (const stage of NEEDS_BUNDLES) unchecked.set(stage, NO_BUNDLES);
  if (denyList === undefined) unchecked.set("deny", NO_DENY_LIST);
  else if (bundles === undefined) unchecked.set("deny", NO_BUNDLES);
  const checks = toChecks(TOKEN_RULES, {
    failed,
    unchecked,
    searches: NO_SEARCH,
    ...(remarks !== undefined && { remarks }),
  });
  const missing = [
    ...(bundles === undefined ? [`the signature was not checked: ${NO_BUNDLES}`] : []),
    ...(hasAudience(options) ? [] : [`the audience was not checked: ${NO_AUDIENCE}`]),
  ];
  return {
    kind: "token",
    verdict: failed !== undefined ? "refused" : missing.length > 0 ? "incomplete" : "accepted",
    code: failed && checks.find(({ outcome }) => outcome === "fail")?.code,
    detail: failed === undefined ? missing.join("; ") || undefined : failed.detail,
    facts,
    checks,
  };
}

/** Claims have short names; a long one is rather somebody's secret. */
const MAX_NAME_CHARS = 64;
const toName = (name: string): string =>
  name.length <= MAX_NAME_CHARS ? name : `${name.slice(0, 8)}… (${name.length} characters)`;

const SHOWN: ReadonlySet<string> = new Set(["sub", "aud", "exp", "iat", "nbf"]);

/** Read as far as the token can be read at all, whatever else is wrong with it. */
function factsOf(token: string): Readonly<Record<string, Fact | undefined>> {
  if (token.length > MAX_TOKEN_CHARS) return {};
  const [header = "", payload = ""] = token.split(".", 2);
  const members = parseTokenObject(Buffer.from(header, "base64url"), "header");
  const claims = parseTokenObject(Buffer.from(payload, "base64url"), "payload");
  const names = claims.ok ? [...claims.value.keys()].filter((name) => !SHOWN.has(name)) : [];
  return {
    ...(members.ok && {
      alg: toText(members.value.get("alg")),
      typ: toText(members.value.get("typ")),
      kid: toText(members.value.get("kid")),
    }),
    ...(claims.ok && {
      sub: toText(claims.value.get("sub")),
      aud: toTexts(claims.value.get("aud")),
      exp: toDate(claims.value.get("exp")),
      iat: toDate(claims.value.get("iat")),
      nbf: toDate(claims.value.get("nbf")),
      other_claims: names.length === 0 ? undefined : cutList(names.map(toName)),
    }),
  };
}

const toText = (value: JsonValue | undefined): string | undefined =>
  value === undefined ? undefined : typeof value === "string" ? cutText(value) : "(no text)";

const toTexts = (value: JsonValue | undefined): Fact | undefined =>
  Array.isArray(value) ? cutList(value.map((one: JsonValue) => toText(one) ?? "")) : toText(value);

const toDate = (value: JsonValue | undefined): string | undefined =>
  value === undefined ? undefined : ((typeof value === "number" ? toDateText(value * 1000) : undefined) ?? "(no date)");

/** Which claims a policy would see. */
function keptClaims(svid: JwtSvid, token: string): string {
  const jws = parseCompactJws(token);
  const all = jws.ok ? parseTokenObject(jws.value.payload, "payload") : undefined;
  const dropped = all?.ok ? [...all.value.keys()].filter((name) => !svid.claims.has(name)) : [];
  return dropped.length === 0
    ? "all claims are passed on"
    : `not passed on: ${cutList(dropped.map(toName)).join(", ")}`;
}
