// Two answers to one request → how they differ, and the report on all of them: what one side lets through comes first.

import { toPlainText } from "../base/plain-text.ts";
import type { Answer } from "./compare-answer.ts";

/** The kinds of difference, in the order in which they are printed. */
export const KINDS = ["allowed_there_only", "allowed_here_only", "answer"] as const;
export type Kind = (typeof KINDS)[number];

/** One request that was not answered the same. */
export interface Difference {
  readonly name: string;
  readonly kind: Kind;
  readonly there: Answer["outcome"];
  readonly here: Answer["outcome"];
  readonly changes: readonly Change[];
}

/** One fact that differs; of lists, what only one side has. */
export interface Change {
  readonly fact: string;
  readonly there: readonly string[];
  readonly here: readonly string[];
}

/** What differs between two answers; undefined when nothing does. */
export function compareAnswers(name: string, there: Answer, here: Answer): Difference | undefined {
  const facts = [...new Set([...Object.keys(there.facts), ...Object.keys(here.facts)])];
  const sameOutcome = there.outcome === here.outcome;
  const changes = facts.flatMap((fact): Change[] => {
    const a = [there.facts[fact] ?? []].flat();
    const b = [here.facts[fact] ?? []].flat();
    const onlyThere = without(a, b);
    const onlyHere = without(b, a);
    return onlyThere.length + onlyHere.length === 0 ? [] : [{ fact, there: onlyThere, here: onlyHere }];
  });
  if (sameOutcome && changes.length === 0) return undefined;
  const kind =
    there.outcome === here.outcome || (there.outcome !== "allow" && here.outcome !== "allow")
      ? "answer"
      : there.outcome === "allow"
        ? "allowed_there_only"
        : "allowed_here_only";
  return { name, kind, there: there.outcome, here: here.outcome, changes };
}

/** Multiset difference. */
function without(values: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return values.filter((value) => {
    const count = left.get(value) ?? 0;
    left.set(value, count - 1);
    return count <= 0;
  });
}

const TITLES: Readonly<Record<Kind, string>> = {
  allowed_there_only: "allowed there, not here",
  allowed_here_only: "allowed here, not there",
  answer: "other differences in the answer",
};

/** The report for people; ends with a line feed. */
export function toCompareText(requests: number, differences: readonly Difference[]): string {
  let text = "";
  for (const kind of KINDS) {
    const rows = differences.filter((each) => each.kind === kind);
    if (rows.length > 0) text += `${TITLES[kind]} (${rows.length}):\n${rows.map(toRow).join("")}`;
  }
  return `${text}${requests} requests: ${requests - differences.length} answered the same, ${differences.length} not\n`;
}

const toRow = ({ name, there, here, changes }: Difference): string =>
  `  ${toPlainText(name)}: there ${there}, here ${here}\n${changes.map(toLine).join("")}`;

const toLine = ({ fact, there, here }: Change): string =>
  `      ${fact}: there ${toList(there)}; here ${toList(here)}\n`;

const toList = (values: readonly string[]): string =>
  values.length === 0 ? "-" : values.map((value) => `\`${toPlainText(value)}\``).join(", ");
