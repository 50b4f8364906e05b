// Explains an x-forwarded-client-cert header: its syntax as `parseXfcc` reads it, whether its last element is bound to the peer by
// the word of `selectXfcc`, and whether that element's URI agrees with the peer's certificate.
// A header that is not bound is no fault: the server takes no notice of it. `Cert` and `Chain` are never shown.

import type { Certificate } from "../certificate.ts";
import type { XfccCode } from "../codes.ts";
import { parseXfcc, selectXfcc, type XfccElement } from "../xfcc.ts";
import { xfccChainDers } from "../xfcc-chain.ts";
import {
  cutList,
  cutText,
  type Ending,
  type Explanation,
  type Fact,
  type Rule,
  ruleOf,
  toChecks,
  toFacts,
} from "./checks.ts";

type XfccStage = "size" | "syntax" | "binding" | "agreement";

/** The peer, as far as it was told. */
export interface ExplainXfccOptions {
  /** The certificate of the connection; nothing of it is verified here. */
  readonly certificate: Certificate | undefined;
  /** The ID of the proxy that asks, `destination.principal`. */
  readonly by: string | undefined;
}

const rule = ruleOf<XfccStage, XfccCode | "mismatch">("xfcc");

const SIZE = [rule("size", "too_long", "at most 64 KiB"), rule("size", "bad_char", "printable ASCII")];
const TEXT = [
  rule("syntax", "pair", "pairs of `key=value`, parted by `;`, elements by `,`"),
  rule("syntax", "stray_quote", "no quote inside of a value that does not begin with one"),
  rule("syntax", "unterminated_quote", "every quote is closed"),
  rule("syntax", "after_quote", "nothing between a closing quote and the next `;` or `,`"),
  rule("syntax", "duplicate_hash", "one Hash in an element"),
  rule("syntax", "duplicate_key", "one Cert, Chain and Subject in an element"),
  rule("syntax", "too_many", "at most 16 elements"),
];
const JSON_FORM = [
  rule("syntax", "json", "a JSON list, no name twice in one object"),
  rule("syntax", "too_many", "at most 16 elements"),
  rule(
    "syntax",
    "json_shape",
    "each element an object; `by`, `chain`, `uri` and `dns` lists of texts, the others texts",
  ),
];
const PEER: readonly Rule<XfccStage>[] = [
  { stage: "binding", check: "element", rule: "there is an element; the last one counts, and no other" },
  { stage: "binding", check: "hash", rule: "its Hash is that of the peer's certificate" },
  { stage: "binding", check: "by", rule: "its only By is the proxy that asks" },
  { stage: "binding", check: "bare_names", rule: "By, Hash, URI and DNS stand without quotes, as Envoy writes them" },
  rule("agreement", "mismatch", "its URI is that of the peer's certificate"),
  {
    stage: "agreement",
    check: "chain",
    rule: "its Chain begins with the peer's certificate; candidates for the path, no more",
  },
];

const SEARCHES: ReadonlySet<XfccStage> = new Set(["syntax"]);

