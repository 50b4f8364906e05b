// The list of cases that fail, each with its reason. It may only get shorter: a case that fails and is not on it, and one
// that is on it and passes, are both errors.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";

/** Reason by case. */
export type KnownFailures = ReadonlyMap<string, string>;

/** Reads `test/conformance/known-failures.json`. Throws Error when it is not of its shape. */
export function loadKnownFailures(): KnownFailures {
  const path = join(packageRoot(), "test", "conformance", "known-failures.json");
  return toKnownFailures(JSON.parse(readFileSync(path, "utf8")));
}

/** A list of `{reason, cases}`, so that one reason stands once. */
export function toKnownFailures(document: unknown): KnownFailures {
  if (!Array.isArray(document)) throw new Error("known failures: not a list");
  const known = new Map<string, string>();
  for (const { reason, cases } of document as readonly { readonly reason?: unknown; readonly cases?: unknown }[]) {
    if (typeof reason !== "string" || reason.length < 20 || !Array.isArray(cases) || cases.length === 0)
      throw new Error("known failures: an entry without a reason, or without cases");
    for (const id of cases as readonly unknown[]) {
      if (typeof id !== "string") throw new Error("known failures: a case is named by its id");
      if (known.has(id)) throw new Error(`known failures: \`${id}\` is there twice`);
      known.set(id, reason);
    }
  }
  return known;
}

/** What is wrong with a run, one sentence each. */
export interface RunResult {
  readonly id: string;
  readonly passed: boolean;
}

/** Compares a run with the list. `whole` runs have every case, so that a listed one which is not there is gone from OPA's. */
export function compareWithKnown(results: readonly RunResult[], known: KnownFailures, whole: boolean): string[] {
  const complaints: string[] = [];
  const seen = new Set<string>();
  for (const { id, passed } of results) {
    seen.add(id);
    if (passed && known.has(id)) complaints.push(`passes, so take it off the list: ${id}`);
    if (!passed && !known.has(id)) complaints.push(`fails, and is not on the list: ${id}`);
  }
  if (whole)
    for (const id of known.keys()) if (!seen.has(id)) complaints.push(`is on the list, and is no case of OPA's: ${id}`);
  return complaints;
}
