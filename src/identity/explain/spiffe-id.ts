// Explains a bare SPIFFE ID: the rules of the grammar as `parseSpiffeId` goes through them, and whether it names a workload.

import type { SpiffeIdCode } from "../codes.ts";
import { isReserved } from "../credential-rules.ts";
import { isWorkloadId, parseSpiffeId } from "../spiffe-id.ts";
import { type Ending, type Explanation, type Rule, toChecks, toFacts } from "./checks.ts";
import { DENY_RULE, type ExplainOptions, NO_DENY_LIST, type SharedStage } from "./trust.ts";

type IdStage = "whole" | "path" | "workload" | SharedStage;

/** In a certificate; in a token the same fault is `jwt_sub`. */
const CODE = "x509_spiffe_id";

const rule = (stage: IdStage, check: SpiffeIdCode | "workload", text: string): Rule<IdStage> => ({
  stage,
  check,
  code: CODE,
  rule: text,
});

const RULES: readonly Rule<IdStage>[] = [
  rule("whole", "empty", "not empty"),
  rule("whole", "too_long", "at most 2048 bytes"),
  rule("whole", "scheme", "begins with `spiffe://`, in lower case"),
  rule("whole", "td_missing", "has a trust domain"),
  rule("whole", "td_char", "the trust domain is of a-z, 0-9, dot, dash and underscore: no port, no user, no capitals"),
  rule("whole", "td_too_long", "the trust domain has at most 255 bytes"),
  rule("path", "trailing_slash", "no slash at the end"),
  rule("path", "empty_segment", "no empty segment"),
  rule("path", "dot_segment", "no segment `.` or `..`"),
  rule("path", "path_char", "segments are of A-Z, a-z, 0-9, dot, dash and underscore: no escapes, query or fragment"),
  rule("workload", "workload", "has a path, so it names a workload and not a trust domain"),
  {
    stage: "rules",
    check: "spiffe_id_reserved",
    code: "spiffe_id_reserved",
    rule: "not below /spire, which SPIRE keeps for itself",
  },
  DENY_RULE,
];

const PATH_CODES: ReadonlySet<string> = new Set(RULES.flatMap(({ stage, check }) => (stage === "path" ? [check] : [])));
const SEARCHES: ReadonlySet<IdStage> = new Set(["path"]);

/** Explains one ID without anything around it. */
export function explainSpiffeId(text: string, { nowUnixMs, denyList }: ExplainOptions): Explanation {
  const parsed = parseSpiffeId(text);
  const failed = findFault(parsed, nowUnixMs, denyList);
  const unchecked = new Map<IdStage, string>(denyList === undefined ? [["deny", NO_DENY_LIST]] : []);
  const checks = toChecks(RULES, { failed, unchecked, searches: SEARCHES });
  const { trustDomain, path } = parsed.ok ? parsed.value : {};
  return {
    kind: "spiffe-id",
    verdict: failed === undefined ? "accepted" : "refused",
    code: failed && checks.find(({ outcome }) => outcome === "fail")?.code,
    detail: failed?.detail ?? failed?.check,
    facts: toFacts({ trust_domain: trustDomain, path: path === "" ? undefined : path }),
    checks,
  };
}

function findFault(
  parsed: ReturnType<typeof parseSpiffeId>,
  nowUnixMs: number,
  denyList: ExplainOptions["denyList"],
): Ending<IdStage>["failed"] {
  if (!parsed.ok) return { stage: PATH_CODES.has(parsed.code) ? "path" : "whole", check: parsed.code };
  const id = parsed.value;
  if (!isWorkloadId(id)) return { stage: "workload", check: "workload" };
  if (isReserved(id)) return { stage: "rules", check: "spiffe_id_reserved" };
  const denied = denyList?.find({ spiffeId: id, issuedUnixMs: nowUnixMs }, nowUnixMs);
  return denied && { stage: "deny", check: "revoked", detail: denied.reason };
}
