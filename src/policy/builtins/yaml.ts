// `yaml.marshal`, `yaml.unmarshal` and `yaml.is_valid` (v1/topdown/encoding.go). Only the first document of a stream counts, but all
// must be well-formed. Documents are read by the package yaml: see docs/builtins.md for what it reads otherwise than go-yaml.

import { parseYamlStream } from "../../base/yaml-stream.ts";
import type { Value } from "../value.ts";
import { type BuiltinContext, BuiltinError, type BuiltinFamily } from "./builtin.ts";
import { stringOperand } from "./operands.ts";
import { resolveAliases, YamlDecoder } from "./yaml-decode.ts";
import { emitYaml } from "./yaml-emit.ts";

/** Longest text that is read: half a second for the parser at worst, when there is no budget. */
const MAX_TEXT_CHARS = 65_536;
/** Steps for a character that is read: 4 µs. */
const STEPS_PER_CHARACTER = 8_000;

/** SPEC: what libyaml's reader refuses anywhere. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff\ud800-\udfff]/u;

/** The value of a text, as OPA reads it. Throws BuiltinError, also for more than 65,536 characters. */
export function unmarshal(text: string, context: Pick<BuiltinContext, "spend">): Value {
  if (text.length > MAX_TEXT_CHARS) throw new BuiltinError(`yaml: text of more than ${MAX_TEXT_CHARS} characters`);
  if (CONTROL.test(text)) throw new BuiltinError("yaml: control characters are not allowed");
  context.spend(text.length * STEPS_PER_CHARACTER);
  const documents = parseYamlStream(text);
  if (!documents.ok) throw new BuiltinError(`yaml: ${documents.detail ?? documents.code}`);
  const targets = resolveAliases(documents.value);
  const [first] = documents.value;
  return first === undefined ? null : new YamlDecoder(targets).value(first);
}

function isValid(text: Value | undefined, context: BuiltinContext): boolean {
  if (typeof text !== "string") return false;
  try {
    unmarshal(text, context);
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}

/** `yaml.marshal(value)`, `yaml.unmarshal(text)`, `yaml.is_valid(text)`. */
export const yamlBuiltins: BuiltinFamily = {
  "yaml.marshal": ([value = null]) => emitYaml(value),
  "yaml.unmarshal": (args, context) => unmarshal(stringOperand(args, 0), context),
  "yaml.is_valid": ([text], context) => isValid(text, context),
};
