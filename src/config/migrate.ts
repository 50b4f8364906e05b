// An OPA configuration → what becomes of each of its keys in svidgate. It reads and judges; nothing is started or contacted.

import type { Field } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { loadConfigFile } from "./file.ts";
import type { ConfigItem, PlacedText } from "./file-tree.ts";
import { withoutUserinfo } from "./load.ts";
import { findOpaKey } from "./opa-keys.ts";

/** One key of the file and its fate. */
export interface MigrationRow {
  readonly key: string;
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly verdict: "same" | "different" | "unsupported";
  readonly why: string;
}

/** A row for every key, or sentences that say why the file cannot be read. */
export type MigrationReport =
  | { readonly ok: true; readonly rows: readonly MigrationRow[]; readonly notes: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Judges every key of a file, in its order. */
export function checkMigration(path: string, env: Readonly<Record<string, string | undefined>>): MigrationReport {
  const file = loadConfigFile(path, env);
  if (!file.ok) return file;
  const rows = file.items.map((item): MigrationRow => {
    const [line = 0, column = 0] = file.locate(item.offset).split(":").slice(-2).map(Number);
    return { key: item.key === "" ? "(document)" : item.key, line, column, ...judge(item) };
  });
  const notes = file.unset.map((name) => `\`\${${name}}\` is not set here and stays as it is written`);
  return { ok: true, rows, notes };
}

function judge(item: ConfigItem): Pick<MigrationRow, "verdict" | "why"> {
  if (item.kind === "problem") return { verdict: "unsupported", why: item.detail };
  if (item.kind === "opa") {
    if (item.row.support === "unsupported" && item.asksNothing) {
      return { verdict: "same", why: `left off, as here, where it cannot be on: ${item.row.why}` };
    }
    const verdict = item.row.support === "without_effect" ? "different" : item.row.support;
    return { verdict, why: verdict === "different" ? `no effect: ${item.row.why}` : item.row.why };
  }
  const wrong = firstProblem(FIELDS[item.field], item.texts);
  if (wrong !== undefined) return { verdict: "unsupported", why: wrong };
  const row = findOpaKey(item.key);
  if (row === undefined) return { verdict: "different", why: "svidgate's own key: OPA ignores it" };
  return { verdict: row.support === "same" ? "same" : "different", why: row.why };
}

function firstProblem(field: Field<unknown>, texts: readonly PlacedText[]): string | undefined {
  for (const { text, shown = text } of texts) {
    const parsed = field.parse(text);
    if (!parsed.ok) return `\`${withoutUserinfo(shown)}\` is not valid: ${parsed.detail}`;
  }
  return undefined;
}
