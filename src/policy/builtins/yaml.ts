// `yaml.marshal` (v1/topdown/encoding.go). `yaml.unmarshal` and `yaml.is_valid` are Go builtins: reading is what no library does as
// OPA does it.

import type { BuiltinFamily } from "./builtin.ts";
import { emitYaml } from "./yaml-emit.ts";

/** `yaml.marshal(value)`. */
export const yamlBuiltins: BuiltinFamily = {
  "yaml.marshal": ([value = null]) => emitYaml(value),
};
