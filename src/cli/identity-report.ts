// What `svidgate identity explain` prints: the verdict, what the credential says, and a line for each check.

import { toPlainText } from "../base/plain-text.ts";
import type { Check, Explanation, Fact } from "../identity/explain/checks.ts";

const OUTCOME_WIDTH = 13;

/** The explanation as text for people or as one JSON object for programs; ends with a line feed. `checkedAt` is RFC 3339. */
export function toIdentityReport(explanation: Explanation, checkedAt: string, format: "text" | "json"): string {
  const { kind, verdict, code, detail, facts, checks } = explanation;
  // Escaped once more: JSON leaves some of what moves a cursor as it is.
  if (format === "json") {
    return `${toPlainText(JSON.stringify({ kind, verdict, code, detail, checked_at: checkedAt, facts: Object.fromEntries(facts), checks }))}\n`;
  }
  const head: readonly (readonly [string, Fact | undefined])[] = [
    ["kind", kind],
    ["verdict", verdict],
    ["code", code],
    ["detail", detail],
    ["checked_at", checkedAt],
    ...facts,
  ];
  const told = head.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(22)}${toText(value)}\n`],
  );
  const width = Math.max(...checks.map((check) => toName(check).length)) + 2;
  const lines = checks.map(
    (check) =>
      `${check.outcome.replace("_", " ").padEnd(OUTCOME_WIDTH)}${toName(check).padEnd(width)}${toPlainText(toSentence(check))}\n`,
  );
  return `${told.join("")}\n${lines.join("")}`;
}

/** The code, where it is the rule's own; rules of the grammar of SPIFFE IDs share one. */
const toName = ({ check, code }: Check): string => (code?.endsWith(check) ? code : check);

const toSentence = ({ rule, detail }: Check): string => (detail === undefined ? rule : `${rule} (${detail})`);

const toText = (value: Fact): string => toPlainText(typeof value === "object" ? value.join("; ") : String(value));
