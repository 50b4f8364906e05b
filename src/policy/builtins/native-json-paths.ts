// json.filter and json.remove in place of those inside OPA's module, which for a path to the root, the empty text or array
// that a caller may name, read past an array and take what they find there for a value: they trap, or answer by chance.
// SPEC: OPA v1/topdown/json.go and v1/ast/term.go (filterObject). Segments of arrays are indices in text.

import { RegoObject, RegoSet, type Value } from "../value.ts";
import type { BuiltinFamily } from "./builtin.ts";
import { type PathTree, pathTreeOperand } from "./json-path.ts";
import { isArray, objectOperand } from "./operands.ts";

/** What takes the place of a part under its key or index: nothing or one value. */
type Pick = (item: Value, key: Value) => readonly [] | readonly [Value];

function rebuild(value: Value, pick: Pick): Value {
  if (isArray(value)) return value.flatMap<Value>((item, at) => pick(item, String(at)));
  if (value instanceof RegoSet) return RegoSet.of(value.values.flatMap<Value>((item) => pick(item, item)));
  if (!(value instanceof RegoObject)) return value;
  return RegoObject.of(value.entries.flatMap(([key, item]) => pick(item, key).map((part) => [key, part] as const)));
}

/** What the paths name, with what is around it. */
const filter = (value: Value, paths: PathTree): Value =>
  rebuild(value, (item, key) => {
    const below = paths.get(key);
    if (below === undefined) return [];
    return [below === true ? item : filter(item, below)];
  });

/** All but what the paths name; elements behind what was removed from an array move up. */
const remove = (value: Value, paths: PathTree): Value =>
  rebuild(value, (item, key) => {
    const below = paths.get(key);
    if (below === true) return [];
    return [below === undefined ? item : remove(item, below)];
  });

/** In place of the module's. */
export const jsonPathNatives: BuiltinFamily = {
  "json.filter": (args) => filter(objectOperand(args, 0), pathTreeOperand(args)),
  "json.remove": (args) => remove(objectOperand(args, 0), pathTreeOperand(args)),
};
