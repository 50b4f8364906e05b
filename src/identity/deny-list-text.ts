// The text of a deny list → its entries as nodes that know where they stand, from YAML or JSON.

import { parseYamlNodes, type YamlNode, type YamlProblem } from "../base/yaml.ts";
import { readJsonEntries } from "./deny-list-json.ts";

/** PERF: YAML is read in one piece, one to two ms per KiB, while nothing else runs. 64 KiB are about 400 entries. */
const MAX_YAML_CHARS = 64 * 1024;

/** Whether a text is read as JSON: its first character but white space is `{`. Half of such a text is no list, half of a YAML text may be one. */
export const isJsonList = (text: string): boolean => /^[ \t\r\n]*\{/.test(text);

/** Yields the elements of `entries`; returns what is wrong with the document around them. */
export function readEntryNodes(text: string): Generator<YamlNode, readonly YamlProblem[]> {
  return isJsonList(text) ? readJsonEntries(text) : readYamlEntries(text);
}

function* readYamlEntries(text: string): Generator<YamlNode, readonly YamlProblem[]> {
  if (text.trim() === "") return [{ offset: 0, message: "the file is empty: a list without entries is `entries: []`" }];
  if (text.length > MAX_YAML_CHARS) {
    return [
      { offset: 0, message: `more than ${MAX_YAML_CHARS} characters of YAML: write a list of this size as JSON` },
    ];
  }
  const parsed = parseYamlNodes(text);
  if (!parsed.ok) return parsed.problems;
  const { root } = parsed;
  if (root.kind !== "map") return [{ offset: root.offset, message: "a list is a map with `entries`" }];
  const problems: YamlProblem[] = [];
  for (const { key, offset } of root.entries) {
    if (key !== "entries")
      problems.push({ offset, message: `\`${key.slice(0, 64)}\` is unknown: \`entries\` is the only key` });
  }
  const list = root.entries.find(({ key }) => key === "entries");
  if (list === undefined) problems.push({ offset: root.offset, message: "`entries` is missing" });
  else if (list.value.kind !== "list") {
    problems.push({ offset: list.value.offset, message: "`entries` is a list: without any it is `entries: []`" });
  } else yield* list.value.items;
  return problems;
}

/** `line:column`, both from 1; columns in UTF-16 units, as editors count. */
export function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `${before.split("\n").length}:${offset - before.lastIndexOf("\n")}`;
}
