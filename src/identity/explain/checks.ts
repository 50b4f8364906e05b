// An explanation: every rule that a kind of credential is held against, with what came of it. The rules of a kind are a table in the
// order in which the verifier goes through them; what came of each is derived from where the verifier ended.
// INVARIANT: nothing here decides. The verdict and the code are the verifier's own, and the rows before the one that failed are
// those that it had passed by then.
// SECURITY: facts are names, dates and numbers that somebody chose to show; a credential itself never gets in.

/** What came of one rule: `not_reached`: the verifier had ended before; `not_checked`: something that it takes was not given. */
export type CheckOutcome = "pass" | "fail" | "not_reached" | "not_checked";

/** One rule and what came of it. */
export interface Check {
  /** The rule's name. */
  readonly check: string;
  /** The reason code that the server gives when the rule is broken; undefined when it refuses nothing for it. */
  readonly code: string | undefined;
  readonly outcome: CheckOutcome;
  /** What the rule asks. */
  readonly rule: string;
  /** Why it failed or was not checked. */
  readonly detail?: string;
}

export type CredentialKind = "certificate" | "token" | "xfcc" | "spiffe-id";

/**
 * `ignored`: the server takes no notice of it (a header that is not bound to the peer); `incomplete`: nothing speaks against it, and
 * something that has to speak for it was not checked.
 */
export type Verdict = "accepted" | "refused" | "ignored" | "incomplete";

export type Fact = string | number | readonly string[];

/** All there is to tell of a credential. */
export interface Explanation {
  readonly kind: CredentialKind;
  readonly verdict: Verdict;
  /** The reason code that the server gives; of a refused credential only. */
  readonly code: string | undefined;
  readonly detail: string | undefined;
  /** What the credential says, by name; of a refused one nothing of it is proven. */
  readonly facts: ReadonlyMap<string, Fact>;
  readonly checks: readonly Check[];
}

/** A rule of a table. Rules of one stage stand together. */
export interface Rule<Stage extends string> {
  readonly stage: Stage;
  readonly check: string;
  readonly code?: string;
  readonly rule: string;
}

/** Makes the rules of one family of codes: `x509` gives `expired` the code `x509_expired`. */
export const ruleOf =
  <Stage extends string, Name extends string>(family: string) =>
  (stage: Stage, check: Name, rule: string): Rule<Stage> => ({ stage, check, code: `${family}_${check}`, rule });

/** Where a verifier ended: at a rule of a stage, or behind all of them. */
export interface Ending<Stage extends string> {
  /** Undefined when no rule was broken. */
  readonly failed: { readonly stage: Stage; readonly check: string; readonly detail?: string | undefined } | undefined;
  /** Why stages were not gone through; a rule there cannot have been broken. */
  readonly unchecked: ReadonlyMap<Stage, string>;
  /** Stages whose rules are looked at for one part after the other, so that a broken one says nothing of those above it. */
  readonly searches: ReadonlySet<Stage>;
  /** What else there is to say of rules that hold, by name. */
  readonly remarks?: ReadonlyMap<string, string>;
}

/** The rows of a table for where the verifier ended. */
export function toChecks<Stage extends string>(rules: readonly Rule<Stage>[], ending: Ending<Stage>): readonly Check[] {
  const { failed, unchecked, searches, remarks } = ending;
  const end = failed === undefined ? rules.length : findRule(rules, failed);
  return rules.map(({ stage, check, code, rule }, index) => {
    const row = { check, code, rule };
    const why = unchecked.get(stage);
    if (index === end && failed !== undefined) {
      return { ...row, outcome: "fail", ...(failed.detail !== undefined && { detail: failed.detail }) };
    }
    const isOpen = failed !== undefined && (index > end || (stage === failed.stage && searches.has(stage)));
    if (isOpen) return { ...row, outcome: "not_reached" };
    if (why !== undefined) return { ...row, outcome: "not_checked", detail: why };
    const remark = remarks?.get(check);
    return { ...row, outcome: "pass", ...(remark !== undefined && { detail: remark }) };
  });
}

function findRule<Stage extends string>(
  rules: readonly Rule<Stage>[],
  { stage, check }: { readonly stage: Stage; readonly check: string },
): number {
  const index = rules.findIndex((rule) => rule.stage === stage && rule.check === check);
  if (index < 0) throw new Error(`no rule ${check} in the stage ${stage}`);
  return index;
}

const MAX_FACT_CHARS = 512;
const MAX_FACT_ITEMS = 20;

/** A text of a stranger, cut to 512 characters. */
export const cutText = (text: string): string =>
  text.length <= MAX_FACT_CHARS ? text : `${text.slice(0, MAX_FACT_CHARS - 1)}…`;

/** Texts of a stranger, no more than 20. */
export const cutList = (texts: readonly string[]): readonly string[] =>
  texts.length <= MAX_FACT_ITEMS
    ? texts.map(cutText)
    : [...texts.slice(0, MAX_FACT_ITEMS - 1).map(cutText), `and ${texts.length - MAX_FACT_ITEMS + 1} more`];

/** RFC 3339 in UTC; undefined for a time that has no such text. */
export const toDateText = (unixMs: number): string | undefined =>
  Number.isFinite(unixMs) && Math.abs(unixMs) <= MAX_DATE_MS ? new Date(unixMs).toISOString() : undefined;

const MAX_DATE_MS = 253_402_300_799_999;

/** Facts without those that are undefined. */
export const toFacts = (facts: Readonly<Record<string, Fact | undefined>>): ReadonlyMap<string, Fact> =>
  new Map(Object.entries(facts).filter((entry): entry is [string, Fact] => entry[1] !== undefined));
