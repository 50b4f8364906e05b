// Reads the YAML of OPA's cases into Rego values, as OPA's own loader does (v1/util/json.go: YAML to JSON, JSON to values):
// whole numbers keep every digit, numbers with a point or an exponent are doubles.

import { parseYamlNodes, type YamlNode } from "../../src/base/yaml.ts";
import { RegoNumber, RegoObject, type Value } from "../../src/policy/value.ts";

/** The value of one YAML document. Throws Error with the reason when it is not one. */
export function parseCaseYaml(text: string): Value {
  const document = parseYamlNodes(text);
  if (document.ok) return toValue(document.root);
  const [problem] = document.problems;
  throw new Error(`not YAML: ${problem?.message} at character ${problem?.offset}`);
}

function toValue(node: YamlNode): Value {
  switch (node.kind) {
    case "list":
      return node.items.map(toValue);
    case "map":
      return RegoObject.of(node.entries.map(({ key, value }) => [key, toValue(value)] as const));
    case "scalar":
      return typeof node.value === "number" || typeof node.value === "bigint" ? RegoNumber.of(node.value) : node.value;
  }
}
