// Makes `docs/configuration.md` and the flag list of `--help` from the field table.

import type { Field } from "./field.ts";
import { FIELDS } from "./fields.ts";
import { environmentName } from "./load.ts";
import { OPA_KEYS } from "./opa-keys.ts";

const TABLE = Object.values(FIELDS) as readonly Field<unknown>[];

/** The reference page of all keys, Markdown. */
export function toConfigurationPage(): string {
  const rows = TABLE.map(
    (field) =>
      `| \`${field.key}\` | ${field.flag === undefined ? "" : `\`--${field.flag}\``} | ${cell(field.kind)} | ${
        field.fallback === undefined ? "" : `\`${field.fallback}\``
      } | ${field.live === true ? "reload" : "restart"} | ${cell(field.doc)} |`,
  );
  const others = Object.entries(OPA_KEYS)
    .filter(([key, { support }]) => support === "without_effect" || (support === "unsupported" && !FIELD_KEYS.has(key)))
    .map(([key, { support, why }]) => `| \`${key}\` | ${SUPPORT[support]} | ${cell(why)} |`);
  return `# Configuration

<!-- Made from src/config/fields.ts by \`npm run docs\`; a test compares. -->

\`svidgate serve -c svidgate.yaml\` reads a YAML file with OPA's keys, as opa-envoy-plugin has them, and ours below \`svidgate\`:

\`\`\`yaml
# yaml-language-server: $schema=node_modules/svidgate/docs/configuration.schema.json
plugins:
  envoy_ext_authz_grpc:
    addr: :9191
    path: envoy/authz/allow
labels:
  region: \${REGION}
svidgate:
  policy:
    paths: [policies/]
  drain:
    lame_duck: 5s
\`\`\`

Every flag names one key; a key without a flag is set in the file or with \`--set key=value\`. Order: defaults < file < environment <
\`--set\` < flags. The environment variable of a key is \`SVIDGATE_\` and the key below \`svidgate.\` in capitals, dots as \`__\`, dashes as
\`_\` (\`${environmentName("svidgate.drain.lame_duck")}\`). Relative paths are relative to the working folder.

As in OPA, \`\${NAME}\` in the file (anywhere in its text, before YAML is read) and in \`--set\` is the environment variable; one that is not
set stays as it is written, which the log says. A \`*\` in a key stands for a name, such as a trust domain's, which may hold dots;
such a key has no environment variable: \`--set svidgate.identity.trust_domains.example.org.bundle=bundle.json\`.

The file is one YAML 1.2 document, UTF-8, at most 1 MiB. Text that looks like a number or a boolean needs quotes. Problems are
reported all at once with line and column, exit code 2; a key that is in neither table is a problem that names the nearest known one.

## Reload

SIGHUP reads the file, policies and data anew. Either everything in them is valid and comes into force together, or nothing
changes: the log and \`GET /status\` say what is wrong, and \`svidgate_policy_reloads_total{result="failure"}\` counts it. A key that is
marked *restart* below cannot change this way: a file that changes one is refused as a whole.

## Keys

| key | flag | value | default | change by | meaning |
| --- | --- | --- | --- | --- | --- |
${rows.join("\n")}

## Other keys of OPA

A key stands for everything below it. Those that are not supported are refused by name unless their value asks for nothing
(\`false\`, empty); those without effect are accepted, and the log says so at the start. \`svidgate migrate check opa.yaml\` tells what
becomes of each key of a file: [migrating.md](migrating.md).

| key | | why |
| --- | --- | --- |
${others.join("\n")}
`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const SUPPORT = {
  same: "same",
  different: "different",
  without_effect: "no effect",
  unsupported: "not supported",
} as const;
const FIELD_KEYS: ReadonlySet<string> = new Set(TABLE.map(({ key }) => key));

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
