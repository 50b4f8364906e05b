// Makes `docs/configuration.md` and the flag list of `--help` from the field table.

import type { Field } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { environmentName } from "./load.ts";

const TABLE = Object.values(FIELDS) as readonly Field<unknown>[];

/** The reference page of all keys, Markdown. */
export function toConfigurationPage(): string {
  const rows = TABLE.map(
    (field) =>
      `| \`${field.key}\` | ${field.flag === undefined ? "" : `\`--${field.flag}\``} | ${field.kind.replaceAll("|", "\\|")} | ${
        field.fallback === undefined ? "" : `\`${field.fallback}\``
      } | ${field.doc.replaceAll("|", "\\|")} |`,
  );
  return `# Configuration

<!-- Made from src/config/fields.ts by \`npm run docs\`; a test compares. -->

Every flag names one key; a key without a flag is set with \`--set key=value\`. Order: defaults < environment < \`--set\` < flags.
The environment variable of a key is \`SVIDGATE_\` and the key below \`svidgate.\` in capitals, dots as \`__\`, dashes as \`_\`
(\`${environmentName("svidgate.drain.lame_duck")}\`). A key that is not in this table is refused by name. Problems are reported all at once, exit code 2.

| key | flag | value | default | meaning |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}

/** Lines for `--help`, flags of the table only. */
export function toFlagHelp(names: readonly string[]): string {
  const fields = TABLE.filter((field) => field.flag !== undefined && names.includes(field.flag));
  return fields
    .map((field) => {
      const head = `  --${field.flag}${field.placeholder === undefined ? "" : ` ${field.placeholder}`}`;
      const fallback =
        field.fallback === undefined || field.placeholder === undefined ? "" : ` (default ${field.fallback})`;
      return `${head.padEnd(34)}${head.length >= 34 ? `\n${" ".repeat(34)}` : ""}${field.doc.replaceAll("`", "")}${fallback}`;
    })
    .join("\n");
}
