// `svidgate migrate check`: what becomes of each key of an OPA configuration. It never starts anything.

import { toPlainText } from "../base/plain-text.ts";
import { checkMigration, type MigrationRow } from "../config/migrate.ts";
import { type Command, EXIT, reportProblems } from "./command.ts";

/** The command. */
export const migrate: Command = {
  name: "migrate",
  summary: "say what becomes of each key of an OPA configuration",
  usage: "check FILE",
  examples: ["svidgate migrate check opa.yaml", "svidgate migrate check opa.yaml --format json"],
  configFlags: [],
  flags: [{ flag: "format", placeholder: "text|json", doc: "how the rows are printed (default text)" }],
  maxPositionals: 2,
  async run(args, ports) {
    const [action, file] = args.positionals;
    const format = args.own.get("format")?.[0] ?? "text";
    const problems: string[] = [];
    if (action !== "check") {
      problems.push(`\`${action ?? ""}\`: expected check; usage: svidgate migrate ${migrate.usage}`);
    } else if (file === undefined)
      problems.push(`name the configuration file; usage: svidgate migrate ${migrate.usage}`);
    if (format !== "text" && format !== "json")
      problems.push(`--format: \`${format}\` is not valid: expected text or json`);
    if (file === undefined || problems.length > 0) return reportProblems(ports, problems);
    const report = checkMigration(file, ports.env);
    if (!report.ok) return reportProblems(ports, report.problems);
    const { rows, notes } = report;
    const counts = {
      same: countOf(rows, "same"),
      different: countOf(rows, "different"),
      unsupported: countOf(rows, "unsupported"),
    };
    if (format === "json") ports.out(`${JSON.stringify({ file, ...counts, notes, keys: rows })}\n`);
    else {
      for (const row of rows) ports.out(toRow(file, row));
      for (const note of notes) ports.out(`note: ${toPlainText(note)}\n`);
      ports.out(
        `${rows.length} keys: ${counts.same} same, ${counts.different} different, ${counts.unsupported} unsupported\n`,
      );
    }
    return counts.unsupported > 0 ? EXIT.no : EXIT.fine;
  },
};

const countOf = (rows: readonly MigrationRow[], verdict: MigrationRow["verdict"]): number =>
  rows.filter((row) => row.verdict === verdict).length;

const toRow = (file: string, { verdict, key, line, column, why }: MigrationRow): string =>
  `${verdict.padEnd(12)}${toPlainText(key)}\n            ${file}:${line}:${column}: ${toPlainText(why)}\n`;
