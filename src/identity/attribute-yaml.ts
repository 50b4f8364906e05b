// A data document of attributes that is written as YAML: the same object as JSON would have. Bounded more tightly than JSON, since its
// parser is slower and works for whoever can write the file while checks wait.

import { fail, ok, type Result } from "../base/result.ts";
import type { JsonValue } from "../base/strict-json.ts";
import { parseYamlNodes, type YamlNode } from "../base/yaml.ts";

const MAX_YAML_BYTES = 128 * 1024;
const UTF8 = new TextDecoder("utf-8", { fatal: true });

class YamlFault extends Error {}

/** The members of the document's map, in their order. */
export function readYamlEntries(
  bytes: Uint8Array,
): Result<ReadonlyMap<string, JsonValue>, "too_large" | "syntax" | "value"> {
  if (bytes.length > MAX_YAML_BYTES)
    return fail("too_large", `${bytes.length} bytes of YAML: at most ${MAX_YAML_BYTES}: write it as JSON`);
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return fail("syntax", "not YAML: the bytes are not UTF-8");
  }
  const parsed = parseYamlNodes(text);
  if (!parsed.ok) {
    const [problem] = parsed.problems;
    return fail(
      "syntax",
      problem === undefined ? "not YAML" : `line ${lineOf(text, problem.offset)}: ${problem.message}`,
    );
  }
  const { root } = parsed;
  if (root.kind !== "map") return fail("syntax", "expected a map of SPIFFE IDs and prefixes");
  try {
    return ok(new Map(root.entries.map(({ key, value }) => [key, toJson(value, text)])));
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    return fail("value", error.message);
  }
}

/** Makes own members, `__proto__` too, so that what follows sees and refuses it. */
function toJson(node: YamlNode, text: string): JsonValue {
  switch (node.kind) {
    case "list":
      return node.items.map((item) => toJson(item, text));
    case "map":
      return Object.fromEntries(node.entries.map(({ key, value }) => [key, toJson(value, text)]));
    case "scalar":
      return toScalar(node.value, () => `line ${lineOf(text, node.offset)}`);
  }
}

function toScalar(value: null | boolean | number | bigint | string, at: () => string): JsonValue {
  if (typeof value === "bigint") {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new YamlFault(`${at()}: a whole number beyond 2^53: write it as text`);
    return number;
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new YamlFault(`${at()}: no number of JSON`);
  return value;
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;