/** Explains one header's value. */
export function explainXfcc(header: string, options: ExplainXfccOptions): Explanation {
  const isJson = /^ *\[/.test(header);
  const rules = [...SIZE, ...(isJson ? JSON_FORM : TEXT), ...PEER];
  const parsed = parseXfcc(header);
  const unchecked = new Map<XfccStage, string>();
  if (!parsed.ok) {
    const stage = parsed.code === "too_long" || parsed.code === "bad_char" ? "size" : "syntax";
    return toExplanation(rules, { stage, check: parsed.code, detail: parsed.detail }, unchecked, new Map(), options);
  }
  const elements = parsed.value;
  const last = elements.at(-1);
  const facts = toFacts({ format: isJson ? "json" : "text", elements: elements.length, ...factsOf(last) });
  const missing = missingOf(options);
  if (last !== undefined && missing !== undefined) {
    unchecked.set("binding", missing).set("agreement", missing);
    return toExplanation(rules, undefined, unchecked, facts, options);
  }
  const remarks = new Map<string, string>();
  const failed = last === undefined ? findUnbound(elements, options) : findFault(elements, last, options, remarks);
  return toExplanation(rules, failed, unchecked, facts, options, remarks);
}

function missingOf({ certificate, by }: ExplainXfccOptions): string | undefined {
  if (certificate === undefined) return "takes the peer's certificate: --certificate FILE";
  return by === undefined ? "takes the ID of the proxy that asks: --by ID" : undefined;
}

type Failure = NonNullable<Ending<XfccStage>["failed"]>;

function findFault(
  elements: readonly XfccElement[],
  last: XfccElement,
  options: ExplainXfccOptions,
  remarks: Map<string, string>,
): Failure | undefined {
  const unbound = findUnbound(elements, options);
  if (unbound !== undefined) return unbound;
  const own = options.certificate?.fields.uris ?? [];
  if (last.uris.some((uri) => uri !== "" && uri !== own[0]) || own.length !== 1) {
    return { stage: "agreement", check: "mismatch", detail: "certificate and header name two callers" };
  }
  const chain = xfccChainDers(last);
  remarks.set("chain", chain === undefined ? "no Chain that can be used" : `${chain.length} candidates`);
  return undefined;
}

/** Why the last element says nothing about the peer; undefined when it is bound to it. */
function findUnbound(
  elements: readonly XfccElement[],
  { certificate, by = "" }: ExplainXfccOptions,
): Failure | undefined {
  const last = elements.at(-1);
  const fingerprintSha256 = certificate?.fingerprintSha256 ?? "";
  if (selectXfcc(elements, { fingerprintSha256, destinationPrincipal: by }) !== undefined) return undefined;
  if (last === undefined) return { stage: "binding", check: "element", detail: "the header is empty" };
  if (last.hash !== fingerprintSha256) {
    return {
      stage: "binding",
      check: "hash",
      detail: last.hash === undefined ? "no Hash" : "the Hash of another certificate",
    };
  }
  if (last.by.length !== 1) return { stage: "binding", check: "by", detail: `${last.by.length} By, expected one` };
  if (last.by[0] !== by || by === "") return { stage: "binding", check: "by", detail: "By names another proxy" };
  return { stage: "binding", check: "bare_names", detail: "a name in quotes" };
}

function toExplanation(
  rules: readonly Rule<XfccStage>[],
  failed: Failure | undefined,
  unchecked: ReadonlyMap<XfccStage, string>,
  facts: ReadonlyMap<string, Fact>,
  options: ExplainXfccOptions,
  remarks?: ReadonlyMap<string, string>,
): Explanation {
  const checks = toChecks(rules, {
    failed,
    unchecked,
    searches: SEARCHES,
    ...(remarks !== undefined && { remarks }),
  });
  const isRefused = failed !== undefined && failed.stage !== "binding";
  const missing = unchecked.size > 0 ? `the binding was not checked: it ${missingOf(options)}` : undefined;
  return {
    kind: "xfcc",
    verdict: isRefused
      ? "refused"
      : failed !== undefined
        ? "ignored"
        : missing !== undefined
          ? "incomplete"
          : "accepted",
    code: isRefused ? checks.find(({ outcome }) => outcome === "fail")?.code : undefined,
    detail: failed === undefined ? missing : (failed.detail ?? failed.check),
    facts,
    checks,
  };
}

const factsOf = (last: XfccElement | undefined): Readonly<Record<string, Fact | undefined>> =>
  last === undefined
    ? {}
    : {
        last_by: last.by.length === 0 ? undefined : cutList(last.by),
        last_hash: last.hash === undefined ? undefined : cutText(last.hash),
        last_uri: last.uris.length === 0 ? undefined : cutList(last.uris),
        last_dns: last.dns.length === 0 ? undefined : cutList(last.dns),
        last_has_cert: last.cert === undefined ? "no" : "yes",
        last_has_chain: last.chain === undefined ? "no" : "yes",
        unknown_keys: last.unknownKeys.length,
      };
