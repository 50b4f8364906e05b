// What the demo prints: a table of decisions, Envoy's counters beside svidgate's, and where to look next.

import { CALLERS } from "./callers.ts";
import type { AuditedDecision, DecisionCounts } from "./decision-point.ts";
import type { Played, PlayedScene } from "./play.ts";

/** Envoy's own counters of its ext_authz filter. */
export type EnvoyCounts = Readonly<Record<"ok" | "denied" | "error", number>>;

/** A finished row. */
interface Row {
  readonly cells: readonly string[];
  readonly wrong: string | undefined;
}

/** The text of a table and how many of its rows are wrong. */
export interface Table {
  readonly text: string;
  readonly requests: number;
  readonly wrong: number;
}

const HEAD = ["caller", "request", "decision", "reason", "µs", "to be seen"];

/** The table of all scenes, with reason and time from the audit events. */
export function toTable(played: readonly PlayedScene[], audited: ReadonlyMap<string, AuditedDecision>): Table {
  const scenes = played.map(({ scene, results }) => ({
    title: scene.title,
    rows: results.map((result) => toRow(result, audited)),
  }));
  const rows = scenes.flatMap((scene) => scene.rows);
  const widths = HEAD.map((name, column) =>
    Math.max(name.length, ...rows.map(({ cells }) => [...(cells[column] ?? "")].length)),
  );
  const toLine = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column === 4)).join("  ")}`.trimEnd();
  const lines = scenes.flatMap(({ title, rows: ofScene }) => [
    "",
    title,
    toLine(HEAD),
    ...ofScene.flatMap(({ cells, wrong }) => [toLine(cells), ...(wrong === undefined ? [] : [`    WRONG: ${wrong}`])]),
  ]);
  const remark = "  µs: from the check's arrival to its answer, by the audit event; this svidgate has just started";
  return {
    text: `${[...lines, "", remark].join("\n")}\n`,
    requests: rows.length,
    wrong: rows.filter(({ wrong }) => wrong !== undefined).length,
  };
}

const pad = (cell: string, width: number, right: boolean): string => {
  const space = " ".repeat(Math.max(0, width - [...cell].length));
  return right ? space + cell : cell + space;
};

function toRow(result: Played, audited: ReadonlyMap<string, AuditedDecision>): Row {
  const { request, status } = result;
  const event = audited.get(result.requestId ?? "");
  const token = request.token === undefined ? "" : ", token";
  const asked = [`${CALLERS[request.caller].label}${token}`, `${request.method} ${request.path}`];
  if (request.expect.by === "handshake" && result.wrong === undefined) {
    return { cells: [...asked, "refused", "(Envoy: handshake)", "", request.note], wrong: undefined };
  }
  if (request.expect.by === "unanswered" && result.wrong === undefined) {
    return { cells: [...asked, `deny  ${status}`, "(Envoy: no answer)", "", request.note], wrong: undefined };
  }
  const cells = [
    ...asked,
    `${(event?.outcome ?? "?").padEnd(5)} ${status ?? ""}`,
    event?.reason ?? "",
    event === undefined ? "" : String(event.totalUs),
    result.sinceChangeMs === undefined ? request.note : `${request.note}, ${toMs(result)} ms after the file changed`,
  ];
  return { cells, wrong: result.wrong ?? compareReason(result, event) };
}

const toMs = ({ sinceChangeMs = 0 }: Played): string => sinceChangeMs.toFixed(0);

function compareReason({ request: { expect } }: Played, event: AuditedDecision | undefined): string | undefined {
  if (expect.by !== "decided") return undefined;
  if (event === undefined) return "there is no audit event for it";
  return event.reason === expect.reason ? undefined : `reason ${event.reason} instead of ${expect.reason}`;
}

/** Both sides' counters; without Envoy, svidgate's alone. */
export function toCounters(ours: DecisionCounts, envoy: EnvoyCounts | undefined): string {
  const rows = [
    ["allowed", "ok", envoy?.ok, "allow", ours.allow],
    ["denied", "denied", envoy?.denied, "deny", ours.deny],
    ["no decision", "error", envoy?.error, "error", ours.error],
  ] as const;
  const lines = rows.map(([what, theirName, theirs, outcome, count]) => {
    const left = theirs === undefined ? "" : `${theirName.padEnd(7)}${String(theirs).padStart(3)}`.padEnd(24);
    return `  ${what.padEnd(13)}${left}svidgate_decisions_total{outcome="${outcome}"}`.padEnd(82) + count;
  });
  const head = envoy === undefined ? "svidgate's /metrics" : `${"Envoy's ext_authz".padEnd(24)}svidgate's /metrics`;
  return `\ncounters       ${head}\n${lines.join("\n")}\n`;
}

/** The audit event of the revoked caller as an example, and what to try. */
export function toNextSteps(audited: ReadonlyMap<string, AuditedDecision>, kept: string | undefined): string {
  const denial = [...audited.values()].find(({ reason }) => reason === "revoked");
  const steps = [
    ["the first policy, its data and tests", "policies/service-allow-list/"],
    ["the Envoy configuration, with reasons", "envoy/sidecar.yaml"],
    ["what is trusted from whom, and why", "docs/identity.md"],
    [
      "one decision, explained",
      `svidgate check --policy policies/namespace-roles --path /orders/7 --principal ${CALLERS.web.id}`,
    ],
    ["svidgate by itself, on 127.0.0.1:9191", "svidgate serve --policy policies/namespace-roles"],
    kept === undefined
      ? ["configuration, keys, logs, events of a run", "svidgate demo --keep"]
      : ["configuration, keys, logs, events of this run", kept],
  ] as const;
  const width = Math.max(...steps.map(([what]) => what.length));
  const next = steps.map(([what, where]) => `  ${what.padEnd(width)}  ${where}`).join("\n");
  const example = denial === undefined ? "" : `\nan audit event\n  ${denial.line}\n`;
  return `${example}\nwhere to look next\n${next}\n\n`;
}
