// The deny list: credentials and workloads that are refused whatever proves them, since SPIFFE has no revocation of its own.
// Parsing and matching, without files (sources/deny-list-file.ts watches one). docs/deny-list.md is the reference of the format.

import { fail, ok, type Result } from "../base/result.ts";
import { inOneGo, type Steps } from "../base/steps.ts";
import type { YamlProblem } from "../base/yaml.ts";
import { type DenyEntry, type DenyKind, parseDenyEntry } from "./deny-list-entry.ts";
import { DenyIndex, type DenySubject, MAX_ENTRIES_PER_KEY } from "./deny-list-index.ts";
import { lineAndColumn, readEntryNodes } from "./deny-list-text.ts";

export type { DenyEntry, DenyKind, DenySubject };

/** A list in force; it never changes. */
export interface DenyList {
  /** How many it has, expired ones counted. */
  readonly entries: number;
  /**
   * The entry that denies the subject at this moment, if any. Of several: the first kind in the order SPIFFE ID, prefix (the
   * shortest), trust domain, fingerprint, issuer and serial, `jti`; of one kind the first in the list.
   */
  find(subject: DenySubject, nowUnixMs: number): DenyEntry | undefined;
}

const MAX_ENTRIES = 100_000;
const MAX_PROBLEMS = 20;
const STEP_ENTRIES = 64;

/** A parse in steps, between which others can run: `next` until it is done. */
export type DenyListSteps = Steps<Result<DenyList, "deny_list_invalid">>;

/**
 * Reads a whole list of at most 100,000 entries, as JSON if it begins with `{`, else as YAML of at most 64 KiB. `detail` of a failure
 * holds every problem, at most 20, each as `line:column: what`. The size of JSON is the caller's to bound.
 */
export function parseDenyList(text: string): Result<DenyList, "deny_list_invalid"> {
  return inOneGo(parseDenyListSteps(text));
}

/** As `parseDenyList`, 64 entries at a time where the text is JSON. */
export function* parseDenyListSteps(text: string): DenyListSteps {
  const problems: YamlProblem[] = [];
  const index = new DenyIndex();
  const ids = new Set<string>();
  const nodes = readEntryNodes(text);
  const tell = (problem: YamlProblem): unknown => problems.push(problem);
  let entries = 0;
  for (let node = nodes.next(); ; node = nodes.next()) {
    if (node.done) {
      problems.push(...node.value);
      break;
    }
    const { offset } = node.value;
    if (entries === MAX_ENTRIES) tell({ offset, message: `more than ${MAX_ENTRIES} entries` });
    if (entries === MAX_ENTRIES || problems.length > MAX_PROBLEMS) break;
    entries++;
    const entry = parseDenyEntry(node.value, entries, tell);
    if (entry !== undefined) {
      if (ids.has(entry.id)) tell({ offset, message: `the id \`${entry.id}\` stands twice` });
      if (!index.add(entry)) tell({ offset, message: `more than ${MAX_ENTRIES_PER_KEY} entries name the same` });
      ids.add(entry.id);
    }
    if (entries % STEP_ENTRIES === 0) yield;
  }
  if (problems.length > 0) return fail("deny_list_invalid", describe(text, problems));
  return ok({ entries, find: (subject, nowUnixMs) => (entries === 0 ? undefined : index.find(subject, nowUnixMs)) });
}

function describe(text: string, problems: readonly YamlProblem[]): string {
  const told = problems
    .slice(0, MAX_PROBLEMS)
    .map(({ offset, message }) => `${lineAndColumn(text, offset)}: ${message}`)
    .join("; ");
  return problems.length > MAX_PROBLEMS ? `${told}; and more` : told;
}
